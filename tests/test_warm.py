"""Warm stages: what a cold start does, a forked one does too."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import workspace

from stages.runner import warm

COMMAND = [sys.executable, "-m", "stages"]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project with one more stage, that does what the tests ask for."""
    made = workspace.make(tmp_path_factory.mktemp("warm"))
    main = made / "stages/runner/stages.py"
    text = main.read_text().replace('"download"', '"probe"')  # among the instances, too
    main.write_text(text.replace('TORCH_STAGES = ("teach",', 'TORCH_STAGES = ("probe",'))
    (made / "stages/probe.py").write_text(PROBE)
    return made


PROBE = """
LIMITS = lambda r: [r.RLIMIT_NOFILE, r.RLIMIT_CORE, r.RLIMIT_FSIZE, r.RLIMIT_AS]
import os, pathlib, sys, time
import torch
from kdprune.errors import KdpruneError

def main(word):
    print("out", word, os.environ.get("MINE"), os.getcwd())
    print("err", word, file=sys.stderr)
    if word == "refuse":
        raise KdpruneError("probe: refused")
    if word == "memory":
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    if word == "cpu memory":
        torch.empty(2**50, dtype=torch.uint8)
    if word == "bounds":
        import resource
        mask = os.umask(0)
        print("bounds", oct(mask), os.nice(0), sorted(os.sched_getaffinity(0)))
        print("limits", [resource.getrlimit(name) for name in LIMITS(resource)])
    if word == "crash":
        raise ValueError("broken")
    if word == "sleep":
        pathlib.Path("asleep").write_text(str(os.getpid()))
        time.sleep(60)
        pathlib.Path("survived").touch()
"""


def run(folder: Path, word: str, **variables: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, **variables}
    command = [*COMMAND, "probe", word]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("word", ["fine", "refuse", "memory", "cpu memory", "crash"])
def test_warm_is_as_cold(folder, word):
    cold = run(folder, word, KDPRUNE_WARM="0", MINE="x")
    warmed = run(folder, word, KDPRUNE_WARM="1", MINE="x")
    assert (cold.returncode, cold.stdout) == (warmed.returncode, warmed.stdout)
    assert cold.returncode == {"fine": 0, "crash": 1}.get(word, 2)
    assert ("lower teach.batch_size" in warmed.stderr) == ("memory" in word)
    assert str(folder) in warmed.stdout
    assert cold.stderr.splitlines()[-1] == warmed.stderr.splitlines()[-1]
    assert ("Traceback" in warmed.stderr) == (word == "crash")


def test_the_second_stage_waits_for_no_import(folder):
    spent = []
    for _ in range(2):
        start = time.monotonic()
        run(folder, "fine", LANG="C.UTF-8")  # of another environment: a server of its own
        spent.append(time.monotonic() - start)
    assert spent[1] < spent[0] / 2


