"""`dvc plots show` makes a page that draws all its plots in a browser without a network."""

import json
import re
import shutil
import subprocess
import sys

import browser
import pandas as pd
import pytest
import yaml
from conftest import ROOT, some

from kdprune.reporting.figures.looks import KNOWN, looks

DESCRIBED = yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]
PLOTS = some(values for plot in DESCRIBED for name, values in plot.items() if name != "plots/live")


@pytest.fixture(scope="module")
def page(tmp_path_factory, repository):
    out = tmp_path_factory.mktemp("plots")
    command = [sys.executable, "-m", "dvc", "plots", "show", "-o", str(out)]
    subprocess.run(command, cwd=repository, check=True, capture_output=True)
    return out / "index.html"


@pytest.fixture(scope="module")
def repository(tmp_path_factory, root):
    """What the page is made from, in a repository of its own, so that other tests do not matter."""
    folder = tmp_path_factory.mktemp("repository")
    shutil.copytree(root / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    shutil.copytree(root / "plots", folder / "plots")
    for name in ("dvc.yaml", "params.yaml", "dvc.lock", ".dvcignore"):
        shutil.copy(root / name, folder)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


def test_templates_overlay_revisions_and_have_titles(root):
    for template in some((root / ".dvc" / "plots").glob("*.json")):
        text = template.read_text()
        assert '"field": "rev"' in text, f"{template.name}: dvc plots diff needs rev"
        assert "<DVC_METRIC_TITLE>" in text
        json.loads(text)
    for plot in PLOTS:
        assert {"title", "x_label", "y_label"} <= set(plot)


def scales(part):
    """Every scale of a template that names conditions."""
    if isinstance(part, dict):
        if part.get("field") in ("method", "condition") and "scale" in part:
            yield part["scale"]
        part = list(part.values())
    if isinstance(part, list):
        for item in part:
            yield from scales(item)


@pytest.mark.parametrize("name", ["efficiency", "layers", "pairs", "pruning"])
def test_templates_know_every_pruning_as_the_figures_do(root, name):
    template = json.loads((root / f".dvc/plots/{name}.json").read_text())
    known = looks([*KNOWN, "distilled", "teacher"])
    names = [method for method in known if method not in ("distilled", "teacher")]
    for scale in some(scales(template)):
        assert scale["domain"][: len(KNOWN)] == list(KNOWN)
        if scale["range"][0].startswith("#"):
            held = dict(zip(scale["domain"], scale["range"], strict=True))
            assert all(held[method] == known[method].colour for method in names)
        else:
            assert len(set(scale["range"][: len(KNOWN)])) == len(KNOWN)  # a shape each


def test_the_page_loads_nothing_from_elsewhere(page):
    assert not re.search(r"""<(script|link|img)[^>]+(src|href)=["']?https?:""", page.read_text())


@pytest.mark.skipif(browser.BROWSER is None, reason="no chromium here")
def test_a_browser_draws_every_plot(page, repository, tmp_path):
    dom, console = browser.open_page(page, tmp_path / "profile")
    assert not [line for line in console if "current version" not in line]  # Vega's own greeting
    charts = [svg for svg in re.findall(r"<svg.*?</svg>", dom, re.DOTALL) if "marks" in svg]
    assert len(charts) == len(PLOTS)
    for plot, svg in zip(PLOTS, charts, strict=True):
        assert plot["title"] in svg
        assert plot["x_label"] in svg
    networks = pd.read_csv(repository / "plots" / "accuracy.csv").network.unique()
    curves = charts[0]
    assert all(name in curves for name in some(networks))
    assert curves.count('aria-roledescription="line mark"') == 2 * len(networks)
