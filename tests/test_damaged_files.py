"""What lies in a study's folder, damaged or made to deceive, is one line and never a figure."""

import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from networks import tiny

from kdprune.__main__ import main
from kdprune.cli.quantities import overrides
from kdprune.config import params
from kdprune.data import canonical
from kdprune.deployment import inputs
from kdprune.errors import KdpruneError
from kdprune.files import expanded, keep
from kdprune.models import beside
from kdprune.planning import counted
from kdprune.records import read_json
from kdprune.running import driving
from kdprune.study import checked, rows, sampled, tables, unfinished
from kdprune.training.checkpointing import restore

ROOT = Path(__file__).parents[1]
WHO = {"dataset": "cifar10", "role": "teacher", "teacher": "a", "student": "", "distill": ""}
FIGURES = {"accuracy": 50, "accuracy_sd": "", "n_seeds": 1, "params": 9, "efficiency": 2}
SCORED = [{**WHO, "condition": name, **FIGURES, "normalised": 1} for name in "ab"]


def efficiency(path: Path, **changed: object) -> Path:
    table = pd.DataFrame(SCORED, dtype=object)
    for column, value in changed.items():
        table.loc[1, column] = value
    table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"efficiency": ""}, "efficiency holds no number"),
        ({"efficiency": "many"}, "efficiency holds no number"),
        ({"params": "inf"}, "params holds no number"),
        ({"accuracy": 101}, "not within 0 to 100"),
        ({"condition": "a"}, "a row is there twice"),
        ({"efficiency": -3}, "efficiency is below 0 .*condition b"),
        ({"n_seeds": -1}, "n_seeds is below 0"),
        ({"params": -5}, "params is below 0"),
    ],
)
def test_a_table_of_which_figures_would_be_wrong_is_refused(changed, said, tmp_path):
    path = efficiency(tmp_path / "efficiency.csv", **changed)
    with pytest.raises(KdpruneError, match=said):
        checked.read(path, "efficiency")


def test_a_table_that_is_whole_is_read_and_one_without_a_column_is_not(tmp_path):
    path = efficiency(tmp_path / "efficiency.csv")
    path.write_bytes(
        b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n")
    )  # of a spreadsheet
    table = checked.read(path, "efficiency")
    assert table.efficiency.tolist() == [2, 2]
    table.drop(columns="efficiency").to_csv(path, index=False)
    with pytest.raises(KdpruneError, match="no column efficiency"):
        checked.read(path, "efficiency")


def breakpoint_(path: Path, **changed: object) -> Path:
    row = {**WHO, "method": "weight"} | dict.fromkeys(checked.KINDS["breakpoints"].numbers.split())
    row |= dict.fromkeys(checked.KINDS["breakpoints"].figures.split())
    row = {column: 0.5 if value is None else value for column, value in row.items()}
    pd.DataFrame([{**row, **changed}]).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("level", 7, "level is not within 0 to 1 .*method weight"),
        ("ratio", -0.1, "ratio is not within 0 to 1"),
        ("sparsity", 1.5, "sparsity is not within 0 to 1"),
        ("level_low", 7, "level_low is not within 0 to 1"),
        ("nonzero_params", -5, "nonzero_params is below 0"),
        ("dense_params", -5, "dense_params is below 0"),
        ("macs", -5, "macs is below 0"),
    ],
)
def test_shares_and_counts_are_held(column, value, said, tmp_path):
    path = tmp_path / "breakpoints.csv"
    assert len(checked.read(breakpoint_(path, level_low=""), "breakpoints")) == 1
    with pytest.raises(KdpruneError, match=said):
        checked.read(breakpoint_(path, **{column: value}), "breakpoints")


def test_a_share_is_held_where_it_tells_rows_apart(tmp_path):
    path = tmp_path / "layers.csv"
    row = {**WHO, "method": "weight", "level": 7, "layer": "a", "params": 1, "nonzero_params": 1}
    pd.DataFrame([row]).to_csv(path, index=False)
    with pytest.raises(KdpruneError, match="level is not within 0 to 1"):
        checked.read(path, "layers")


def test_losses_differences_and_ratios_of_networks_are_any_number(tmp_path):
    path = tmp_path / "table.csv"
    pd.DataFrame([{"epoch": 1, "step": 5, "lr": 0.1, "train_loss": -2, "val_accuracy": 5}]).to_csv(
        path, index=False
    )
    assert checked.read(path, "learning").train_loss[0] == -2
    row = {**WHO, "first": "channel", "second": "weight", "n": 2, "ratio": 3.5}
    row |= {name: -0.5 for name in checked.PAIRED.split() if name != "ratio"}
    pd.DataFrame([row]).to_csv(path, index=False)
    assert checked.read(path, "significance").ratio[0] == 3.5