def test_a_server_that_ends_in_this_moment_is_done_without(tmp_path, monkeypatch):
    ours, theirs = socket.socketpair()
    theirs.close()
    monkeypatch.setattr(warm, "_cold", lambda arguments: arguments)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with ours:
        assert warm._delegate(ours, ["teach", "x"]) == ["teach", "x"]
    place = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as late:
        listener.bind(place)
        listener.listen()
        late.connect(place)  # taken in by the system, and never by the server
        threading.Timer(0.2, listener.close).start()
        assert warm._delegate(late, ["teach", "x"]) == ["teach", "x"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_caller_takes_its_stage_along(folder, how):
    for name in ("asleep", "survived"):
        (folder / name).unlink(missing_ok=True)
    caller = subprocess.Popen([*COMMAND, "probe", "sleep"], cwd=folder)
    deadline = time.monotonic() + 60
    while not (folder / "asleep").exists() or not (folder / "asleep").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stage = int((folder / "asleep").read_text())
    caller.send_signal(how)
    caller.wait(10)
    while Path(f"/proc/{stage}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{stage}").exists()
    assert not (folder / "survived").exists()


def test_a_killed_stage_is_told(folder):
    (folder / "asleep").unlink(missing_ok=True)
    caller = subprocess.Popen(
        [*COMMAND, "probe", "sleep"], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    while not (folder / "asleep").exists() or not (folder / "asleep").read_text():
        assert caller.poll() is None
        time.sleep(0.05)
    os.kill(int((folder / "asleep").read_text()), signal.SIGKILL)
    assert caller.wait(20) == 1
    assert "was killed" in caller.stderr.read()


def test_ctrl_c_is_no_traceback(folder):
    (folder / "asleep").unlink(missing_ok=True)
    for variables in ({"KDPRUNE_WARM": "0"}, {}):
        caller = subprocess.Popen(
            [*COMMAND, "probe", "sleep"],
            cwd=folder,
            env={**os.environ, **variables},
            stderr=subprocess.PIPE,
            text=True,
        )
        while not (folder / "asleep").exists() or not (folder / "asleep").read_text():
            time.sleep(0.05)
        (folder / "asleep").unlink()
        caller.send_signal(signal.SIGINT)
        assert caller.wait(20) == 130
        assert "Traceback" not in caller.stderr.read()


def test_a_killed_server_takes_its_stage_along(folder):
    for name in ("asleep", "survived"):
        (folder / name).unlink(missing_ok=True)
    caller = subprocess.Popen(
        [*COMMAND, "probe", "sleep"], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    while not (folder / "asleep").exists() or not (folder / "asleep").read_text():
        time.sleep(0.05)
    stage = int((folder / "asleep").read_text())
    server = int(Path(f"/proc/{stage}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(server, signal.SIGKILL)
    assert caller.wait(20) == 1
    assert "was killed" in caller.stderr.read()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{stage}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{stage}").exists()


def test_another_environment_has_another_server(monkeypatch):
    one = warm.address()
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert warm.address() != one
    monkeypatch.undo()
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "another")
    monkeypatch.setenv("KDPRUNE_DEVICE", "cpu")  # read by the stage itself, not while importing
    assert warm.address() == one


BOUNDED = """
import os, resource, sys
os.umask(0o027)
os.nice(3)
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
resource.setrlimit(resource.RLIMIT_NOFILE, (512, 1024))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (10**8, 10**8))
os.execv(sys.executable, [sys.executable, "-m", "stages", "probe", "bounds"])
"""


def bounds(folder: Path, program: str, **variables: str) -> list[str]:
    command = [
        sys.executable,
        *(["-c", program] if program else ["-m", "stages", "probe", "bounds"]),
    ]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith(("bounds", "limits"))]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="sets the cores of a process")
def test_a_stage_has_its_callers_umask_niceness_cores_and_limits(folder):
    plain = bounds(folder, "")  # a server runs from now on
    cold = bounds(folder, BOUNDED, KDPRUNE_WARM="0")
    assert "0o27 " in cold[0]
    assert bounds(folder, BOUNDED) == cold != plain
    assert bounds(folder, "") == plain


def test_a_silent_connection_blocks_nobody(folder):
    run(folder, "fine")
    place = folder / address(folder)
    assert place.exists(), list((folder / ".run").iterdir())
    silent, broken = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    with silent, broken:
        silent.connect(str(place))
        broken.connect(str(place))
        broken.send((2**40).to_bytes(8, "big"))
        begun = time.monotonic()
        assert run(folder, "fine").returncode == 0
        assert time.monotonic() - begun < 10
        for one in (silent, broken):  # given up, and told so by the end of the connection
            one.settimeout(20)
            assert one.recv(1) == b""


def address(folder: Path) -> str:
    code = "from stages.runner.warm import address; print(address())"
    command, environment = [sys.executable, "-c", code], {**os.environ}
    told = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return told.stdout.strip()


@pytest.mark.parametrize("warmth", ["0", "1"])
def test_a_killed_caller_without_input_leaves_nothing(folder, warmth):
    for name in ("asleep", "survived"):
        (folder / name).unlink(missing_ok=True)
    closed = f"exec {shlex.quote(sys.executable)} -m stages probe sleep <&-"
    caller = subprocess.Popen(
        ["sh", "-c", closed], cwd=folder, env={**os.environ, "KDPRUNE_WARM": warmth}
    )
    deadline = time.monotonic() + 60
    while not (folder / "asleep").exists() or not (folder / "asleep").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stage = int((folder / "asleep").read_text())
    caller.kill()
    caller.wait(10)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{stage}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{stage}").exists()
