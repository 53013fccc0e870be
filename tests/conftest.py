"""What all tests share: where the project is, and parameters to start from."""

import copy
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import pytest
import yaml

ROOT = Path(__file__).parents[1]
Item = TypeVar("Item")
# Minutes each. They begin first: a worker takes whole files, and none should end alone.
LONGEST = (
    *("shared_work", "compress", "pipeline", "run", "own_teacher", "replicates_pipeline"),
    *("fifteen_networks", "docs", "faults", "init", "warm", "report_page"),
)

# Tests are many small computations: threads of several workers would fight for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Two workers are no calm machine: no round of times is repeated to wait for one
os.environ.setdefault("KDPRUNE_PATIENCE", "0")


def some(items: Iterable[Item]) -> list[Item]:
    """The items, of which there must be some: a test that finds nothing to check has failed."""
    listed = list(items)
    assert listed, "nothing to check"
    return listed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first."""
    last = len(LONGEST)
    turn = {f"test_{name}": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: turn.get(item.path.stem, last))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture
def committed_results() -> None:
    """Skip a test that holds texts against results, where these are a user's own."""
    changed = ["git", "status", "--porcelain", "--", "metrics", "plots", "dvc.lock", "params.yaml"]
    told = subprocess.run(changed, cwd=ROOT, capture_output=True, text=True).stdout
    if told:
        pytest.skip("results are not the committed ones")


@pytest.fixture
def values(root: Path) -> dict:
    """The committed parameters as a plain mapping, free to be changed."""
    return copy.deepcopy(_committed(root))


def _committed(root: Path) -> dict:
    held = yaml.safe_load((root / "params.yaml").read_text())
    del held["trainings"]  # as in a study from before there were any: tests change grids alone
    return held
