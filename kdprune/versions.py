"""The versions of what computes, as records and issues name them."""

import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kdprune import __version__

COMPUTING = ("numpy", "timm", "torch", "torch-pruning", "torchvision")  # decide a training's result
TABULATING = ("matplotlib", "pandas", "scipy")  # decide tables and figures
NAMED = ("torch", "timm", "torchvision", "torch-pruning", "dvc")  # what an issue needs


def installed(names: Sequence[str]) -> dict[str, str]:
    """Return the installed versions of libraries, "" where one is missing; imports none of them."""
    from importlib import metadata  # a stage that goes well does without it

    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = ""
    return versions


def line() -> str:
    """Return kdprune's version and those of what it stands on, in one line."""
    versions = {"kdprune": __version__, "Python": platform.python_version(), **installed(NAMED)}
    told = ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items())
    return f"For an issue: {told}; {platform.platform()}"


@contextmanager
def noted() -> Iterator[None]:
    """Let the traceback of whatever the block raises end with `line`; the fault itself passes."""
    try:
        yield
    except Exception as error:
        error.add_note(line())
        raise
