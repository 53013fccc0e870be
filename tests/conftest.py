"""What all tests share: where the project is, and parameters to start from."""

import copy
import os
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]

# Tests are many small computations: threads of several workers would fight for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture
def values(root: Path) -> dict:
    """The committed parameters as a plain mapping, free to be changed."""
    return copy.deepcopy(_committed(root))


def _committed(root: Path) -> dict:
    return yaml.safe_load((root / "params.yaml").read_text())
