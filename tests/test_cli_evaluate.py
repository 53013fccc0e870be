"""An exported network beside its original: what is told and drawn is what both answer."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_project import KEY, study
from PIL import Image

from kdprune.__main__ import main
from kdprune.data.augment import normalise
from kdprune.deployment import converting, forms, sheet
from kdprune.errors import KdpruneError
from kdprune.models import checkpoints, counts
from kdprune.reporting.sections.evaluation import said, sections

CHECKPOINT = f"models/teachers/{KEY}.safetensors"


@pytest.fixture(scope="module")
def exported(tmp_path_factory, request):
    """A tiny study, and its network at half its weights as two files."""
    import yaml
    from conftest import ROOT

    folder = tmp_path_factory.mktemp("evaluate")
    study(folder, yaml.safe_load((ROOT / "params.yaml").read_text()))
    out = folder / "small"
    command = ["export", KEY, "--method", "channel", "--level", "0.5", "--project", str(folder)]
    assert main([*command, "--format", "torch,safetensors", "--out", str(out)]) == 0
    return folder, out, command


def answers(folder, file):
    model, about = checkpoints.load(file)
    told = about.get("input") or json.loads((folder / "data/cifar10/manifest.json").read_text())
    images = torch.from_numpy(np.load(folder / "data/cifar10/test_images.npy"))
    with torch.no_grad():
        return model(normalise(images, *(torch.tensor(told[name]) for name in ("mean", "std"))))


def test_the_numbers_are_those_of_both_networks(exported, capsys):
    folder, out, _ = exported
    capsys.readouterr()
    assert main(["evaluate", str(out), "--project", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((out / "evaluation.json").read_text())
    assert (told["form"], told["original"]) == ("torch", f"{KEY}.safetensors")
    labels = np.load(folder / "data/cifar10/test_labels.npy")
    was, now = (
        answers(folder, file) for file in (folder / CHECKPOINT, out / "network.safetensors")
    )
    right = [(one.argmax(1).numpy() == labels) for one in (was, now)]
    assert told["accuracy"]["before"] == pytest.approx(100 * right[0].mean())
    assert told["accuracy"]["after"] == pytest.approx(100 * right[1].mean())
    assert told["differ"] == int((was.argmax(1) != now.argmax(1)).sum()) > 0
    for label, row in enumerate(told["classes"]):
        assert row["after"] == pytest.approx(100 * right[1][labels == label].mean())
    certificate = json.loads((out / "certificate.json").read_text())
    accuracy = certificate["forms"]["torch"]["test_accuracy"]
    assert told["accuracy"]["after"] == pytest.approx(accuracy)


def test_what_is_written_and_said(exported, capsys):
    folder, out, command = exported
    capsys.readouterr()
    assert main(["evaluate", str(out), "--project", str(folder), "--format", "safetensors"]) == 0
    shown = capsys.readouterr()
    assert (shown.err, len(shown.out.splitlines())) == ("", 6)
    told = json.loads((out / "evaluation.json").read_text())
    assert f"{told['accuracy']['after']:.2f} %" in shown.out
    text = (out / "evaluation.md").read_text()
    assert "![Answered otherwise](disagreements.png)" in text
    assert all(row["class"] in text for row in told["classes"])
    with Image.open(out / "disagreements.png") as picture:
        rows = -(-min(told["differ"], sheet.MOST) // sheet.COLUMNS)
        cell = sheet.SIDE + 3 * sheet.LINE + sheet.GAP
        assert picture.height == sheet.GAP + rows * cell
    # an export that is written anew takes the place of the old one and of what was told of it
    assert main([*command, "--out", str(out), "--format", "torch,safetensors"]) == 0
    assert not (out / "evaluation.md").exists()


def test_the_same_network_differs_nowhere(exported, tmp_path, capsys):
    folder, _, command = exported
    out = tmp_path / "same"
    whole = [*command[:2], "--as-trained", "--project", str(folder), "--out", str(out)]
    assert main(whole) == 0
    (out / "disagreements.png").write_bytes(b"old")
    assert main(["evaluate", str(out), "--project", str(folder)]) == 0
    told = json.loads((out / "evaluation.json").read_text())
    assert (told["differ"], told["accuracy"]["difference"]) == (0, 0)
    assert not (out / "disagreements.png").exists()
    assert "0 images differently" in capsys.readouterr().out


def test_faults_are_one_line(exported, tmp_path, capsys, monkeypatch):
    folder, out, _ = exported
    monkeypatch.setitem(converting.NEEDS, "openvino", ("nobody_has_it",))
    here = ["--project", str(folder)]
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "certificate.json").write_text('{"forms": {}, "source": {"file": "x"}}')
    cases = [
        ([str(tmp_path)], "is no certificate of an export"),
        ([str(damaged)], "is no certificate of an export"),
        ([str(out), "--format", "onnx"], "is not in"),
        ([str(out), "--runtime", "onnx"], "--format onnx: is not in"),
        ([str(out), "--runtime", "torch", "--format", "safetensors"], "of --format torch, no saf"),
        ([str(out), "--runtime", "openvino"], "needs nobody_has_it; pip install nobody_has_it"),
        ([str(out), "--against", str(tmp_path / "gone.safetensors")], "--against"),
        ([str(out), "--data", str(tmp_path)], "manifest.json"),
    ]
    for given, said_of in cases:
        capsys.readouterr()
        assert main(["evaluate", *given, *here]) == 2, given
        error = capsys.readouterr().err
        assert said_of in error
        assert error.count("\n") == 1


def test_an_original_that_was_trained_anew_is_told_of(exported, tmp_path, capsys):
    folder, out, _ = exported
    copied = tmp_path / "copy"
    copied.mkdir()
    for file in (*out.glob("network.*"), out / "certificate.json"):
        (copied / file.name).write_bytes(file.read_bytes())
    told = json.loads((copied / "certificate.json").read_text())
    told["source"]["sha256"] = "0" * 64
    (copied / "certificate.json").write_text(json.dumps(told))
    assert main(["evaluate", str(copied), "--project", str(folder)]) == 0
    assert "it was trained anew" in capsys.readouterr().err


def test_a_sheet_shows_each_image_and_takes_any_name(tmp_path):
    images = np.zeros((3, 3, 8, 8), np.uint8)
    images[1, 0], images[2, 1] = 255, 255  # red, green
    captions = [(0, 0, 1), (1, 0, 1), (1, 1, 0)]
    path = tmp_path / "sheet.png"
    sheet.write(path, images, captions, ["猫\x1b[2J", "a name that is much too long for a caption"])
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    middle = sheet.GAP + sheet.SIDE // 2
    across = [middle + at * (sheet.SIDE + sheet.GAP) for at in range(3)]
    assert [pixels[middle, at].tolist() for at in across] == [[0, 0, 0], [255, 0, 0], [0, 255, 0]]
    inks = pixels[sheet.GAP + sheet.SIDE :].reshape(-1, 3).astype(int)
    assert (inks[:, 1] > inks[:, 0] + 50).any()  # an answer that is right
    assert (inks[:, 0] > inks[:, 1] + 50).any()  # and one that is wrong


def test_a_class_that_fell_is_named_and_chance_is_not():
    row = {"images": 50, "before": 80.0, "after": 80.0, "difference": 0.0, "low": -5.0, "high": 5.0}
    row |= {"lost": 1, "gained": 1, "p": 1.0, "p_holm": 1.0}
    ruined = {**row, "class": "cat", "after": 20.0, "difference": -60.0, "p_holm": 0.001}
    told = {"export": "x", "form": "onnx", "original": "y", "accuracy": row, "differ": 2}
    told |= {"ece": {"before": 1.0, "after": 4.0}, "classes": [{**row, "class": "dog"}, ruined]}
    told["confusion"] = {"before": [[40, 10], [10, 40]], "after": [[10, 40], [10, 40]]}
    assert said(told)[-1].endswith("fell: cat.")
    assert "cat: 80.0 to 20.0 % of 50 images" in said(told)[-2]
    assert "x (onnx) on 80.00 %" in said(told)[0]
    assert "x (onnx, in OpenVINO) on 80.00 %" in said({**told, "runtime": "openvino"})[0]
    rows = sections(told, None)[2].blocks[0].rows
    assert [[cell.text for cell in one] for one in rows] == [["dog", "cat", "10", "40"]]
    told["classes"][1] = {**ruined, "p_holm": 0.2}
    assert said(told)[-1].endswith("no class fell by more than chance explains.")


@pytest.mark.parametrize("spared", [False, True])
def test_maps_beyond_proportion_are_refused_of_both_files(exported, spared, capsys, monkeypatch):
    folder, out, _ = exported
    check = counts.require_modest

    def strict(model, where):
        room = counts.ROOM if spared and str(where).endswith(CHECKPOINT) else 1
        monkeypatch.setattr(counts, "SLACK", 0)
        monkeypatch.setattr(counts, "ROOM", room)
        check(model, where)

    monkeypatch.setattr(counts, "require_modest", strict)
    capsys.readouterr()
    command = ["evaluate", str(out), "--project", str(folder), "--format", "safetensors"]
    assert main(command) == 2
    told = capsys.readouterr().err
    named = out / "network.safetensors" if spared else CHECKPOINT
    assert f"{named}: makes maps of" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("told", [None, [1], "abc", {"classes": ["a"]}])
def test_a_certificate_that_says_nothing_of_the_input_is_one_line(exported, told, tmp_path, capsys):
    folder, out, _ = exported
    text = json.loads((out / "certificate.json").read_text())
    (tmp_path / "certificate.json").write_text(json.dumps({**text, "input": told}))
    assert main(["evaluate", str(tmp_path), "--project", str(folder)]) == 2
    said = capsys.readouterr().err
    assert "is no certificate of an export" in said
    assert said.count("\n") == 1


def test_a_file_that_the_certificate_names_and_is_gone_is_one_line(exported, tmp_path, capfd):
    """Torch's own reader would log a traceback before its error is told."""
    folder, out, _ = exported
    (tmp_path / "certificate.json").write_bytes((out / "certificate.json").read_bytes())
    assert main(["evaluate", str(tmp_path), "--project", str(folder)]) == 2
    said = capfd.readouterr().err
    assert "network.pt2: is not there; export again" in said
    assert said.count("\n") == 1


