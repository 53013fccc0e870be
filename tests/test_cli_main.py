"""The command line: quick to answer, and what `inspect` and `predict` say."""

import json
import shlex
import subprocess
import sys

import numpy as np
import pytest
import torch
from cli_project import KEY, run_sweep, save, study
from PIL import Image
from safetensors.torch import save_file

from kdprune import __version__, models
from kdprune.__main__ import main
from kdprune.models import checkpoints, counts
from kdprune.training.loop import predict


def python(root, *arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=root, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["export", "--help"], ["recommend", "--max-params", "2M"]],
)
def test_no_torch_where_none_is_needed(arguments, root):
    code = (
        "import sys\nfrom kdprune.__main__ import main\n"
        f"try: main({arguments!r})\nexcept SystemExit as end: assert not end.code\n"
        "assert not {'torch', 'timm', 'pandas'} & set(sys.modules)"
    )
    ended = python(root, "-c", code)
    assert ended.returncode == 0, ended.stderr


def test_module_version_and_usage_errors(root):
    assert python(root, "-m", "kdprune", "--version").stdout == f"kdprune {__version__}\n"
    for wrong in ([], ["prune"], ["export"], ["export", "x", "--level", "1"]):
        ended = python(root, "-m", "kdprune", *wrong)
        assert ended.returncode == 2, wrong
        assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["report", "recommend", "export", "inspect", "predict"])
def test_every_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert f"  kdprune {command} " in told.split("example", 1)[1]


def test_faults_of_the_system_are_one_line(tmp_path, values, capsys):
    folder = study(tmp_path, values)
    (folder / "metrics").write_text("a file where a folder should be")
    place = str(folder / "metrics" / "out")
    for command in (["recommend"], ["export", KEY, "--level", "0", "--out", place]):
        assert main([*command, "--project", str(folder)]) == 2
        error = capsys.readouterr().err
        assert error.startswith("kdprune: ")
        assert str(folder / "metrics") in error
        assert error.count("\n") == 1


