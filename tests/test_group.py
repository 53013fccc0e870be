"""A command in a group of its own: how it ends, and that nothing of it goes on when we are gone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from conftest import ROOT
from waiting import until

from kdprune.running import group

ASLEEP = """import subprocess, sys, time
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open("pids", "w").write(f"{__import__('os').getpid()} {other.pid} .")
time.sleep(60)
"""
SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
CALLS = {
    "a run that collects": "from kdprune.running import group; group.run(['asleep'])",
    "compress": "from kdprune.cli import compress; compress._run(['asleep'], Path(), {})",
}
# SIGINT may be ignored, as in background jobs
CALLER = """import signal
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "asleep.py").write_text(ASLEEP)
    return tmp_path


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize(("does", "status"), [("sys.exit(7)", 7), ("os.kill(os.getpid(), 9)", 137)])
def test_the_status_is_the_commands_also_after_a_signal(tmp_path, does, status):
    (tmp_path / "probe.py").write_text(f"import os, sys\n{does}\n")
    assert group.run(["probe"], tmp_path) == status


def test_python_and_what_it_starts_are_this_environments(tmp_path):
    (tmp_path / "probe.py").write_text(
        "import os\nopen('told', 'w').write(os.environ['PATH'] + '|' + os.environ['MORE'])\n"
    )
    assert group.run(["probe"], tmp_path, {"MORE": "1"}) == 0
    path, _, more = (tmp_path / "told").read_text().partition("|")
    assert (path.split(os.pathsep)[0], more) == (str(Path(sys.executable).parent), "1")


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("call", CALLS)
def test_what_was_started_ends_with_us(folder, call, number):
    own = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    caller = subprocess.Popen([sys.executable, "-c", CALLER + CALLS[call]], cwd=folder, env=own)
    told = folder / "pids"
    until(lambda: told.exists() and told.read_text().endswith("."))
    caller.send_signal(number)
    caller.wait()
    for pid in told.read_text().split()[:2]:
        until(lambda pid=int(pid): gone(pid), 10)


def test_nothing_is_left_of_a_group_whose_leader_was_killed(monkeypatch):
    script = "trap : TERM; while :; do sleep 0.2; done & wait"
    leader = subprocess.Popen(["sh", "-c", script], start_new_session=True)
    until(lambda: psutil.Process(leader.pid).children())
    (child,) = psutil.Process(leader.pid).children()
    leader.kill()
    leader.wait()
    assert child.is_running()
    monkeypatch.setattr(group, "ENDING", 0.5)
    group.end(leader.pid)
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 5)