class Called:
    def __reduce__(self):
        return Path.touch, (Path("ran"),)


def altered(source, path, change):
    """Copy a program; `change` takes a part's name within and its bytes, and returns others."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for one in old.infolist():
            new.writestr(one.filename, change(one.filename.partition("/")[2], old.read(one)))
    return path


def unpickles(name, held):
    if name != "data/sample_inputs/model.pt":
        return held
    buffer = io.BytesIO()
    torch.save(Called(), buffer)
    return buffer.getvalue()


def calls(name, held):
    return held.replace(b"torch.ops.aten.linear.default", b"torch.os.system")


def calculates(name, held):
    return held.replace(b"positive=True", b"positive=eval(chr(49))")


@pytest.mark.parametrize("change", [unpickles, calls, calculates])
def test_a_program_that_is_more_than_data_is_not_opened(exported, tmp_path, monkeypatch, change):
    monkeypatch.chdir(tmp_path)
    path = altered(exported[1] / "network.pt2", tmp_path / "a.pt2", change)
    with pytest.raises(KdpruneError, match="holds more than data"):
        forms.read_foreign(path)
    assert not Path("ran").exists()


@pytest.mark.parametrize("sums", [True, False])
def test_a_damaged_program_is_one_line(exported, tmp_path, capsys, sums):
    folder, out, _ = exported
    told = json.loads((out / "certificate.json").read_text())
    if not sums:
        del told["forms"]["torch"]["sha256"]
    (tmp_path / "certificate.json").write_text(json.dumps(told))
    (tmp_path / "network.pt2").write_bytes((out / "network.pt2").read_bytes()[:700])
    assert main(["evaluate", str(tmp_path), "--project", str(folder)]) == 2
    said = capsys.readouterr().err
    assert ("SHA-256 differs" if sums else "cut short") in said
    assert said.count("\n") == 1


def test_an_export_that_is_compressed_alone_is_evaluated(exported, tmp_path, capsys):
    folder, _, command = exported
    out = tmp_path / "coded"
    assert main([*command, "--out", str(out), "--format", "compressed"]) == 0
    assert main(["evaluate", str(out), "--project", str(folder)]) == 0