def test_a_reader_may_leave_early(root):
    code = (
        f"{shlex.quote(sys.executable)} -m kdprune recommend --json | true; echo ${{PIPESTATUS[0]}}"
    )
    ended = subprocess.run(["bash", "-c", code], cwd=root, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("0\n", "")


@pytest.fixture
def cut(tmp_path, values):
    """A study, and an export of its network with half of the weights cut out."""
    folder = study(tmp_path, values)
    run_sweep(folder, values, "channel")
    assert main(["export", f"{KEY}-channel", "--project", str(folder)]) == 0
    return folder, folder / "exports" / f"{KEY}-channel-0.5" / "network.safetensors"


def inspected(capsys, *arguments):
    capsys.readouterr()
    assert main(["inspect", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_inspect_counts_what_loading_finds(cut, capsys):
    folder, pruned_file = cut
    dense_file = folder / "models" / "teachers" / f"{KEY}.safetensors"
    for path in (dense_file, pruned_file):
        facts = inspected(capsys, path)
        model, metadata = checkpoints.load(path)
        params = facts["params"]
        assert params["total"] == counts.parameters(model)
        assert params["encoder"] + params["projector"] + params["classifier"] == params["total"]
        weights = sum(layer.weight.numel() for layer in counts.prunable(model).values())
        assert params["prunable"] == weights
        assert facts["macs"] == counts.macs(model)
        assert facts["dead_share"] == pytest.approx(counts.dead_share(model))
        assert facts["tensors"] == len(model.state_dict())
        assert facts["bytes"] == path.stat().st_size
        assert (facts["teacher"], facts["classes"]) == ("resnet10_24", 10)
        assert facts["pruned"] == metadata.get("pruned")
    assert facts["pruned"]["level"] == 0.5
    assert main(["inspect", KEY, "--project", str(folder)]) == 0
    assert f"{KEY}.safetensors" in capsys.readouterr().out
    assert main(["inspect", str(pruned_file)]) == 0
    assert "channel at level 0.5 (channels removed)" in capsys.readouterr().out


def test_inspect_tells_a_composite(tmp_path, capsys):
    from networks import TINY
    from test_cli_export import described, network

    model = network("basic+projector")
    name, kwargs = TINY["basic"]
    built = {"timm_name": name, "classes": 10, "stem": "imagenet", "kwargs": kwargs}
    projector = described("basic+projector")["projector"]
    path = tmp_path / "student.safetensors"
    who = {"role": "student", "student": "resnet10_16", "distill": "simkd"}
    save(path, model, built, projector=projector, **who)
    facts = inspected(capsys, path)
    assert facts["params"]["projector"] == counts.parameters(model.projector)
    assert facts["params"]["encoder"] == counts.parameters(model.encoder)
    assert facts["projector"] == projector
    assert main(["inspect", str(path)]) == 0
    assert "student resnet10_16, distilled from resnet10_24 by simkd" in capsys.readouterr().out


def test_inspect_reads_no_weights(tmp_path, values, monkeypatch, capsys):
    folder = study(tmp_path, values)

    class Headers:
        def __init__(self, path, framework):
            self.file = safe_open(path, framework=framework)

        def __enter__(self):
            self.inner = self.file.__enter__()
            return self

        def __exit__(self, *error):
            return self.file.__exit__(*error)

        def __getattr__(self, name):
            assert name in ("metadata", "keys", "get_slice"), name
            return getattr(self.inner, name)

    safe_open = checkpoints.safe_open
    monkeypatch.setattr(checkpoints, "safe_open", Headers)
    assert inspected(capsys, KEY, "--project", folder)["params"]["total"] > 0


def test_inspect_refuses_foreign_files(tmp_path, capsys):
    path = tmp_path / "x.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    for content, told in ((None, "no checkpoint of kdprune"), (b"\0" * 100, "no readable")):
        if content:
            path.write_bytes(content)
        assert main(["inspect", str(path)]) == 2
        error = capsys.readouterr().err
        assert told in error
        assert error.count("\n") == 1


def predicted(capsys, *arguments):
    capsys.readouterr()
    assert main(["predict", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_predictions_are_those_of_the_library(cut, capsys):
    """Of a data set's own image, saved losslessly: with the folder's statistics, and the file's."""
    folder, pruned_file = cut
    pixels = torch.from_numpy(np.load(folder / "data" / "cifar10" / "test_images.npy")[:3])
    files = []
    for index, image in enumerate(pixels):
        files.append(folder / f"{index}.png")
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(files[-1])
    stats = torch.tensor([0.45, 0.46, 0.47]), torch.tensor([0.25, 0.26, 0.27])
    dense, _ = models.load(folder / "models" / "teachers" / f"{KEY}.safetensors")
    for name, model in ((KEY, dense), (pruned_file, checkpoints.load(pruned_file)[0])):
        expected = predict(model, pixels, *stats).softmax(1)
        answers = predicted(capsys, name, *files, "--project", folder, "--top", 10)
        for path, row, answer in zip(files, expected, answers, strict=True):
            assert answer["image"] == str(path)
            top = answer["top"]
            assert [one["index"] for one in top] == row.argsort(descending=True).tolist()
            assert top[0]["class"] == f"class{top[0]['index']}"
            found = [one["probability"] for one in top]
            assert found == pytest.approx(row.sort(descending=True).values.tolist(), abs=1e-5)
            assert sum(found) == pytest.approx(1)
    (folder / "data" / "cifar10" / "manifest.json").unlink()
    assert predicted(capsys, pruned_file, *files) == answers_of(answers, 3)
    assert main(["predict", KEY, str(files[0]), "--project", str(folder)]) == 2
    assert "dvc repro download" in capsys.readouterr().err


def answers_of(answers, top):
    return [{**answer, "top": answer["top"][:top]} for answer in answers]


def test_any_picture_is_prepared(tmp_path):
    from kdprune.cli.predict import read

    grey = Image.new("L", (300, 200), 77)
    clear = Image.new("RGBA", (32, 32), (10, 20, 30, 0))  # lies on white
    for name, image, colour in (("a.jpg", grey, (77,) * 3), ("b.png", clear, (255,) * 3)):
        image.save(tmp_path / name)
        prepared = read(tmp_path / name, 32, 1.0)
        assert (prepared.shape, prepared.dtype) == ((3, 32, 32), torch.uint8)
        assert prepared.amin((1, 2)).tolist() == prepared.amax((1, 2)).tolist() == list(colour)
    # a fine checkerboard is grey after antialiasing, and black or white without
    board = np.indices((320, 320)).sum(0) % 2 * 255
    Image.fromarray(board.astype(np.uint8)).save(tmp_path / "board.png")
    inner = read(tmp_path / "board.png", 32, 1.0)[:, 2:-2, 2:-2]
    assert 100 < inner.min() <= inner.max() < 155
    # a camera held upright: stored on its side, with a note to turn it
    turned = np.zeros((32, 32, 3), np.uint8)
    turned[:, 16:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(turned).save(tmp_path / "c.png", exif=exif)
    assert read(tmp_path / "c.png", 32, 1.0)[0, :, 0].tolist() == [0] * 16 + [255] * 16


def test_predict_names_the_file_it_cannot_read(tmp_path, values, capsys):
    folder = study(tmp_path, values)
    note = tmp_path / "note.txt"
    note.write_text("no picture")
    for path in (note, tmp_path / "gone.png"):
        assert main(["predict", KEY, str(path), "--project", str(folder)]) == 2
        error = capsys.readouterr().err
        assert path.name in error
        assert error.count("\n") == 1
