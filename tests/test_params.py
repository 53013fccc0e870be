"""Parameters are validated as a whole; each fault is one line that names the key."""

import subprocess
import sys

import pytest
import torch
import yaml

from kdprune.config.params import load, validate
from kdprune.errors import KdpruneError
from kdprune.study.trainings import network


def set_at(values: dict, path: str, value) -> None:
    *parents, last = path.split(".")
    for key in parents:
        values = values[int(key)] if isinstance(values, list) else values[key]
    values[last] = value


def test_the_committed_parameters_are_valid(values):
    assert validate(values).profile == "mini"


@pytest.mark.parametrize("profile", ["mini", "paper", "strong"])
def test_every_profile_composes_and_is_valid(root, tmp_path, profile):
    output = tmp_path / "params.yaml"
    command = [sys.executable, root / "conf" / "compose.py", f"profile={profile}", "-o", output]
    subprocess.run(command, check=True)
    params = load(output)
    assert params.profile == profile
    if profile == "mini":  # what `dvc repro` reads is what `dvc exp run` would compose
        assert output.read_text() == (root / "params.yaml").read_text()
    else:
        counts = {name: len(instances) for name, instances in params.grid.items()}
        assert counts.pop("networks") == 34
        assert (counts.pop("compressions"), counts.pop("attributions")) == (0, 0)
        assert counts.pop("collected") == 5
        assert counts.pop("trajectories") == 0
        assert counts == {"teachers": 14, "students": 20, "sweeps": 68, "datasets": 2}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("teach.epochs", 0, "greater than or equal to 1"),
        ("teach.epochs", "ten", "valid integer"),
        ("teach.lr", float("nan"), "finite"),
        ("teach.lr", -0.1, "greater than 0"),
        ("teach.schedule", "cosin", "'cosine'"),
        ("teach.epoch", 3, "did you mean epochs"),
        ("prune.levels", [], "at least 1"),
        ("prune.levels", [0.0, 0.5, 1.0], "less than 1"),
        ("prune.levels", [0.1, 0.2], "must start at 0"),
        ("prune.levels", [0.0, 0.2, 0.2], "must start at 0"),
        ("prune.seeds", 0, "greater than or equal to 1"),
        ("prune.method", "chanel", "did you mean channel"),
        ("distill.method", "simkt", "did you mean simkd"),
        ("distill.simkd.factor", float("inf"), "finite"),
        ("datasets", ["cifar11"], "cifar10"),
        ("datasets", ["cifar100"], "CIFAR-10 only"),
        ("pairs", ["resnet10_24/resnet10_16"] * 2, "twice"),
        ("pairs", ["resnet10_24/resnet10_24"], "the same weights"),
        ("pairs", ["resnet10_24/resnet10_17"], "did you mean resnet10_16"),
        ("data.source", "local", "data.path"),
        ("data.validation", 1.0, "less than 1"),
        ("teach.momentum", 0.0, "nesterov"),
        ("grid", {}, "make params"),
        ("surprise", 1, "unknown"),
    ],
)
def test_faults_are_named(values, path, value, said):
    set_at(values, path, value)
    with pytest.raises(KdpruneError) as caught:
        validate(values)
    message = str(caught.value)
    assert said in message
    assert path.split(".")[-1] in message
    assert "\n" not in message


def test_a_missing_key_is_named(values):
    del values["teach"]["lr"]
    with pytest.raises(KdpruneError, match=r"teach\.lr: is missing"):
        validate(values)


def test_a_file_that_is_no_yaml_is_one_line(tmp_path):
    (tmp_path / "params.yaml").write_text("a: [1,")
    with pytest.raises(KdpruneError, match="is no YAML") as caught:
        load(tmp_path / "params.yaml")
    assert "\n" not in str(caught.value)


def test_a_stage_reports_a_fault_in_one_line_and_exits_2(root, tmp_path, values):
    values["prune"]["seeds"] = -1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    command = [sys.executable, "-m", "stages", "breakpoints"]
    environment = {"PYTHONPATH": str(root), "PATH": ""}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "prune.seeds = -1" in result.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "params.yaml"]


def test_what_a_missing_key_means_is_decided_where_it_is_used(values):
    del values["architectures"]["resnet10_16"]["kwargs"], values["folders"]
    values["architectures"]["resnet10_16"]["timm"] = "mobilenetv1_100"
    params = validate(values)
    assert (params.folders, params.architectures["resnet10_16"].kwargs) == (None, None)
    images = {"train_labels": torch.arange(10), "val_images": torch.zeros(1, 3, 32, 32)}
    _, described = network(params, "resnet10_16", images, 1)
    assert described["kwargs"] == {}  # as a network's file has it, with or without the key
