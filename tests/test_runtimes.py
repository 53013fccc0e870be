"""Runtimes: those that are asked for are timed, and no other; what they run answers alike."""

import argparse
import json
import re
import tomllib
from pathlib import Path

import networks
import numpy as np
import pandas as pd
import pytest
import torch
from cli_project import KEY, study
from conftest import ROOT
from test_deployment import FAST, variants

from kdprune.__main__ import main
from kdprune.cli import compress
from kdprune.deployment import converting, forms, measure, runtimes
from kdprune.errors import KdpruneError
from kdprune.records import write_csv
from kdprune.reporting.document.markdown import render
from kdprune.reporting.sections.deployment import sections
from kdprune.reporting.sections.tradeoff import RUNTIMES
from kdprune.study import latencies

ABSENT = ("a_package_that_nobody_has",)


@pytest.fixture
def openvino():
    pytest.importorskip("openvino", reason="OpenVINO is an extra: pip install 'kdprune[openvino]'")


@pytest.fixture
def absent(monkeypatch):
    monkeypatch.setitem(converting.NEEDS, "openvino", ABSENT)


@pytest.fixture
def asked(monkeypatch):
    monkeypatch.setenv(runtimes.VARIABLE, "openvino")


@pytest.mark.parametrize("family", networks.TINY)
def test_openvino_answers_as_onnx_runtime_does(family, openvino):
    model = networks.tiny(family)
    for batch in (1, 5):
        answers = {}
        for name in ("onnx", "openvino"):
            opened = runtimes.RUNTIMES[name]([model])
            answers[name] = opened.calls[0](opened.images(batch))
        assert answers["openvino"].shape == (batch, 10)
        gap = np.abs(answers["onnx"] - answers["openvino"]).max()
        assert gap < 1e-5 * np.abs(answers["onnx"]).max()  # bfloat16 keeps two digits


def test_openvino_runs_the_file_that_is_exported(openvino, tmp_path):
    model = networks.tiny().requires_grad_(False)
    path = tmp_path / forms.FILES["onnx"]
    forms.write_onnx(path, model, {"input": {"shape": [3, 32, 32]}})
    images = torch.randn(3, 3, 32, 32)
    torch.testing.assert_close(forms.read_openvino(path)(images), model(images))


