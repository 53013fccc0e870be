"""Three faults of `make faults` while training: a kill, a kill before a rename, a full disk."""

import random
import sys

import pytest
from conftest import ROOT

sys.path.append(str(ROOT / "benchmarks"))
from faults import disks, rows, study
from faults.cases import Killed
from faults.server import SlowServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults") / "study"
    splits = study.images()
    archive = study.data_files.official_archive("cifar10", "binary", splits)
    study.make(folder, archive, splits)
    disks.install(folder)
    yield rows.Study(folder, SlowServer(archive), study.STAGES["teach"])
    study.end(folder)


@pytest.mark.parametrize(
    "fault",
    [
        Killed("group"),
        disks.Call("killed before a rename", "replace", most=6),
        disks.Call("disk full", "fsync", 28, most=6),
    ],
    ids=lambda fault: fault.name,
)
def test_training_goes_on_to_the_same_bytes(made, fault):
    row = made.disturb(fault, "teach", random.Random(1), moments=1)
    assert row.problems == []
    assert (row.survived, row.moments) == (1, 1)
    assert row.again <= 1