@pytest.mark.parametrize("ratio", ["much", None])
def test_figures_of_a_comparison_are_numbers(ratio, tmp_path):
    path = tmp_path / "significance.csv"
    row = {**WHO, "first": "channel", "second": "weight", "n": 2}
    row |= dict.fromkeys(checked.PAIRED.split(), "0.5") | {"ratio": ratio}
    pd.DataFrame([row]).drop(columns=[] if ratio else ["ratio"]).to_csv(path, index=False)
    with pytest.raises(KdpruneError, match="column ratio"):
        checked.read(path, "significance")


def committed(kind: str) -> Path:
    if kind == "learning":
        return min((ROOT / "plots/learning").glob("*.csv"))
    if kind == "layers":
        return min((ROOT / "metrics/layers").glob("*.csv"))
    filled = [*ROOT.glob(f"metrics/{kind}.csv"), *ROOT.glob(f"studies/*/metrics/{kind}.csv")]
    return next(path for path in filled if len(path.read_bytes().splitlines()) > 2)


@pytest.mark.parametrize("kind", checked.KINDS)
def test_every_table_is_refused_in_a_line_when_a_column_is_gone_or_holds_a_word(kind, tmp_path):
    table, form = checked.read(committed(kind), kind), checked.KINDS[kind]
    path = tmp_path / f"{kind}.csv"
    columns = [*form.keys.split(), *form.numbers.split(), *form.figures.split()]
    for column in columns:
        table.drop(columns=column).to_csv(path, index=False)
        with pytest.raises(KdpruneError, match=column):
            checked.read(path, kind)
    for column in [*form.numbers.split(), *form.figures.split()]:
        table.astype({column: object}).assign(**{column: "many"}).to_csv(path, index=False)
        with pytest.raises(KdpruneError, match=column):
            checked.read(path, kind)


@pytest.mark.parametrize("kind", checked.KINDS)
def test_a_table_in_which_git_left_a_conflict_is_refused(kind, tmp_path):
    lines = committed(kind).read_text().splitlines(keepends=True)
    other = ["<<<<<<< HEAD\n", lines[1], "=======\n", lines[1], ">>>>>>> other\n"]
    path = tmp_path / f"{kind}.csv"
    path.write_text("".join([lines[0], *other, *lines[2:]]))
    with pytest.raises(KdpruneError, match=r"is no table|holds no number|is empty|holds a word"):
        checked.read(path, kind)
    with pytest.raises(KdpruneError, match="other columns than the head"):
        rows.read(path)


@pytest.mark.parametrize("kind", sorted(set(checked.KINDS) - checked.ROWLESS))
def test_a_table_without_rows_is_refused_where_there_is_always_something_to_tell(kind, tmp_path):
    path = tmp_path / f"{kind}.csv"
    path.write_text(committed(kind).read_text().splitlines()[0] + "\n")
    with pytest.raises(KdpruneError, match="has no rows"):
        checked.read(path, kind)


