"""The documentation's pages: links resolve, generated pages are current, the site builds."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, some
from docs_pages import ALL, DOCS, ELSEWHERE, FENCE, composed, every, named


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", title.lower().replace("`", "")).strip() for title in titles]
    return {re.sub(r"[-\s]+", "-", title) for title in plain}


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text(encoding="utf-8")))


def test_links_and_commands_are_seen():
    """A page may have none; the pages together have them."""
    assert some(target for page in ALL for target in links(page) if "://" not in target)
    assert some(every())


@pytest.mark.parametrize("page", ALL, ids=named)
def test_internal_links_resolve(page):
    for target in links(page):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        goal = (page.parent / path).resolve() if path else page
        assert goal.is_relative_to(ROOT), target
        assert goal.is_file(), target
        if anchor:
            assert anchor in anchors(goal), target


def test_every_page_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text()
    for page in ALL:
        assert f": {named(page)}\n" in text, named(page)


def test_other_tests_run_the_other_pages():
    for page, test in ELSEWHERE.items():
        assert page in (ROOT / "tests" / test).read_text()


@pytest.mark.usefixtures("committed_results")
def test_generated_pages_are_current():
    done = subprocess.run(
        [sys.executable, DOCS / "generate.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_parameter_is_described():
    for name in ("parameters", "methods"):
        rows = re.findall(r"^\| `.*$", (DOCS / f"reference/{name}.md").read_text(), re.MULTILINE)
        assert len(rows) > 30
        for row in rows:
            if row.count(" | ") == 3:
                assert not row.endswith("| – |"), row


RECORDS = {
    "Sweeps": "metrics/sweeps/*.csv",
    "Layers": "metrics/layers/*.csv",
    "Breakpoints": "metrics/breakpoints.csv",
    "Efficiency": "metrics/efficiency.csv",
    "Significance": "metrics/significance.csv",
    "Learning": "plots/learning/*.csv",
    "Measure": "metrics/measure.csv",
    "Codings": "metrics/codings.csv",
    "Trainings": "metrics/[td]*/*.json",
}


@pytest.mark.parametrize("title", RECORDS)
def test_every_column_is_described(title):
    text = (DOCS / "reference/records.md").read_text()
    shared, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    section = next(part for part in sections if part.startswith(title))
    words = {}
    for name, part in (("shared", shared), ("own", section)):
        cells = re.findall(r"^\| (`.*?) \|", part, re.MULTILINE)
        words[name] = [word for cell in cells for word in re.findall(r"`(\w+)`", cell)]
    files = sorted(ROOT.glob(RECORDS[title]))
    if title == "Measure" and not files:
        pytest.skip("the stage measure has not run")
    for path in some(files):
        if path.suffix == ".json":
            header = list(json.loads(path.read_text()))
        else:
            with path.open(newline="") as file:
                header = next(csv.reader(file))
        assert set(header) <= {*words["shared"], *words["own"]}, path.name
        assert set(words["own"]) <= set(header), path.name


def test_environment_variables_are_described():
    sources = "\n".join(path.read_text() for path in some(ROOT.glob("kdprune/**/*.py")))
    sources += "\n".join(path.read_text() for path in some(ROOT.glob("stages/*.py")))
    used = set(re.findall(r'"((?:KDPRUNE|HF|NPM|OMP)_[A-Z_]*[A-Z])"', sources))
    text = (DOCS / "reference/command-line.md").read_text()
    assert not [name for name in some(used) if f"`{name}`" not in text]


@pytest.mark.slow
def test_the_size_of_the_paper_profile(tmp_path):
    composed(["profile=paper"], tmp_path / "params.yaml")
    grid = yaml.safe_load((tmp_path / "params.yaml").read_text())["grid"]
    sizes = ", ".join(f"{len(grid[name])} {name}" for name in ("teachers", "students"))
    text = (DOCS / "how-to/gpu.md").read_text()
    assert f"{sizes} and {len(grid['sweeps'])} sweeps" in text


@pytest.mark.slow
def test_the_site_builds_and_fetches_nothing(tmp_path):
    pytest.importorskip("material")
    out = tmp_path / "site"
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", out]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    index = (out / "index.html").read_text()
    assert (out / "tree/studies/desk/plots/pairs.svg").is_file()
    assert 'src="tree/studies/desk/plots/pairs.svg"' in index
    fetched = r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//|<link[^>]+href="(?:https?:)?//'
    for page in some(out.rglob("*.html")):
        if "tree" not in page.relative_to(out).parts:
            assert not re.search(fetched, page.read_text()), page
