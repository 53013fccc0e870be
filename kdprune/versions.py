"""The versions that someone who reads an issue needs, in one line."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager

from kdprune import __version__

LIBRARIES = ("torch", "timm", "torchvision", "torch-pruning", "dvc")


def line() -> str:
    """Return kdprune's version and those of what it stands on, without importing any of it."""
    from importlib import metadata  # a stage that goes well does without it

    found = {"kdprune": __version__, "Python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "missing"
    told = ", ".join(f"{name} {version}" for name, version in found.items())
    return f"For an issue: {told}; {platform.platform()}"


@contextmanager
def noted() -> Iterator[None]:
    """Let the traceback of whatever the block raises end with `line`; the fault itself passes."""
    try:
        yield
    except Exception as error:
        error.add_note(line())
        raise
