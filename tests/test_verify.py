"""`make verify` notices a number, a parameter, a file and a line of code that has changed."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import workspace
import yaml
from conftest import ROOT, some

from kdprune.errors import KdpruneError
from stages.runner import lockfile, studies, verify

COMMITTED = {path.parent.name for path in (ROOT / "studies").glob("*/params.yaml")}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The committed tree: what a clone holds."""
    folder = tmp_path_factory.mktemp("clone")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def tree(results, tmp_path, monkeypatch):
    """A copy of it to change, and to work in."""
    folder = shutil.copytree(results, tmp_path / "tree")
    monkeypatch.chdir(folder)
    return folder


def test_a_broken_number_is_noticed(tree):
    figure = tree / "metrics/efficiency.json"
    values = json.loads(figure.read_text())
    leaf = values
    while isinstance(next(iter(leaf.values())), dict):
        leaf = next(iter(leaf.values()))
    leaf["accuracy"] += 0.01
    figure.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n")
    lines = [line for line in verify.derivation()[1] if line.startswith(str(figure.name))]
    lines += [line for line in verify.derivation()[1] if "metrics/efficiency.json: line" in line]
    assert len(lines) == 1
    assert any(line.startswith("metrics/efficiency.json: is not") for line in verify.lock()[1])


def test_a_broken_row_of_a_plot_is_noticed(tree):
    table = tree / "plots/accuracy.csv"
    table.write_text(table.read_text() + "x\n")
    assert any(line.startswith("plots/accuracy.csv") for line in verify.derivation()[1])


