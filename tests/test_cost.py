"""What a study will cost: operations by hand for a tiny one, and a whole table for the paper's."""

import json
import subprocess
import sys
import time

import pytest
import torch
import yaml
from networks import TINY
from torch import nn

from kdprune import progress
from kdprune.__main__ import main
from kdprune.cli import plan
from kdprune.config.params import validate
from kdprune.distillation import METHODS
from kdprune.models import counts
from kdprune.planning import calibration, cost
from kdprune.planning.cost import Images, Network, Speed
from kdprune.planning.subjects import recipe_of

IMAGES = Images(train=100, val=10, test=20)
NETWORK = Network(macs=7, training_macs=5, teacher_macs=3, params=50, bytes=200, head=40)
SWEEP = {
    "levels": [0.0, 0.5],
    "removes": False,
    "seeds": 3,
    "re_estimate": 64,
    "scope": "head",
    "epochs": 2,
    "batch_size": 30,
    "views": 4,
}


def test_a_training_by_hand():
    work = cost.training(NETWORK, IMAGES, epochs=4, batch_size=30)
    trained, evaluated = 4 * 3 * 30, 5 * 10 + 20  # whole batches only
    assert (work.epochs, work.trained, work.steps, work.evaluated) == (4, trained, 12, evaluated)
    assert work.forward == 2 * ((5 + 3) * trained + 7 * evaluated)
    assert work.backward == 2 * 2 * 5 * trained
    assert cost.training(NETWORK, IMAGES, epochs=1, batch_size=512).trained == 100
    taken = cost.training(NETWORK, IMAGES, epochs=0, batch_size=30)
    assert (taken.backward, taken.evaluated) == (0, 30)


def test_a_sweep_of_heads_by_hand():
    work = cost.sweep(NETWORK, IMAGES, **SWEEP)
    seen = 64 + 4 * 100 + 10 + 20
    head = 2 * 40 * (2 * 3 * 30) * 3 * 2  # both levels, all seeds
    assert work.forward == 2 * 2 * 7 * seen + head
    assert work.backward == head
    assert (work.epochs, work.trained, work.steps) == (0, 0, 0)
    assert (work.evaluated, work.head_steps) == (2 * seen, 2 * 2 * 3)
    cut = cost.sweep(NETWORK, IMAGES, **SWEEP | {"removes": True})
    assert cut.forward == 1.5 * 2 * 7 * seen + head


def test_a_sweep_that_tunes_everything_by_hand():
    work = cost.sweep(NETWORK, IMAGES, **SWEEP | {"scope": "all", "removes": True})
    trained, seen = 3 * 2 * 3 * 30, 64 + 3 * (2 * 10 + 10 + 20)  # of one level
    assert (work.epochs, work.trained) == (2 * 3 * 2, 2 * trained)
    assert work.forward == pytest.approx(1.5 * 2 * 7 * (trained + seen))
    assert work.backward == pytest.approx(1.5 * 4 * 7 * trained)
    none = cost.sweep(NETWORK, IMAGES, **SWEEP | {"scope": "none"})
    assert (none.evaluated, none.backward) == (2 * (64 + 30), 0)


def test_times_and_totals_add_up():
    work = cost.training(NETWORK, IMAGES, epochs=4, batch_size=30)
    speed = Speed(step=0.5, image=0.01, tuning_step=0.25, head_step=1.0)
    assert cost.seconds(work, speed) == pytest.approx(12 * 0.5 + 70 * 0.01)
    both = cost.total([work, cost.sweep(NETWORK, IMAGES, **SWEEP | {"scope": "all"})])
    assert cost.seconds(both, speed, tuning=True) == both.steps * 0.25 + both.evaluated * 0.01
    assert both.epochs == 4 + 12
    assert cost.split(50_000, 10, 0.1) == (45_000, 5_000)
    assert cost.split(40, 10, 0.1) == (30, 10)  # one per class at least


def described(family: str) -> dict:
    name, kwargs = TINY[family]
    return {"timm_name": name, "kwargs": kwargs, "classes": 10}