def study(folder: Path) -> params.Params:
    for name in ("metrics", "plots/learning"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    return params.load(folder / "params.yaml")


@pytest.mark.parametrize("name", ["breakpoints", "efficiency"])
def test_the_report_refuses_a_table_that_lacks_a_sweep(name, tmp_path, monkeypatch):
    given = study(tmp_path)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"metrics/{name}.csv"
    lines = path.read_text().splitlines(keepends=True)
    assert len(tables.results(given)[name]) == len(lines) - 1
    path.write_text("".join(line for line in lines if ",weight," not in line))
    with pytest.raises(KdpruneError, match=f"has no row of .*weight; run `dvc repro -f {name}"):
        tables.results(given)


@pytest.mark.parametrize(
    "changed",
    [
        *({"role": "student"}, {"dataset": 5}, {"teacher": []}, {"params": True}),
        *({"macs": "many"}, {"test_accuracy": 101}, {"paper_params": None}),
        {"val_accuracy": float("nan")},
    ],
)
def test_a_trainings_result_of_another_network_or_without_its_numbers_is_refused(
    changed, tmp_path, monkeypatch
):
    given = study(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert len(tables.checkpoints(given)) == 5
    path = tmp_path / "metrics/teach/cifar10-resnet10_24.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(KdpruneError, match=f"resnet10_24.json: .*{next(iter(changed))}"):
        tables.checkpoints(given)


def test_a_spreadsheets_mark_is_no_part_of_a_columns_name(tmp_path):
    path = tmp_path / "measure.csv"
    path.write_bytes(b"\xef\xbb\xbfdataset,level\r\ncifar10,0\r\n")
    assert rows.read(path) == [{"dataset": "cifar10", "level": "0"}]


STATES = ["", "null", "[]", "{}", '{"lines": 3, "running": {}}', '{"lines": [], "running": []}']


@pytest.mark.parametrize("text", [*STATES, "[" * 100_000])
def test_a_damaged_state_of_a_run_is_one_line(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".run").mkdir()
    (tmp_path / ".run/run.json").write_text(text)
    assert main(["run", "--status"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_state_of_a_run_moves_no_cursor(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".run").mkdir()
    told = {"lines": ["\x1b[2J"], "running": {"teach@\x1b[1m": "10:00"}, "left": []}
    (tmp_path / ".run/run.json").write_text(json.dumps(told))
    with driving.alone():
        assert main(["run", "--status"]) == 0
    shown = capsys.readouterr().out
    assert "teach@" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("given", [["--set=-o/tmp/x"], ["--set", "teach.epochs"], ["--set="]])
def test_what_composes_a_study_is_no_option(given, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").touch()
    assert main(["run", "--dry", *given]) == 2
    assert "is no KEY=VALUE" in capsys.readouterr().err
    overrides(["teach.epochs=3", "+folders.mine.path=a", "~prune.lamp="])


def test_a_pruning_is_not_compared_with_itself(capsys):
    assert main(["compare", ".", "--first", "weight"]) == 2
    assert "--second weight" in capsys.readouterr().err


def test_parameters_without_end_are_not_read(tmp_path, monkeypatch):
    with pytest.raises(KdpruneError, match=r"^/dev/zero: .*is no regular file"):
        params.load("/dev/zero")
    monkeypatch.setattr(params, "LARGEST", 1 << 20)
    path = tmp_path / "params.yaml"
    path.write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(KdpruneError, match=r"params\.yaml: has more than 1 MiB"):
        params.load(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("read", [params.load, checked.read, rows.read, canonical.seen, read_json])
def test_a_pipe_is_one_line_and_is_not_waited_for(read, tmp_path):
    path = tmp_path / "manifest.json"
    os.mkfifo(path)
    place = tmp_path if read is canonical.seen else path
    with pytest.raises((KdpruneError, OSError), match=r"is no regular file") as caught:
        read(place)
    assert str(path) in str(caught.value)


def test_a_folder_in_place_of_parameters_is_told_of_as_such(tmp_path):
    with pytest.raises(KdpruneError, match="Is a directory"):
        params.load(tmp_path)


HEADERS = ["{'shape': (", "-" * 5000 + "1", "(" * 3000, "  {'a':\n 1", "(-1, 3)", "(1 << 40,)"]


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("name", ["test_images.npy", "test_labels.npy"])
def test_arrays_that_say_nothing_of_themselves_are_one_line(header, name, tmp_path):
    for split in ("train", "test"):
        np.save(tmp_path / f"{split}_images.npy", np.zeros((2, 3, 8, 8), np.uint8))
        np.save(tmp_path / f"{split}_labels.npy", np.arange(2))
    manifest = {"images": {"train": 2, "test": 2}, "side": 8, "size": 8, "views": "auto"}
    manifest |= {"classes": ["a", "b"], "mean": [0.5] * 3, "std": [0.2] * 3}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    canonical.load(tmp_path)
    if header[1:2].isdecimal() or header.startswith("(-1"):
        shape = header.replace("1 << 40", str(1 << 40))
        header = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}}}"
    line = header.encode() + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line + bytes(64)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(KdpruneError, match="is no complete data set"):
        canonical.load(tmp_path)


CUT = "says that networks see "
TOLD = [{"size": 0}, {"size": -8}, {"size": 64}, {"size": 10**30}, {"side": "8"}]
TOLD += [{"size": 12_000, "side": 12_000}, {"side": 2**40}]
TOLD = [(changed, CUT) for changed in TOLD]
TOLD += [({"size": 64, "side": 64}, "of images of 64 pixels, and the network is for 8")]
TOLD += [({"classes": "ab"}, "has no list of classes"), ({"classes": ["a", "a"]}, "a class twice")]
TOLD += [
    ({"classes": ["a", name]}, "cannot be printed") for name in ("b\x1b[2J", "b\nc", "\u202eb")
]


@pytest.mark.parametrize(("changed", "said"), TOLD)
def test_a_manifest_by_which_images_cannot_be_cut_or_named_is_one_line(changed, said, tmp_path):
    manifest = {"size": 8, "side": 8, "crop": 1.0, "classes": ["a", "b"]}
    manifest |= {"mean": [0.5] * 3, "std": [0.2] * 3}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    network = {"network": {"classes": 2, "size": 8}}
    assert inputs.preprocessing(tmp_path, network)["shape"] == [3, 8, 8]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | changed))
    with pytest.raises(KdpruneError, match=said):
        inputs.preprocessing(tmp_path, network)


UNSEEN = [{"size": 64}, {"size": "8"}, {"size": -4}, {"size": 0}, {"size": 8.0}, {"views": 5}]
UNSEEN += [{"side": "8"}, {"views": "all"}]
UNNAMED = [{"mean": list("abc")}, {"mean": [float("nan")] * 3}, {"mean": [0.5]}, {"std": [0, 0, 0]}]
UNNAMED += [{"std": [float("inf")] * 3}, {"mean": 0.5}, {"mean": [True] * 3}, {"classes": "ab"}]
UNNAMED += [{"classes": ["a", "a"]}, {"classes": ["a", "b\x1b[2J"]}, {"classes": ["a", 5]}]
UNNAMED += [{"classes": ["a", ""]}, {"classes": [[], []]}]


@pytest.mark.parametrize("changed", UNSEEN + UNNAMED, ids=str)
def test_a_data_set_is_not_loaded_by_what_its_manifest_cannot_mean(changed, tmp_path):
    for split in ("train", "test"):
        np.save(tmp_path / f"{split}_images.npy", np.zeros((2, 3, 8, 8), np.uint8))
        np.save(tmp_path / f"{split}_labels.npy", np.arange(2))
    manifest = {"images": {"train": 2, "test": 2}, "side": 8, "size": 8, "views": "auto"}
    manifest |= {"classes": ["a", "b"], "mean": [0, 0.5, 1], "std": [0.2, 1, 1e-6]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert canonical.load(tmp_path).mean == (0, 0.5, 1)
    assert canonical.seen(tmp_path) == (8, "auto")
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | changed))
    with pytest.raises(KdpruneError, match=r"no complete data set .*run `dvc repro -f download`$"):
        canonical.load(tmp_path)
    if changed in UNSEEN:
        with pytest.raises(KdpruneError, match=r"how images are seen .*run `dvc repro -f downl"):
            canonical.seen(tmp_path)