def test_a_parameter_set_by_hand_is_noticed(tree):
    values = yaml.safe_load((tree / "params.yaml").read_text())
    values["breakpoints"]["tolerance"] = 7.5
    (tree / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    told, faults = verify.composition()
    assert "breakpoints.tolerance: 7.5" in told
    assert faults == []
    assert "breakpoints: parameter breakpoints has changed" in verify.lock()[1]


@pytest.mark.parametrize("left", ["another", "one less"])
def test_speeds_of_another_study_are_noticed(left, tree):
    """As after a checkout: DVC does not hold this table."""
    path = tree / "metrics/measure.csv"
    table = pd.read_csv(path)
    if left == "another":
        table["teacher"] = table.teacher.replace("resnet10_24", "resnet99")
    else:
        table = table[table.role == "student"]
    table.to_csv(path, index=False)
    (told,) = [line for line in verify.derivation()[1] if line.startswith("metrics/measure.csv")]
    assert ("is not among" if left == "another" else "was not measured") in told


@pytest.mark.slow
@pytest.mark.parametrize("name", some(sorted(COMMITTED)))
def test_every_published_study_holds_in_a_clone(name, results, monkeypatch):
    monkeypatch.chdir(results)
    assert verify.study(name)[1] == []


def test_it_says_what_it_checked_and_fails(tree):
    for name in COMMITTED - {"table3"}:  # one will do; all have a test of their own
        shutil.rmtree(tree / "studies" / name)
    code = tree / "kdprune/analysis/efficiency.py"
    code.write_text(code.read_text() + "# changed\n")
    done = subprocess.run(
        [sys.executable, "-m", "stages.runner.verify"], cwd=tree, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert {word for word, _ in lines} <= {"OK", "DIFFERS"}
    assert any(told.startswith("kdprune/analysis/efficiency.py: is not") for _, told in lines)


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """A project of DVC with a folder, a loop and a parameter."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "in/sub").mkdir(parents=True)
    for name in ("in/b", "in/a", "in/sub/c", "in/a.pyc"):
        (folder / name).write_text(name)
    (folder / "params.yaml").write_text("grid: {one: {rate: 1}, two: {rate: 2}}\n")
    stage = {"cmd": "cp in/a ${key}.txt", "deps": ["in"], "params": ["grid.${key}.rate"]}
    stage["outs"] = [{"${key}.txt": {"cache": False}}]
    described = {"stages": {"copy": {"foreach": "${grid}", "do": stage}}}
    (folder / "dvc.yaml").write_text(yaml.safe_dump(described))
    workspace.git(folder, "init", "-q")
    workspace.python(folder, "-m", "dvc", "init", "-q")
    (folder / ".dvcignore").write_text("*.pyc\n")
    workspace.python(folder, "-m", "dvc", "repro", "-q")
    return folder


@pytest.fixture
def small(reproduced, tmp_path, monkeypatch):
    """A copy of it to change, and to work in."""
    folder = shutil.copytree(reproduced, tmp_path / "small")
    monkeypatch.chdir(folder)
    return folder


def test_hashes_are_those_of_dvc(small):
    assert lockfile.differences() == ([], 3, [])
    entry = yaml.safe_load((small / "dvc.lock").read_text())["stages"]["copy@one"]
    assert lockfile.md5(small / "in") == entry["deps"][0]["md5"]
    assert lockfile.md5(small / "in/a") == hashlib.md5(b"in/a").hexdigest()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda: os.remove("two.txt"), "two.txt: is not there (copy@two)"),
        (lambda: os.rename("in/sub/c", "in/sub/d"), "in: is not what dvc.lock recorded (copy@one)"),
        (lambda: _edit("params.yaml", "rate: 2", "rate: 3"), "copy@two: parameter grid.two.rate"),
        (lambda: _edit("dvc.yaml", "cp in", "cp ./in"), "copy@one: its command is another"),
        (lambda: _edit("params.yaml", "two:", "three:"), "copy@three: is not in dvc.lock"),
    ],
)
def test_every_change_is_told(small, change, told):
    change()
    assert any(line.startswith(told) for line in lockfile.differences()[0])


def _edit(name: str, old: str, new: str) -> None:
    with open(name) as file:
        text = file.read()
    assert old in text
    with open(name, "w") as file:
        file.write(text.replace(old, new))


@pytest.fixture(scope="module")
def froze(results, tmp_path_factory):
    """The tree, with its study frozen in it."""
    folder = shutil.copytree(results, tmp_path_factory.mktemp("frozen") / "tree")
    lock = folder / "dvc.lock"
    lock.write_text(lock.read_text() + "  teach@of-another-grid:\n    cmd: python\n")
    with contextlib.chdir(folder):
        studies.publish("mine")
    return folder


@pytest.fixture
def published(froze, tmp_path, monkeypatch):
    """A study that was frozen in a tree to work in."""
    folder = shutil.copytree(froze, tmp_path / "tree")
    monkeypatch.chdir(folder)
    return folder / "studies/mine"


def test_a_frozen_study_holds_what_its_numbers_follow_from(published):
    assert studies.names() == [*sorted({*COMMITTED, "mine"})]
    assert verify.study("mine")[1] == []
    assert "teach@of-another-grid" not in lockfile.read(str(published / "dvc.lock"))["stages"]
    page = (published / "README.md").read_text()
    assert "n = 3 pairs" in page
    assert "(plots/pairs.svg)" in page
    assert "dvc exp run -S profile=mini. Code" in page


def test_a_frozen_study_says_what_departs_from_its_profile(tree):
    values = yaml.safe_load((tree / "params.yaml").read_text())
    values["prune"]["seeds"], values["prune"]["levels"] = 3, [0.0, 0.5]
    (tree / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    options = "-S profile=mini -S 'prune.levels=[0.0, 0.5]' -S prune.seeds=3"
    assert " ".join(studies._overrides("mini")) == options


def test_a_broken_number_of_a_frozen_study_is_noticed(published):
    figure = published / "metrics/significance.json"
    figure.write_text(figure.read_text().replace('"n": 3', '"n": 4', 1))
    told = verify.study("mine")[1]
    assert any("studies/mine/metrics/significance.json: line" in line for line in told)
    assert any("significance.json: is not what dvc.lock recorded" in line for line in told)


def test_a_frozen_study_knows_no_parameter_that_came_after_it(published):
    values = yaml.safe_load((published / "params.yaml").read_text())
    del values["prune"]["finetune"]["views"]
    values["breakpoints"]["tolerance"] = 2.0
    values["grid"]["teachers"].popitem()  # its pairs are not those of the default run
    (published / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    completed = yaml.safe_load(studies.completed(published))
    assert completed["prune"]["finetune"]["views"] == 1
    assert completed["breakpoints"]["tolerance"] == 2.0
    assert completed["grid"] == values["grid"]


def test_an_unfinished_study_is_not_frozen(tree):
    (tree / "metrics/breakpoints.json").write_text("{}\n")
    with pytest.raises(KdpruneError, match="is not finished"):
        studies.publish("mine")
    assert not (tree / "studies/mine").exists()


@pytest.mark.parametrize("name", ["", "../mine", "a b", "Mine"])
def test_a_study_has_a_folders_name(tree, name):
    with pytest.raises(KdpruneError, match="is no name"):
        studies.publish(name)
