"""Exports say what they need, name no folder of the machine, and the command line bears streams."""

import json
import os
import shlex
import subprocess
import sys

import attacks
import numpy as np
import onnx
import pytest
import torch
from conftest import ROOT
from networks import tiny
from PIL import Image

from kdprune.__main__ import main
from kdprune.deployment import forms


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A network as ONNX and as a torch program, in a folder of a name to look for."""
    folder, model = tmp_path_factory.mktemp("telltale"), tiny("basic").requires_grad_(False)
    for form in ("torch", "onnx"):
        forms.WRITERS[form](folder / forms.FILES[form], model, attacks.GOOD)
    return folder


@pytest.mark.parametrize("form", ["torch", "onnx"])
def test_no_folder_of_this_machine_is_told(form, exported):
    content = (exported / forms.FILES[form]).read_bytes()
    for place in (ROOT, exported, os.path.dirname(torch.__file__), sys.prefix, "site-packages"):
        assert str(place).encode() not in content, place
    assert b".py" not in content


def test_programs_say_how_images_are_prepared(exported):
    told = onnx.load(exported / "network.onnx").metadata_props
    entries = {entry.key: json.loads(entry.value) for entry in told}
    assert entries == {"format": "kdprune", **attacks.INPUT}
    onnx.checker.check_model(onnx.load(exported / "network.onnx"))
    held = {forms.DESCRIBED: ""}
    torch.export.load(exported / "network.pt2", extra_files=held)
    assert json.loads(held[forms.DESCRIBED]) == entries


@pytest.fixture
def files(tmp_path):
    network = attacks.write(tmp_path / "network.safetensors", attacks.GOOD)
    pictures = [tmp_path / f"{name}.png" for name in ("one", "two", "drei ä")]
    for path in pictures:
        Image.fromarray(np.full((32, 32, 3), 99, np.uint8)).save(path)
    pictures[1].write_text("no picture")
    return network, pictures


def test_good_files_are_answered_when_one_is_bad(files, capsys):
    network, pictures = files
    gone = pictures[0].with_name("gone.png")
    assert main(["predict", str(network), *map(str, [*pictures, gone])]) == 2
    told = capsys.readouterr()
    assert [line.split(": ")[0] for line in told.out.splitlines()] == [
        str(path) for path in (pictures[0], pictures[2])
    ]
    assert ["two.png" in told.err, "gone.png" in told.err, told.err.count("\n")] == [True, True, 2]
    assert main(["predict", str(network), "--json", *map(str, pictures)]) == 2
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert main(["predict", str(network), str(pictures[1])]) == 2
    assert main(["predict", str(network), str(pictures[0])]) == 0


def run(command):
    return subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


STREAMS = [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", "| true"]
# Those that load torch take seconds each: what only they can meet is a stream of each kind
TORCH = [("inspect", "<&- >&- 2>&-"), ("inspect", ">/dev/full")]
TORCH += [("predict", ">&- 2>&-"), ("predict", "2>/dev/full"), ("predict", "| true")]
CASES = [(command, streams) for command in ("--help", "gone") for streams in STREAMS]
CASES += [pytest.param(*case, marks=pytest.mark.slow) for case in TORCH[::2]]
CASES += [pytest.param(*case, marks=[pytest.mark.slow, pytest.mark.long]) for case in TORCH[1::2]]


@pytest.mark.parametrize(("command", "streams"), CASES)
def test_streams_that_are_closed_or_full_make_no_traceback(command, streams, files):
    network, pictures = files
    given = {
        "inspect": ["inspect", network],
        "predict": ["predict", network, *pictures],
        "--help": ["--help"],
        "gone": ["inspect", "gone.safetensors"],
    }[command]
    words = " ".join(f"'{word}'" for word in given)
    kdprune = f"{shlex.quote(sys.executable)} -m kdprune {words} {streams}"
    ended = run(f"exec 3>&1; {kdprune}; echo status ${{PIPESTATUS[0]}} >&3")
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    status = int(ended.stdout.rsplit("status ", 1)[1])
    assert status in (0, 2)
    if command == "gone":
        assert status == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "encoding",
    ["ascii", *(pytest.param(name, marks=pytest.mark.long) for name in ("latin-1", "utf-8"))],
)
def test_a_terminal_of_few_characters_gets_escapes(encoding, files):
    network, pictures = files
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    asked = [["recommend", "--help"], ["predict", network, *pictures], ["inspect", pictures[2]]]
    for given in asked if encoding == "ascii" else [asked[0], asked[2]]:
        ended = subprocess.run(
            [sys.executable, "-m", "kdprune", *map(str, given)],
            cwd=ROOT, env=environment, capture_output=True, timeout=120,
        )  # fmt: skip
        assert b"Traceback" not in ended.stderr
        if given[0] == "predict":
            assert ended.stdout.decode(encoding).count("\n") == 2
    answered = ended.stderr.decode(encoding)
    assert ("\\xe4" in answered) == (encoding == "ascii")
