"""The tree keeps its own rules: rooms, sizes, docstrings, deps that cover imports."""

import ast
import importlib
import itertools
from pathlib import Path

import pytest
import yaml
from conftest import some

from kdprune import distillation
from kdprune.distillation.task import Task
from kdprune.errors import KdpruneError
from kdprune.methods import demand_own_files
from kdprune.pruning import structured
from kdprune.study.code import closure, imported

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("kdprune/**/*.py"), *ROOT.glob("stages/**/*.py")])

# Who may import whom. A room is a folder; "ground" are the files of kdprune/ itself.
BELOW = ("ground", "config", "data", "sources", "models", "training", "distillation", "pruning")
LAST = ("planning", "running")
ROOMS = {
    "ground": ("ground",),
    "config": ("ground",),
    "data": ("ground",),
    "sources": ("ground", "data"),
    "models": ("ground",),
    "training": ("ground", "data"),
    "distillation": ("ground", "models"),
    "pruning": ("ground", "data", "models"),
    "compression": ("ground",),
    "sparsification": ("ground", "data", "models", "training", "pruning"),
    "sweeps": ("ground", "data", "models", "training", "distillation", "pruning"),
    "analysis": ("ground",),
    "reporting": ("ground", "analysis"),
    "study": (*BELOW, "analysis"),
    "deployment": (*BELOW, "analysis", "compression", "sweeps", "study"),
    "planning": (*BELOW, "analysis", "sweeps", "study"),
    "running": ("ground", "config", "study", "planning"),
    "cli": (*BELOW, "analysis", "sweeps", "study", "reporting", "deployment", *LAST),
    "stages": (
        *BELOW,
        "analysis",
        "sparsification",
        "sweeps",
        "study",
        "reporting",
        "deployment",
        *LAST,
    ),
}
GROUND = (
    "__init__ __main__ device ending environment errors files home memory methods outcomes "
    "progress records stages terminal untrusted versions"
).split()
TORCHLESS = ("analysis", "reporting", "compression")

# A change here cannot change a result: these refuse, name, place, follow or write whole
NEUTRAL = {
    "kdprune/__init__.py",
    "kdprune/ending.py",
    "kdprune/environment.py",
    "kdprune/errors.py",
    "kdprune/files.py",
    "kdprune/home.py",
    "kdprune/memory.py",
    "kdprune/methods.py",
    "kdprune/progress.py",
    "kdprune/terminal.py",
    "kdprune/untrusted.py",
    "kdprune/versions.py",
    "kdprune/study/__init__.py",
    "kdprune/study/code.py",
    "kdprune/study/paths.py",
    "kdprune/study/unfinished.py",
    "stages/__init__.py",
}
# What this room decides stands in params.yaml, on which the stages depend
NEUTRAL_ROOM = "config"


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room(file: str) -> str:
    parts = file.split("/")
    if parts[0] == "stages":
        return "stages"
    return parts[1] if len(parts) > 2 else "ground"


def test_nothing_to_check_is_a_failure():
    assert some(iter("ab")) == ["a", "b"]
    with pytest.raises(AssertionError, match="nothing to check"):
        some(Path(__file__).parent.glob("*.gone"))


def stages() -> dict[str, dict]:
    described = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return {name: stage.get("do", stage) for name, stage in described.items()}


@pytest.mark.parametrize("path", some(SOURCES), ids=relative)
def test_files_are_small(path):
    lines = path.read_text().count("\n")
    assert lines <= 200
    if path.parent == ROOT / "stages":
        assert lines <= 40


@pytest.mark.parametrize("path", some(SOURCES), ids=relative)
def test_a_file_imports_from_the_rooms_that_its_own_may(path):
    own = room(relative(path))
    if relative(path) == "kdprune/__main__.py":  # the door: it opens the command line
        own = "cli"
    allowed = {own, *ROOMS[own]}
    strangers = {file for file in imported(relative(path)) if room(file) not in allowed}
    assert not strangers


def test_the_rooms_are_all_and_the_ground_is_the_grounds():
    folders = {
        path.name
        for path in some((ROOT / "kdprune").glob("*/__init__.py"))
        for path in [path.parent]
    }
    assert folders | {"ground", "stages"} == set(ROOMS)
    assert {path.stem for path in some((ROOT / "kdprune").glob("*.py"))} == set(GROUND)


@pytest.mark.parametrize("path", some(SOURCES), ids=relative)
def test_no_circle_among_imports(path):
    """What a file imports as it is loaded never leads back to it."""
    seen, queue = set(), [relative(path)]
    while queue:
        for file in loaded(queue.pop()):
            assert file != relative(path)
            if file not in seen:
                seen.add(file)
                queue.append(file)


def loaded(file: str) -> set[str]:
    """The project's files that a file imports at its top level; of a package, what it names."""
    files = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            base = node.module.replace(".", "/")
            parts = {f"{base}/{alias.name}" for alias in node.names}
            inner = {part for part in parts if exists(part)}
            files |= inner if inner == parts else inner | {base}
        elif isinstance(node, ast.Import):
            files |= {alias.name.replace(".", "/") for alias in node.names}
    return {exists(item) for item in files} - {None}


def exists(base: str) -> str | None:
    """The project's file that a module's path stands for."""
    candidates = (f"{base}.py", f"{base}/__init__.py")
    return next((item for item in candidates if (ROOT / item).is_file()), None)


