"""The tree keeps its own rules: sizes, docstrings, imports one way, deps that cover imports."""

import ast
import itertools
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("kdprune/**/*.py"), *ROOT.glob("stages/*.py")])
# Modules whose changes cannot change a result: they only refuse, name, place or start things.
NEUTRAL = {
    "kdprune/__init__.py",
    "kdprune/consistency.py",
    "kdprune/data/__init__.py",
    "kdprune/errors.py",
    "kdprune/files.py",
    "kdprune/grid.py",
    "kdprune/params.py",
    "kdprune/progress.py",
    "kdprune/schema.py",
    "kdprune/signatures.py",
    "stages/__init__.py",
    "stages/paths.py",
    "stages/resume.py",
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> set[str]:
    """The project's own files that a file imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    files = set()
    for name in found:
        base = ROOT / name.replace(".", "/")
        for candidate in (base.with_suffix(".py"), base / "__init__.py"):
            if candidate.is_file() and candidate.is_relative_to(ROOT):
                files.add(candidate)
    return files


def closure(path: Path) -> set[str]:
    """All of the project's files that running `path` imports."""
    seen, queue = set(), [path]
    while queue:
        current = queue.pop()
        if current not in seen:
            seen.add(current)
            queue += imported(current)
    return {relative(item) for item in seen}


def stages() -> dict[str, dict]:
    described = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return {name: stage.get("do", stage) for name, stage in described.items()}


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_files_are_small(path):
    lines = path.read_text().count("\n")
    assert lines <= 200
    if relative(path).removeprefix("stages/").removesuffix(".py") in stages():
        assert lines <= 40


def test_analysis_and_plotting_never_import_torch():
    for path in [*ROOT.glob("kdprune/analysis/*.py"), *ROOT.glob("kdprune/plotting*/**/*.py")]:
        for file in closure(path):
            assert "import torch" not in (ROOT / file).read_text(), f"{relative(path)} → {file}"


def test_methods_never_import_training():
    for folder in ("distillation", "pruning"):
        methods = ROOT.glob(f"kdprune/{folder}/*.py")
        for path in (item for item in methods if item.stem not in ("sweep", "finetune")):
            assert "kdprune/training.py" not in {relative(item) for item in imported(path)}


def test_library_never_imports_stages():
    for path in ROOT.glob("kdprune/**/*.py"):
        assert not any(name.startswith("stages") for name in closure(path))


@pytest.mark.parametrize("name", sorted(stages()))
def test_deps_cover_what_a_stage_imports(name):
    """A file that a stage imports is its dep, but for the methods that its instance does not use
    (an instance depends on its own method's file) and for modules that cannot change results.
    """
    stage = stages()[name]
    deps = set(stage["deps"])
    needed = closure(ROOT / "stages" / f"{name}.py") - NEUTRAL
    methods = {f"kdprune/{folder}" for folder in ("distillation", "pruning")}
    own = {dep.rsplit("/", 1)[0] for dep in deps if "${" in dep} & methods
    chosen = {path.stem for path in (ROOT / "conf").glob("*/*.yaml")}
    missing = set()
    for file in needed:
        folder, stem = file.rsplit("/", 1)[0], Path(file).stem
        registry = stem == "__init__"
        if registry or (folder in own and stem in chosen):
            continue
        if file not in deps and not any(file.startswith(f"{dep}/") for dep in deps):
            missing.add(file)
    assert not missing
    for dep in deps:
        if dep.startswith(("kdprune", "stages")) and "${" not in dep:
            assert (ROOT / dep).exists(), f"{dep} is not there"
            if dep.endswith(".py"):
                assert dep in needed, f"{name} depends on {dep}, which it does not import"


def test_every_method_has_its_yaml_and_its_file():
    for conf, package in (("distill", "distillation"), ("prune", "pruning")):
        described = {path.stem for path in (ROOT / "conf" / conf).glob("*.yaml")}
        files = {path.stem for path in (ROOT / "kdprune" / package).glob("*.py")}
        assert described <= files


def test_nothing_of_a_machine_or_a_registry_is_named():
    suspicious = ("/work/", "/tmp/kdp", "pypi" + ".org", "registry." + "npmjs")
    allowed = {"kdprune/data/sources/npm.py"}  # the registry's public default
    folders = ("kdprune", "stages", "conf", "tests", "docs", "benchmarks", ".ci")
    files = itertools.chain.from_iterable((ROOT / folder).rglob("*") for folder in folders)
    top = [ROOT / name for name in ("README.md", "Makefile", "requirements.lock", "pyproject.toml")]
    for path in [*files, *top]:
        text_file = path.suffix in {".py", ".md", ".yaml", ".toml", ".lock", ""} and path.is_file()
        if text_file and path != Path(__file__) and relative(path) not in allowed:
            text = path.read_text(errors="ignore")
            assert not [word for word in suspicious if word in text], relative(path)
