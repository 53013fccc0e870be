"""`kdprune report`: the answer in a few lines, coloured on a terminal alone, and a browser."""

import re
import shutil

import pandas as pd
import pytest
from conftest import ROOT

from kdprune.__main__ import main
from kdprune.cli import report


@pytest.fixture
def project(tmp_path):
    """The committed study's tables, and a page."""
    shutil.copytree(ROOT / "metrics", tmp_path / "metrics")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots/report.html").write_text("")
    return tmp_path


def test_the_answer_takes_four_lines(project, capsys):
    assert main(["report", "--project", str(project)]) == 0
    verdict, kept, surely, where = capsys.readouterr().out.splitlines()
    assert re.search(r" pruning kept more accuracy per parameter than .* of 3 pairs", verdict)
    row = pd.read_csv(project / "metrics/significance.csv").query(
        "role == 'student' and first == 'channel' and second == 'weight'"
    )
    assert f"p = {row.log_holm_p.iloc[0]:.3f}, n = 3 pairs" in surely
    found = pd.read_csv(project / "metrics/breakpoints.csv").query("role == 'student'")
    for name, part in found.groupby("method"):
        left = 100 * (part.nonzero_params / part.dense_params).mean()
        assert f"{name} pruning {left:.1f} % left" in kept
    assert where.split()[:2] == ["Report", str(project / "plots/report.html")]


def test_colours_are_for_terminals(project, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    main(["report", "--project", str(project)])
    assert "\x1b[1m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    main(["report", "--project", str(project)])
    assert "\x1b" not in capsys.readouterr().out


def test_open_asks_a_browser_for_the_page(project, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr("webbrowser.open", lambda address: not asked.append(address))
    assert main(["report", "--open", "--project", str(project)]) == 0
    assert asked == [(project / report.PAGE).resolve().as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    assert main(["report", "--open", "--project", str(project)]) == 2
    assert "there is no browser here" in capsys.readouterr().err


def test_a_study_without_results_says_what_to_run(project, capsys):
    (project / "plots/report.html").unlink()
    assert main(["report", "--project", str(project)]) == 2
    assert "run `dvc repro report`" in capsys.readouterr().err
    (project / "metrics/efficiency.csv").unlink()
    assert main(["report", "--project", str(project)]) == 2
    assert "run `dvc repro efficiency`" in capsys.readouterr().err