def test_json_that_nests_without_end_is_no_json(tmp_path, values):
    path = tmp_path / "data/mine/manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nests too deep"):
        read_json(path)
    with pytest.raises(KdpruneError, match=r"manifest\.json"):
        canonical.seen(path.parent)
    path.write_text('{"size": 1e999, "views": "auto", "images": {"test": 1e999}}')
    with pytest.raises(KdpruneError, match=r"manifest\.json"):
        canonical.seen(path.parent)
    (tmp_path / "params.yaml").write_text(json.dumps(values))
    assert sampled.test_images(tmp_path, "mine") == 1000  # of what is embedded


@pytest.mark.parametrize("mean", [[10**400, 0, 0], [0, 0], "abc", [[1], 0, 0]])
def test_a_config_beside_weights_says_numbers(mean, tmp_path):
    given = {"architecture": "resnet18", "pretrained_cfg": {"mean": mean, "std": [0.2] * 3}}
    (tmp_path / "config.json").write_text(json.dumps(given))
    with pytest.raises(KdpruneError, match="mend it, or move it away"):
        beside.told(tmp_path / "model.safetensors")


@pytest.mark.parametrize("held", [[1], {"task": 5}, {}, torch.zeros(2), "task", {"task": {}}])
def test_unfinished_work_of_another_kind_is_one_line(held, tmp_path):
    content = io.BytesIO()
    torch.save(held, content)
    keep(tmp_path / "a.ckpt", content.getvalue())
    task = tiny("basic")
    optimiser = torch.optim.SGD(task.parameters(), lr=0.1)
    with pytest.raises(KdpruneError, match=r"does not fit .*delete it to begin anew"):
        restore(tmp_path / "a.ckpt", task=task, optimiser=optimiser, generators={})


@pytest.mark.parametrize("note", [b"", b"machine", b"\xff\xfe", b"machine\n"])
def test_a_note_of_unfinished_work_may_be_cut_short(note, tmp_path):
    (tmp_path / "teach-a.workspace").write_bytes(note)
    keep(tmp_path / "teach-a.ckpt", b"1")
    keep(tmp_path / "teach-a.ckpt", b"2")
    (tmp_path / "teach-a.ckpt").unlink()
    unfinished._forget_recorded(tmp_path)
    assert (tmp_path / "teach-a.ckpt.previous").exists()  # whose it is, nobody knows: for a day


@pytest.mark.parametrize("text", ["", "{", "3", "[1]", '[{"of": 1}]', "[" * 100_000])
def test_a_damaged_table_of_counts_is_counted_anew(text, tmp_path, monkeypatch):
    monkeypatch.setattr(counted, "TABLE", tmp_path / "counted.json")
    counted.TABLE.write_text(text)
    assert counted.remembered({"a": 1}) is None


def test_a_home_of_nobody_is_one_line():
    with pytest.raises(KdpruneError, match=r"~nobody\.here is no user's home"):
        expanded("~nobody.here/x")
    assert expanded("~/x") == Path.home() / "x"