def look(student: str, teacher: str | None = None, method: str = "", **hyperparameters):
    built, teaching = calibration.task(
        described(student),
        described(teacher) if teacher else None,
        method=method,
        hyperparameters=hyperparameters,
        images=64,
    )
    return built, teaching, calibration.look(built, teaching)


def test_a_teachers_operations_are_those_of_its_network():
    built, _, network = look("basic")
    assert network.training_macs == network.macs == counts.macs(built.network)
    assert network.teacher_macs == 0
    assert network.params == counts.parameters(built.network)
    assert network.head == built.network.num_features * 10


def test_a_distilled_students_operations_hold_the_teachers():
    built, teaching, network = look("basic", "dense", "simkd", factor=2)
    assert network.macs == counts.macs(built.network)
    # in training, neither of the two classifiers is used
    assert network.training_macs == network.macs - built.network.classifier.weight.numel()
    head = teaching.get_classifier().weight.numel()
    assert network.teacher_macs == counts.macs(teaching) - head


@pytest.mark.parametrize("method", METHODS)
def test_every_method_can_be_looked_at(method, values):
    given = {} if method == "none" else values["distill"][method]
    _, _, network = look("basic", "bottleneck", method, **given)
    assert network.training_macs >= 0.9 * network.macs
    assert (network.teacher_macs > 0) == (method != "none")


def test_a_transposed_convolution_counts_its_inputs():
    layer = nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1)
    with calibration._counted(layer) as found:
        layer(torch.zeros(2, 3, 6, 6))
    assert found == [2 * 36 * 3 * 5 * 16]


def test_speeds_are_measured():
    built, _, _ = look("basic")
    place = torch.device("cpu")
    step = calibration.step_seconds(
        built, batch_size=8, precision="fp32", device=place, images=64, seconds=0.02
    )
    image = calibration.image_seconds(built.network, device=place, seconds=0.02)
    head = calibration.head_seconds(16, 10, seeds=2, batch_size=8, device=place, seconds=0.02)
    assert 0 < image < step < 5
    assert 0 < head < 5


def small(values: dict, folder) -> dict:
    """A study of two tiny networks."""
    values["architectures"] = {
        name: {"timm": TINY[name][0], "kwargs": TINY[name][1]} for name in ("basic", "dense")
    }
    values["pairs"] = ["basic/dense"]
    from kdprune.config.grid import expand

    values["grid"] = expand(
        datasets=values["datasets"],
        pairs=values["pairs"],
        distill=values["distill"]["method"],
        prune=values["prune"]["method"],
        roles=values["prune"]["roles"],
    )
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    return values