def test_the_four_lines_of_the_page_run_the_file(openvino, tmp_path, monkeypatch):
    page = (ROOT / "docs/how-to/ship.md").read_text()
    lines = re.search(r"```python\n(import openvino\n.*?)```", page, re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    model = networks.tiny().requires_grad_(False)
    forms.write_onnx(Path(forms.FILES["onnx"]), model, {"input": {"shape": [3, 32, 32]}})
    held = {"images": torch.randn(3, 3, 32, 32).numpy()}
    exec(lines, held)
    expected = model(torch.from_numpy(held["images"]))
    torch.testing.assert_close(torch.from_numpy(held["logits"]), expected)


def test_a_table_has_rows_of_openvino_where_they_are_asked_for(openvino, asked):
    rows = measure.compare({"none": variants()["none"]}, (1, 2), **FAST)
    assert [(row["runtime"], row["batch"]) for row in rows] == [
        (name, batch) for name in ("onnx", "torch", "openvino") for batch in (1, 2)
    ]


def test_a_package_that_is_installed_changes_no_table_until_it_is_asked_for(monkeypatch):
    monkeypatch.setitem(converting.NEEDS, "openvino", ("json",))  # which is there
    usual = ["onnx", "torch"]
    assert runtimes.at_hand() == usual
    monkeypatch.setenv(runtimes.VARIABLE, "")
    assert runtimes.at_hand() == usual
    monkeypatch.setenv(runtimes.VARIABLE, "torch, openvino")
    assert runtimes.at_hand() == [*usual, "openvino"]


def test_what_is_asked_for_and_cannot_be_is_told_of_in_one_line(absent, asked, monkeypatch):
    with pytest.raises(KdpruneError, match=r"^KDPRUNE_RUNTIMES=openvino: needs a_pack.*; pip inst"):
        measure.compare(variants(), (1,), **FAST)
    monkeypatch.setenv(runtimes.VARIABLE, "openvin")
    with pytest.raises(KdpruneError, match="openvin: is no runtime; did you mean openvino"):
        runtimes.at_hand()


def table(folder, *ran):
    """Times of one network: OpenVINO's are the shortest."""
    row = {"dataset": "cifar10", "teacher": "t", "method": "none", "level": 0, "batch": 1}
    times = {"torch": 9.0, "onnx": 3.0, "openvino": 1.0}
    rows = [{**row, "runtime": name, "latency_ms_p25": times[name]} for name in ran]
    write_csv(folder / "metrics" / "measure.csv", pd.DataFrame(rows))


def timed(folder, runtime=None):
    return latencies.latencies(folder, "cifar10", batch=1, runtime=runtime, needed=True)


def test_openvino_judges_on_request_alone(tmp_path):
    table(tmp_path, "openvino", "torch", "onnx")
    assert timed(tmp_path).runtime == "onnx"
    judged = timed(tmp_path, "openvino")
    assert [one.milliseconds for one in judged.times.values()] == [1.0]
    table(tmp_path, "onnx", "torch")
    with pytest.raises(KdpruneError) as caught:
        timed(tmp_path, "openvino")
    assert str(caught.value).endswith(
        "it has onnx, torch; `pip install 'kdprune[openvino]'` and run "
        "`KDPRUNE_RUNTIMES=openvino dvc repro --force --single-item measure`"
    )
    table(tmp_path, "onnx")
    with pytest.raises(KdpruneError, match=r"it has onnx; run `dvc repro --force --single"):
        timed(tmp_path, "torch")


def test_what_is_named_in_one_place_is_named_in_all():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    packages = {name: {one.split(">")[0] for one in held} for name, held in extras.items()}
    assert packages["export"] == {*converting.NEEDS["onnx"]}
    assert packages["openvino"] == {"kdprune[export]", "openvino"}
    assert {*latencies.EXTRAS.values()} <= {*extras}
    for name, needed in converting.NEEDS.items():
        extra = packages[latencies.EXTRAS[name]]
        assert {*needed} <= extra | packages["export"]
    assert latencies.NAMES == RUNTIMES
    assert [*latencies.NAMES] == [*runtimes.RUNTIMES] == [*latencies.FORMS]
    assert {*latencies.FORMS.values()} <= {*forms.FILES}
    assert [*latencies.ASKING] == [*runtimes.ON_REQUEST]
    assert not {*runtimes.ON_REQUEST} & {*latencies.PREFERRED}
    assert f"{runtimes.VARIABLE}=openvino " == latencies.ASKING["openvino"]
    lock = (ROOT / "requirements.lock").read_text()
    for heavy in ("openvino", "ray"):  # what CI and most users need not install
        assert f"\n{heavy}==" not in lock
    others = "".join(f"--extra {name} " for name in extras if name not in ("openvino", "ray"))
    assert others in (ROOT / "Makefile").read_text()


def test_the_document_names_openvino():
    rows = pd.DataFrame(measure.compare(variants(), (1,), ["torch"], **FAST)).assign(
        dataset="cifar10", role="teacher", teacher="t", student="", distill="", runtime="openvino"
    )
    assert "Forward pass in OpenVINO, 1 image at a time" in render("t", sections(rows), ROOT)


def test_evaluate_runs_an_onnx_file_in_openvino(openvino, tmp_path, values, capsys):
    folder, out = study(tmp_path, values), tmp_path / "small"
    at = ["--project", str(folder)]
    assert main(["export", KEY, "--level", "0.5", "--format", "onnx", "--out", str(out), *at]) == 0
    told = []
    for runtime in ("onnx", "openvino"):
        assert main(["evaluate", str(out), "--runtime", runtime, *at]) == 0
        told.append(json.loads((out / "evaluation.json").read_text()))
    assert told[0]["confusion"] == told[1]["confusion"]


def test_compress_writes_the_form_that_its_runtime_runs(absent):
    assert compress._formats("torch") == ["safetensors", "torch"]
    assert compress._formats("onnx") == compress._formats(None) == ["safetensors", "onnx"]
    with pytest.raises(KdpruneError, match=r"^--runtime openvino: needs a_package"):
        compress._formats("openvino")


def test_compress_times_again_what_was_not_timed_in_its_runtime(tmp_path, monkeypatch):
    ran = []
    status = argparse.Namespace(code=0)

    def run(words, folder, variables):
        ran.append((words[:2], variables.get(runtimes.VARIABLE)))
        return status.code

    monkeypatch.setattr(compress, "_run", run)
    table(tmp_path, "onnx", "torch")
    for runtime in (None, "onnx", "torch"):
        assert compress._study(tmp_path, runtime) == 0
    assert ran == [(["kdprune", "run"], None)] * 3
    ran.clear()
    assert compress._study(tmp_path, "openvino") == 0
    assert ran == [(["kdprune", "run"], "openvino"), (["dvc", "repro"], "openvino")]
    ran.clear()
    table(tmp_path, "onnx", "torch", "openvino")
    assert compress._study(tmp_path, "openvino") == 0
    status.code = 2
    table(tmp_path, "onnx")
    assert compress._study(tmp_path, "openvino") == 2  # a study that failed is not timed
    assert ran == [(["kdprune", "run"], "openvino")] * 2