@pytest.mark.parametrize("own", TORCHLESS)
def test_no_torch_where_tables_become_tables_and_words(own):
    for path in some(ROOT.glob(f"kdprune/{own}/**/*.py")):
        for file in some(closure(relative(path))):
            assert "import torch" not in (ROOT / file).read_text(), f"{relative(path)} → {file}"


@pytest.mark.parametrize("name", some(sorted(stages())))
def test_deps_cover_what_a_stage_imports(name):
    """A file that a stage imports is its dep, but for the methods that its instance does not use
    (an instance depends on its own method's file) and for what cannot change results.
    """
    stage = stages()[name]
    deps = set(stage["deps"])
    own = {dep.rsplit("/", 1)[0]: dep for dep in deps if "${item." in dep and dep.endswith(".py")}
    script = f"stages/{name}.py"
    needed = closure(script, methods=tuple(chosen(closure(script))))
    needed = {file for file in needed if file not in NEUTRAL and room(file) != NEUTRAL_ROOM}
    missing = set()
    for file in needed:
        folder, stem = file.rsplit("/", 1)[0], Path(file).stem
        if decides_nothing(file) or (folder in own and stem in METHODS):
            continue
        if file not in deps and not any(file.startswith(f"{dep}/") for dep in deps):
            missing.add(file)
    assert not missing, sorted(missing)
    for dep in deps:
        if dep.startswith(("kdprune", "stages")) and "${" not in dep:
            assert (ROOT / dep).exists(), f"{dep} is not there"
            inside = {file for file in needed if file == dep or file.startswith(f"{dep}/")}
            assert inside, f"{name} depends on {dep}, of which it imports nothing"


def chosen(files: set[str]) -> list[str]:
    """All methods of those registries in which one of `files` looks a method up by its name."""
    found = []
    for conf, package in (("distill", "distillation"), ("prune", "pruning")):
        line = f"from kdprune.{package} import METHODS"
        if any(line in (ROOT / file).read_text() for file in files):
            found += [path.stem for path in some((ROOT / "conf" / conf).glob("*.yaml"))]
    return found


METHODS = sorted(path.stem for path in some((ROOT / "conf").glob("*/*.yaml")))


def decides_nothing(file: str) -> bool:
    """Whether a file is a package's own with a docstring alone, or a registry.

    A registry has no choice: `test_a_method_is_what_the_file_of_its_name_holds`.
    """
    if not file.endswith("__init__.py"):
        return False
    registries = ("kdprune/distillation/__init__.py", "kdprune/pruning/__init__.py")
    return file in registries or len(ast.parse((ROOT / file).read_text()).body) == 1


def test_every_method_has_its_yaml_and_its_file():
    for conf, package in (("distill", "distillation"), ("prune", "pruning")):
        described = {path.stem for path in some((ROOT / "conf" / conf).glob("*.yaml"))}
        files = {path.stem for path in (ROOT / "kdprune" / package).glob("*.py")}
        assert described <= files


REMAPPED = {
    "distillation": ('"kd": KD', '"kd": AT'),
    "pruning": ('"weight": weight', '"weight": channel'),
}


@pytest.mark.parametrize("package", REMAPPED)
def test_a_method_is_what_the_file_of_its_name_holds(package):
    """So the dep of a stage on the file of its method covers what its instance runs."""
    source = (ROOT / "kdprune" / package / "__init__.py").read_text()
    whole = {"__name__": f"kdprune.{package}"}
    exec(source, whole)  # as an import of it does
    for name, method in some(whole["METHODS"].items()):
        assert method.__module__ == f"kdprune.{package}.{name}"
    old, new = REMAPPED[package]
    assert source.count(old) == 1
    with pytest.raises(KdpruneError, match=rf"^kdprune\.{package}: METHODS\['(kd|weight)'\] is "):
        exec(source.replace(old, new), {"__name__": f"kdprune.{package}"})


def test_a_registry_names_no_other_function_of_a_file():
    with pytest.raises(KdpruneError, match=r"structured\.removal_order; it must be .* prune, of"):
        demand_own_files("kdprune.pruning", {"structured": structured.removal_order})


@pytest.mark.parametrize("method", some(distillation.METHODS))
def test_a_distillation_file_holds_one_task_class(method):
    """Which class of a file a registry names could otherwise change a result unseen."""
    module = importlib.import_module(f"kdprune.distillation.{method}")
    classes = [item for item in vars(module).values() if isinstance(item, type)]
    own = [item for item in classes if item.__module__ == module.__name__]
    assert [item for item in own if issubclass(item, Task)] == [distillation.METHODS[method]]


def test_nothing_of_a_machine_or_a_registry_is_named():
    suspicious = ("/work/", "/tmp/kdp", "pypi" + ".org", "registry." + "npmjs")
    allowed = {"kdprune/sources/npm.py"}  # the registry's public default
    folders = ("kdprune", "stages", "conf", "tests", "docs", "benchmarks", ".ci")
    files = itertools.chain.from_iterable(some((ROOT / folder).rglob("*")) for folder in folders)
    top = [ROOT / name for name in ("README.md", "Makefile", "requirements.lock", "pyproject.toml")]
    for path in [*files, *top]:
        text_file = path.suffix in {".py", ".md", ".yaml", ".toml", ".lock", ""} and path.is_file()
        if text_file and path != Path(__file__) and relative(path) not in allowed:
            text = path.read_text(errors="ignore")
            assert not [word for word in suspicious if word in text], relative(path)