@pytest.mark.parametrize("scope", ["head", "all"])
def test_the_table_is_complete(tmp_path, values, capsys, scope):
    values["prune"]["finetune"]["scope"] = scope
    small(values, tmp_path)
    project = ["--project", str(tmp_path)]
    assert main(["plan", *project, "--calibrate-seconds", "0.02"]) == 0
    text = capsys.readouterr().out
    for said in ("3,600 training", *plan.TITLES, "time", "teach", "total", "Calibrated on cpu"):
        assert said in text
    assert main(["plan", *project, "--no-calibration", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["device"] is None
    kinds = [row["kind"] for row in told["rows"]]
    assert kinds == ["teach", "distill", *(["prune weight", "prune channel"] * 2)]
    teach, distill, weight, channel, *_ = told["rows"]
    epochs, batch = values["teach"]["epochs"], values["teach"]["batch_size"]
    assert teach["trained"] == epochs * (3600 // batch * batch)
    assert teach["bytes"] > 4 * teach["params"] > 0
    assert distill["forward"] > distill["backward"] / 2 > 0
    assert channel["forward"] < weight["forward"]
    assert weight["params"] == 0
    assert (weight["epochs"] > 0) == (scope == "all")


def test_weights_that_are_taken_as_they_are_cost_no_training(tmp_path, values, capsys):
    small(values, tmp_path)
    given = {"path": "x.safetensors", "sha256": "0" * 64, "train": False}
    values["architectures"]["basic"]["weights"] = given
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    assert main(["plan", "--project", str(tmp_path), "--no-calibration", "--json"]) == 0
    teach, distill, *_ = json.loads(capsys.readouterr().out)["rows"]
    assert teach["epochs"] == teach["backward"] == 0
    assert distill["epochs"] > 0


def test_the_papers_study_is_planned_in_seconds(root, capsys):
    start = time.process_time()
    arguments = ["plan", "--profile", "paper", "--no-calibration", "--project", str(root)]
    assert main(arguments) == 0
    assert time.process_time() - start < 20
    rows = {line.split("  ")[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert rows["teach"][1] == "14"
    assert rows["distill"][1] == "20"
    assert rows["prune weight"][2] == rows["prune channel"][2] == "34"
    assert rows["total"][1] == "102"
    # 14 teachers: the published counts with 10 and with 100 classes, seven networks each
    assert "371,713,586" in rows["teach"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--profile", "papr"], "papr"),
        (["teach.epochs=0"], "teach.epochs"),
        (["--profile", "paper", "--params", "params.yaml"], "--params"),
        (["--params", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_faults_are_one_line(root, capsys, arguments, said):
    assert main(["plan", *arguments, "--project", str(root)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("kdprune: ")
    assert said in error
    assert error.count("\n") == 1


def test_a_data_set_of_unknown_size_is_told(tmp_path, values, capsys):
    values |= {"datasets": ["mine"], "folders": {"mine": {"path": "images"}}}
    small(values, tmp_path)
    grid = yaml.safe_load((tmp_path / "params.yaml").read_text())
    grid["grid"]["datasets"] = {"mine": {"images": "images"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(grid, sort_keys=False))
    assert main(["plan", "--project", str(tmp_path), "--no-calibration"]) == 2
    assert "how many images mine has" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 "),
        (999, "999 "),
        (1234, "1.23 k"),
        (999.9e6, "1 G"),
        (3.5e16, "35 P"),
        (2e19, "20 E"),
    ],
)
def test_numbers_read_well(number, said):
    assert plan.scaled(number) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (48, "48 s"),
        (184, "3 min 4 s"),
        (3_599.7, "1 h 0 min"),
        (12_240, "3 h 24 min"),
        (84_700, "23 h 32 min"),
        (86_399, "1 d 0 h"),
        (3 * 86_400 + 7_200, "3 d 2 h"),
    ],
)
def test_durations_read_well(seconds, said):
    assert progress.duration(seconds) == said


def test_help_needs_no_torch(root):
    code = (
        "import sys\nfrom kdprune.__main__ import main\n"
        "try: main(['plan', '--help'])\nexcept SystemExit as end: assert not end.code\n"
        "assert not {'torch', 'timm', 'pandas'} & set(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "  kdprune plan " in ended.stdout.split("example", 1)[1]


def test_a_shared_machine_is_told():
    told = {"images": {}, "device": "cpu", "calibrate_seconds": 1.0, "rows": []}
    told |= {"measured": 1, "networks": 1}
    work = cost.training(NETWORK, IMAGES, epochs=1, batch_size=30)
    row = {"kind": "teach", "key": "a", "work": work, "params": 1, "bytes": 4, "seconds": 100.0}
    told["rows"] = [row]
    quiet = "\n".join(plan.lines({**told, "core": 0.9, "threads": 1}))
    assert "Other work" not in quiet
    assert "1 min 40 s" in quiet
    one = "\n".join(plan.lines({**told, "core": 0.5, "threads": 1}))
    assert "a core 50% of the time. Alone, the study takes about 50 s." in one
    several = "\n".join(plan.lines({**told, "core": 0.5, "threads": 8}))
    assert "many times too long" in several


def test_a_student_without_distillation_is_timed_by_its_own_recipe(values):
    """A control student (method none) is trained as the others are, not as a teacher."""
    values["teach"]["batch_size"], values["distill"]["training"]["batch_size"] = 32, 16
    params = validate(values)
    sizes = {
        one: recipe_of(params, one).batch_size
        for one in (("resnet10_24", "", ""), ("a", "b", "none"), ("a", "b", "kd"))
    }
    assert list(sizes.values()) == [32, 16, 16]
