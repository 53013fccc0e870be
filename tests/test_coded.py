"""Compressed networks: rebuilt bit for bit, measured as loaded, exported, read by numpy alone."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from cli_project import KEY, run_sweep, study
from compressed_files import network as tensors_of_every_form
from conftest import ROOT
from networks import dataset
from test_cli_export import described, network

from kdprune import models
from kdprune.__main__ import main
from kdprune.compression import files
from kdprune.config import coding
from kdprune.config.grid import expand
from kdprune.config.params import load
from kdprune.data.augment import random_crop_flip
from kdprune.deployment import coded, measure
from kdprune.errors import KdpruneError
from kdprune.models import counts
from kdprune.pruning import METHODS
from kdprune.records import write_csv
from kdprune.study import codings, paths
from kdprune.training.loop import evaluate
from stages import compress

LEVEL = 0.5


@pytest.mark.parametrize(
    ("family", "name"),
    [
        *(("basic", name) for name in coded.codings([5])),
        *(("basic+projector", name) for name in coded.codings([5])),
        ("dense", "shared5"),
        ("separable", "int8"),
    ],
)
def test_a_network_comes_back_bit_for_bit(family, name, tmp_path):
    pruned = next(METHODS["channel"](network(family), [LEVEL])).model
    made, stored = coded.compressed(pruned, coded.codings([5])[name], {}, 0, random_crop_flip)
    files.write(tmp_path / "a.kdz", stored, described(family))
    loaded, metadata = coded.load(tmp_path / "a.kdz")
    assert coded.same(made, loaded)
    assert metadata == described(family)
    assert repr(loaded) == repr(pruned)
    assert coded.same(pruned, loaded) == (name == "float32")  # which loses nothing


def test_masked_weights_stay_zero_and_what_is_no_weight_is_kept():
    pruned = next(METHODS["weight"](network("basic"), [0.7]))
    made, stored = coded.compressed(
        pruned.model, coded.codings([4])["shared4"], {}, 0, random_crop_flip
    )
    for name, mask in pruned.masks.items():
        values = made.get_parameter(name)
        assert torch.equal(values != 0, mask)
        assert len(values.unique()) <= 16
    weights = {f"{name}.weight" for name in counts.prunable(pruned.model)}
    state = pruned.model.state_dict()
    kept = [name for name in state if name not in weights]
    assert kept
    assert all(torch.equal(made.state_dict()[name], state[name]) for name in kept)
    assert {stored[name].entry.form for name in weights} == {"shared"}


def test_batch_norm_is_estimated_behind_what_is_lost_and_is_in_the_file(tmp_path):
    model, data = network("basic"), dataset(count=64)
    for name, lossy in (("float32", False), ("shared2", True)):
        how = coded.codings([2])[name], data, 64, random_crop_flip
        made, stored = coded.compressed(model, *how)
        assert torch.equal(made.bn1.running_mean, model.bn1.running_mean) != lossy
        files.write(tmp_path / "a.kdz", stored, described("basic"))
        assert coded.same(coded.load(tmp_path / "a.kdz")[0], made)


def test_fewer_bits_take_fewer_bytes_and_accuracy_is_that_of_the_file():
    model, data = network("basic"), dataset(count=64)
    rows = coded.measured(model, data, described("basic"), [8, 5, 4], 0, random_crop_flip)
    table = pd.DataFrame(rows).set_index("coding")
    assert [*table.index] == ["float32", "int8", "shared8", "shared5", "shared4"]
    assert table.bytes[["float32", "shared8", "shared5", "shared4"]].is_monotonic_decreasing
    assert (table.bytes < table.fixed_bytes)[["shared8", "shared5", "shared4"]].all()
    right = evaluate(model, data["val_images"], data["val_labels"], data["mean"], data["std"])
    assert table.val_accuracy["float32"] == right


def test_a_weight_that_is_no_number_has_no_code():
    model = network("basic")
    with torch.no_grad():
        model.conv1.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(KdpruneError, match=r"conv1\.weight holds a NaN"):
        coded.encode(model, coded.codings([])["int8"])


def test_what_is_restored_is_held_to_all_that_a_checkpoint_is(tmp_path):
    stored = coded.encode(network("basic"), coded.codings([])["int8"])
    path = tmp_path / "a.kdz"
    for tensors, metadata, told in (
        ({**stored, "more": stored["bn1.bias"]}, described("basic"), "do not fit"),
        (stored, {"network": {}}, "network"),
        (stored, {}, "no checkpoint of kdprune"),
        (stored, {**described("basic"), "path": "x"}, "path"),
    ):
        files.write(path, tensors, metadata)
        with pytest.raises(KdpruneError, match=told) as caught:
            coded.load(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_reader_in_the_documentation_reads_it(tmp_path):
    page = (ROOT / "docs/how-to/ship.md").read_text()
    reader: dict = {}
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], reader)
    files.write(tmp_path / "a.kdz", tensors_of_every_form(), described("basic"))
    theirs, metadata = reader["load"](tmp_path / "a.kdz")
    ours, _ = files.read(tmp_path / "a.kdz")
    assert metadata == described("basic")
    assert theirs.keys() == ours.keys()
    for name, array in ours.items():
        assert theirs[name].dtype == array.dtype
        assert np.array_equal(theirs[name], array)


def test_export_writes_a_compressed_form_that_predict_reads(tmp_path, values, capsys):
    folder = study(tmp_path, values)
    run_sweep(folder, values, "weight")
    out = tmp_path / "out"
    command = ["export", f"{KEY}-weight", "--project", str(folder), "--out", str(out)]
    assert main([*command, "--format", "onnx", "--coding", "int8"]) == 2
    assert "--coding int8: is for --format compressed; add this form" in capsys.readouterr().err
    assert main([*command, "--format", "safetensors,compressed", "--coding", "shared4"]) == 0
    assert "shared4: another first class on" in capsys.readouterr().out
    form = json.loads((out / "certificate.json").read_text())["forms"]
    assert form["compressed"]["coding"] == "shared4"
    assert form["compressed"]["relative_difference"] == 0  # of the file from what was coded
    assert form["compressed"]["from_reference"]["relative_difference"] > 1e-4
    assert form["compressed"]["bytes"] < form["safetensors"]["bytes"] / 3
    model, metadata = coded.load(out / "network.kdz")
    assert metadata["pruned"]["level"] == LEVEL
    whole, _ = models.load(out / "network.safetensors")
    for name, layer in counts.prunable(model).items():
        assert torch.equal(layer.weight == 0, whole.get_submodule(name).weight == 0)
    assert main(["inspect", str(out / "network.kdz")]) == 0
    told = capsys.readouterr().out
    assert "tensors, compressed: float32, int64, shared" in told
    assert main(["inspect", str(out / "network.safetensors")]) == 0
    alike = ("network", "architecture", "parameters", "multiply-adds", "dead weights", "pruned")
    plain = capsys.readouterr().out.splitlines()
    assert {one for one in plain if one.startswith(alike)} <= set(told.splitlines())
    picture = next((ROOT / "data/embedded/test").glob("*.webp"))
    assert main(["predict", str(out / "network.kdz"), str(picture), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)[0]["top"]) == 3
    (out / "network.kdz").write_bytes((out / "network.kdz").read_bytes()[:-1])
    assert main(["predict", str(out / "network.kdz"), str(picture)]) == 2
    assert capsys.readouterr().err.endswith("(its tensors do not fill it)\n")


# The stage


def test_the_stage_codes_each_network_unpruned_and_at_its_breakpoint(tmp_path, values, monkeypatch):
    folder = study(tmp_path, values)
    run_sweep(folder, values, "weight")
    values["compress"]["bits"] = [4]
    values["grid"] |= coding.grid(values["grid"], [4])
    values["breakpoints"]["tolerance"] = 100.0  # so that the curve breaks nowhere
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(folder)
    key = f"{KEY}-weight"
    table = pd.read_csv(paths.sweep(key), keep_default_na=False)
    write_csv(paths.swept(key) / "sweep.csv", table)
    compress.main(key)
    made = pd.read_csv(paths.coded(key) / "codings.csv")
    assert [*made.columns] == codings.COLUMNS
    assert made.level.tolist() == [0.0] * 3 + [LEVEL] * 3
    assert made.coding.tolist() == ["float32", "int8", "shared4"] * 2
    exact = made[made.coding == "float32"].set_index("level").test_accuracy
    first = table[table.seed == 0].set_index("level").test_accuracy
    assert exact.to_dict() == pytest.approx(first.to_dict())  # what the sweep's first seed had
    shared = made[made.coding == "shared4"].set_index("level").bytes
    assert shared[LEVEL] < shared[0.0]
    codings.gather([key])
    assert paths.CODINGS.read_bytes() == (paths.coded(key) / "codings.csv").read_bytes()
    codings.gather([])
    assert paths.CODINGS.read_text() == ",".join(codings.COLUMNS) + "\n"
    with pytest.raises(KdpruneError, match="is not there; run `dvc pull`"):
        codings.gather(["nobody"])


def test_what_recommend_promises_of_bytes_its_export_keeps(tmp_path, values, monkeypatch, capsys):
    folder = study(tmp_path, values)
    run_sweep(folder, values, "channel")
    key = f"{KEY}-channel"
    values["pairs"], values["prune"] = (
        ["resnet10_24/none"],
        values["prune"] | {"method": "channel", "roles": ["teacher"]},
    )
    alone = expand(datasets=["cifar10"], pairs=values["pairs"], distill="simkd", prune="channel",
                   roles=["teacher"])  # fmt: skip
    values["compress"]["bits"], values["grid"] = [4], alone | coding.grid(alone, [4])
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(folder)
    write_csv(paths.swept(key) / "sweep.csv", pd.read_csv(paths.sweep(key), keep_default_na=False))
    compress.main(key)
    codings.gather([key])
    stored = [
        {
            "method": method,
            "level": level,
            "batch": 1,
            "latency_ms_p25": 1.0,
            **measure.sizes(pruned.model),
        }
        for method, level in (("none", 0.0), ("channel", LEVEL))
        for pruned in METHODS["channel"](models.load(paths.checkpoint("teacher", KEY))[0], [level])
    ]
    who = {"dataset": "cifar10", "role": "teacher", "teacher": "resnet10_24"}
    write_csv(paths.MEASURE, pd.DataFrame(stored).assign(**who))
    seen = set()
    for allowed in [*sorted(pd.read_csv(paths.CODINGS).bytes + 3000), 10**9]:
        assert main(["recommend", "--json", "--max-bytes", str(allowed)]) == 0
        one = json.loads(capsys.readouterr().out)["winner"]
        assert main([*shlex.split(one["export"])[3:], "--out", f"out{allowed}"]) == 0
        capsys.readouterr()
        (file,) = Path(f"out{allowed}").glob("network.*")
        assert one["bytes"] - 4096 < file.stat().st_size <= one["bytes"] <= allowed
        seen.add(one["coding"])
    assert {"", "shared4", "int8"} <= seen


def test_without_bits_there_is_nothing_to_run(values):
    assert values["compress"]["bits"] == []
    assert values["grid"]["compressions"] == {}
    folder = values["grid"]["collected"]["codings"]["folder"]
    assert folder == coding.SWEEPS  # a folder that a stage writes, for DVC to depend on


@pytest.mark.parametrize("roles", [["teacher"], ["student"]])
def test_what_collect_depends_on_is_what_a_stage_writes(root, values, roles):
    """Else DVC fails there: results/distill is no folder where every pair is x/none."""
    study = {"datasets": ["cifar10"], "distill": "kd", "prune": "weight", "roles": roles}
    alone = expand(**study, pairs=["a/none"])
    folders = [item["folder"] for item in coding.grid(alone, [])["collected"].values()]
    swept = "results/prune" if roles == ["teacher"] else "results/teach"
    assert folders == ["results/teach", *[swept] * 4]
    described = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]["collect"]["deps"]
    named = [dep for dep in described if dep.startswith(("results/", "${"))]
    wanted = [f"${{grid.collected.{name}.folder}}" for name in values["grid"]["collected"]]
    assert named == ["results/teach", *wanted]  # the one that is always there, and no other
    usual = [item["folder"] for item in values["grid"]["collected"].values()]
    assert usual == ["results/distill", *["results/prune"] * 4]


@pytest.mark.parametrize(
    ("bits", "told"),
    [([1], "greater than or equal to 2"), ([9], "less than"), ([4, 4], "twice"), (8, "list")],
)
def test_bits_are_checked(values, tmp_path, bits, told):
    values["compress"]["bits"] = bits
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(KdpruneError, match=rf"compress\.bits.*{told}"):
        load(tmp_path / "params.yaml")


def test_a_study_from_before_the_stage_is_read(values, tmp_path):
    del values["compress"], values["grid"]["compressions"], values["grid"]["collected"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    assert coding.bits(load(tmp_path / "params.yaml")) == []


def test_tensors_of_no_network_are_never_made(tmp_path, monkeypatch):
    """A byte of a file may stand for a thousand zeros: its shapes are looked at first."""
    made = coded.encode(network("basic"), coded.codings([])["float32"])
    made["more"] = tensors_of_zeros = coded.tensors.sparse(np.zeros((2000, 3), np.float32))
    assert len(tensors_of_zeros.data) < 10
    files.write(tmp_path / "a.kdz", made, described("basic"))
    monkeypatch.setattr(files, "restored", lambda *_: pytest.fail("a tensor was made"))
    with pytest.raises(KdpruneError, match=r"a\.kdz: "):
        coded.load(tmp_path / "a.kdz")
