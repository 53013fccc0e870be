"""Small files that would grow are refused in one line, in little memory: met by a child process."""

import subprocess
import sys

import pytest
from conftest import ROOT
from data_bombs import BOMBS

BOUND = 600  # MiB beyond what the program itself takes

CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from data_files import small
from kdprune.errors import KdpruneError
from kdprune.sources import archives, hub, layouts, npm, pictures
import kdprune.sources.transfer
kind, file = sys.argv[1], Path(sys.argv[2])
spec = small("cifar10")[0]
def here(url, target, **_):
    return file
hub.download = npm.download = here
def meet():
    if kind == "image":
        return pictures.read(file)
    if kind == "hub":
        return hub.fetch(spec, path=None, cache=file.parent, show=False)
    if kind == "npm":
        return npm.fetch(spec, path=None, cache=file.parent, show=False)
    if kind == "python":
        return layouts.read(spec, "python", lambda name: file.read_bytes())
    names = [name for each in layouts.files("cifar10", "binary").values() for name in each]
    return archives.members(file, "cifar-10-batches-bin", names)
def peak():
    # not getrusage's, which begins with what the parent had at the fork
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
before = peak()
try:
    meet()
    said = "read"
except KdpruneError as error:
    said = str(error)
print((peak() - before) // 1024, said)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_met_in_little_memory(name, tmp_path, record_property):
    kind, make, said = BOMBS[name]
    file = tmp_path / "bomb.png"
    file.write_bytes(make())
    assert file.stat().st_size < 12 * 2**20
    done = subprocess.run(
        [sys.executable, "-c", CHILD, kind, str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    peak, _, answer = done.stdout.partition(" ")
    record_property("peak", peak)
    print(f"{name}: {file.stat().st_size:,} bytes, {peak} MiB, {answer}")
    assert answer.count("\n") == 1
    assert said in answer
    assert int(peak) < BOUND
