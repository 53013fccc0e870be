"""`kdprune run` under the real DVC: the bytes of a serial run, and nothing lost to a kill."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import workspace

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from faults.study import writers

pytestmark = pytest.mark.slow
OUTPUTS = ("dvc.lock", "metrics", "plots/learning", "plots/report.md", "models")


def digests(folder):
    """The hash of every output, timings left out."""
    files = [path for name in OUTPUTS for path in [folder / name, *(folder / name).rglob("*")]]
    kept = [path for path in files if path.is_file() and "measure" not in path.name]
    assert len(kept) > 20
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in kept
    }


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    place = tmp_path_factory.mktemp("serial") / "study"
    return digests(workspace.reproduced(tmp_path_factory, place)[0])


def start(folder, *arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-m", "kdprune", "run", "-j", "2", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_two_at_once_write_the_bytes_of_one_though_the_driver_is_killed(serial, tmp_path):
    """No process is left, and the same command goes on."""
    folder = workspace.make(tmp_path / "study")
    driver = start(folder)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list((folder / "models/teachers").glob("*")):
        time.sleep(0.2)
    driver.kill()
    driver.wait()
    # Whatever ended first: the later teacher may stand before the earlier one
    end = time.monotonic() + 20
    while writers(folder) and time.monotonic() < end:
        time.sleep(0.2)
    assert not writers(folder)
    ended = start(folder)
    said, _ = ended.communicate()
    assert ended.returncode == 0, said
    assert digests(folder) == serial, said
    assert "distill 2 of 2" in said
    again = start(folder, "--dry")
    assert "0 of the study's instances are stale" in again.communicate()[0]


def test_ctrl_c_stops_what_runs(tmp_path):
    folder = workspace.make(tmp_path / "study")
    driver = start(folder)
    while driver.poll() is None and not list((folder / ".run/log").glob("teach*.txt")):
        time.sleep(0.2)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(30) == 130
    time.sleep(1)
    assert not writers(folder)
