"""Which of the project's files a stage imports: what its deps must name and its results hang on."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from kdprune.errors import KdpruneError
from kdprune.home import located

ROOT = Path(__file__).parents[2]
OURS = ("kdprune", "stages")
REGISTRIES = ("kdprune/distillation", "kdprune/pruning")  # a method is the file of its name


def check_tree() -> None:
    """Raise KdpruneError where this code is not that of the clone in which it is run.

    An environment that another clone made imports that clone's package, not this folder's.
    """
    try:
        here = Path.cwd().resolve()
    except OSError:  # it names no file
        raise KdpruneError("the current folder is no longer there; change to one that is") from None
    if (here / "kdprune/__init__.py").is_file() and here != ROOT.resolve():
        raise KdpruneError(
            f"kdprune is imported from {ROOT}, not from this clone, {here}; run `make setup` here, "
            "or `python -m kdprune` from its root"
        )


def closure(script: str, *, methods: tuple[str, ...] = ()) -> set[str]:
    """Return all files of the project that running `script` imports, `script` among them.

    Paths are relative to the project, with slashes. Of what a registry of methods imports, only
    the files of `methods` count: an instance of a stage runs those, and imports the others.
    """
    seen: set[str] = set()
    queue = [script]
    while queue:
        current = queue.pop()
        if current not in seen:
            seen.add(current)
            queue += [file for file in imported(current) if _runs(current, file, methods)]
    return seen


@cache
def imported(file: str) -> tuple[str, ...]:
    """Return the project's own files that `file` imports, at any depth of its code."""
    names = set(_names(ast.parse(located(file).read_text(encoding="utf-8"))))
    names |= {name.rsplit(".", count)[0] for name in names for count in range(1, name.count("."))}
    candidates = (
        candidate
        for base in (name.replace(".", "/") for name in names)
        for candidate in (f"{base}.py", f"{base}/__init__.py")
        if base.partition("/")[0] in OURS  # beside an installed package lie all others
    )
    return tuple(sorted(item for item in candidates if located(item).is_file()))


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _runs(importer: str, file: str, methods: tuple[str, ...]) -> bool:
    folder, _, name = importer.rpartition("/")
    if name != "__init__.py" or folder not in REGISTRIES:
        return True
    return Path(file).stem in methods
