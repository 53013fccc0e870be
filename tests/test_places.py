"""Which GPUs are used, how many instances they hold, and what a dry run says of it."""

import json
import os
import shlex
from concurrent.futures import Future

import pytest

from kdprune.errors import KdpruneError
from kdprune.planning.cost import Work
from kdprune.running import forecast, places, study
from kdprune.running.scheduler import Done, schedule

GB = 2**30


class Instant:
    """Ends an instance when the scheduler has placed all that it can, the first started first."""

    def __init__(self, answers):
        self.answers, self.running, self.ran = answers, {}, []

    def submit(self, slot, name):
        self.ran.append((name, set(self.running)))
        future = Waited()
        self.running[name] = future
        future.end = lambda: self._end(name)
        return future

    def _end(self, name):
        given = self.answers.get(name)
        self.running.pop(name).set_result(given.pop(0) if given else Done(0))


class Waited(Future):
    end = None


@pytest.fixture(autouse=True)
def _waits(monkeypatch):
    def wait(futures, return_when):
        first = next(iter(futures))
        first.end()
        return type("Result", (), {"done": {first}})

    monkeypatch.setattr("kdprune.running.scheduler.wait", wait)


LISTED = "0, GPU-aa, Big, 81920\n1, GPU-bb, Big, 81920\n2, GPU-cc, Small, 16384\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of three GPUs, as its driver's tool tells them."""
    tool = tmp_path / "nvidia-smi"
    # not this Python as its interpreter: the path of a clone may hold a space
    tool.write_text(f"#!/bin/sh\nprintf %s {shlex.quote(LISTED)}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for name in ("CUDA_VISIBLE_DEVICES", "KDPRUNE_DEVICE", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_one_comparison_has_one_kind_of_gpu(machine):
    used, told = places.of_one_kind(places.gpus())
    assert [gpu.number for gpu in used] == [0, 1]
    assert "Small idle" in told
    assert places.of_one_kind(used) == (used, "")


@pytest.mark.parametrize(
    ("visible", "names"),
    [("2,0", ["Small", "Big"]), ("GPU-cc", ["Small"]), ("", []), ("1,-1,0", ["Big"])],
)
def test_a_gpu_is_numbered_among_the_visible_ones(machine, visible, names):
    machine.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [(gpu.number, gpu.name) for gpu in places.gpus()] == list(enumerate(names))


def test_a_device_of_the_users_choice_is_the_only_one(machine):
    machine.setenv("KDPRUNE_DEVICE", "cuda:1")
    assert places.gpus() == []


def test_slots_fill_all_gpus_before_any_is_shared(machine):
    used = places.gpus()[:2]
    devices = [slot["KDPRUNE_DEVICE"] for slot in places.slots(None, 2, used, 16)]
    assert devices == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    assert len(places.slots(3, 2, used, 16)) == 3
    with pytest.raises(KdpruneError, match="raise --per-gpu"):
        places.slots(5, 2, used, 16)
    assert places.slots(None, 1, [], 8) == [{"OMP_NUM_THREADS": "2"}] * 4


def test_an_instance_waits_for_memory_on_its_own_place_only():
    peaks = {"a": 5 * GB, "b": 4 * GB, "c": 3 * GB}
    room = places.Room(
        ["cuda:0", "cuda:0", "cuda:1"], {"cuda:0": 10 * GB, "cuda:1": 10 * GB}, peaks
    )
    assert room.fits("a", 0, {}, set())
    assert not room.fits("b", 1, {0: "a"}, set())  # 1.2 x 9 GB
    assert room.fits("c", 1, {0: "a"}, set())
    assert room.fits("b", 2, {0: "a"}, set())
    assert room.fits("unknown", 1, {0: "a"}, set())
    assert not room.fits("unknown", 1, {0: "a"}, {"a"})
    assert not room.fits("unknown", 1, {0: "a"}, {"unknown"})


def test_what_had_no_memory_left_runs_again_with_nothing_beside_it():
    engine = Instant({"b": [Done(2, crowded=True)]})
    ended = schedule({"a": [], "b": [], "c": []}, engine, [0, 1])
    assert set(ended.values()) == {"done"}
    assert [beside for name, beside in engine.ran if name == "b"] == [{"a"}, set()]
    engine = Instant({"b": [Done(2, crowded=True)] * 2})
    assert schedule({"b": []}, engine, [0])["b"] == "failed"


def test_what_fits_nowhere_beside_others_runs_alone_and_nothing_hangs():
    engine = Instant({})
    never = schedule(dict.fromkeys("abc", ()), engine, [0, 1], fits=lambda *_: False)
    assert set(never.values()) == {"done"}
    assert all(not beside for _, beside in engine.ran)


def test_noted_memory_counts_for_its_kind(tmp_path):
    def note(name, **run):
        (tmp_path / f"{name}.json").write_text(json.dumps([{"ended": "ok", **run}]))

    note("teach-x-small", memory=1 * GB)
    note("teach-x-large", memory=3 * GB, gpu_memory=2 * GB)
    note("prune-killed", memory=9 * GB, ended="not yet, or killed")
    (tmp_path / "teach-torn.json").write_text("[{")
    note("teach-other-grid", memory=30 * GB)
    names = ["teach@x-small", "teach@x-large", "teach@new", "distill@new", "prune@killed"]
    peaks = study.peaks(names, tmp_path, gpu=False)
    assert peaks == {"teach@x-small": GB, "teach@x-large": 3 * GB, "teach@new": 3 * GB}
    assert study.peaks(names, tmp_path, gpu=True)["teach@x-small"] == 2 * GB


def test_an_assumed_gpu_adds_its_start_its_steps_and_its_work():
    gpu = forecast.assumed("2.5,20,20")
    work = Work(steps=1000.0, head_steps=100, forward=1e14, backward=3e14)
    assert gpu.seconds(work) == pytest.approx(20 + 1010 * 0.0025 + 20)
    assert "measured on none: 2.5 ms a step" in gpu.told()
    for wrong in ("2.5,20", "a,b,c", "1,0,1", "-1,20,20", "nan,1,1"):
        with pytest.raises(KdpruneError, match="--assume"):
            forecast.assumed(wrong)


def test_a_forecast_is_bounded_by_the_longest_chain():
    needs = {"teach@a": [], "distill@a": ["teach@a"], "teach@b": []}
    told = list(forecast.lines(needs, {"teach@a": 60.0, "distill@a": 60.0, "teach@b": 60.0}))
    assert told[0] == "teach@a  about 60 s"
    assert "  2 at once: about 2 min (1.5 times faster)" in told[5].replace(" 0 s", "")
    assert told[-1].startswith("longest chain: about 2 min")
    assert list(forecast.lines({}, {})) == ["0 of the study's instances are stale"]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-5", "1e999", "1e300", "9" * 400, "true"])
def test_damaged_records_are_passed_over(value, tmp_path):
    runs = f'[{{"ended": "ok", "seconds": 7}}, {{"ended": "ok", "seconds": {value}, "memory": 1}}]'
    (tmp_path / "teach-x.json").write_text(runs)
    assert study.timed("teach@x", tmp_path) == 7
    (tmp_path / "teach-x.json").write_text(f'[{{"ended": "ok", "memory": {value}}}]')
    assert study.peaks(["teach@x"], tmp_path, gpu=False) == {}
    assert study.seconds({"teach@x": []}, tmp_path) == {"teach@x": 60}


def test_records_that_nest_too_deep_are_none(tmp_path):
    (tmp_path / "teach-x.json").write_text("[" * 100_000)
    assert study.timed("teach@x", tmp_path) is None
    assert study.peaks(["teach@x"], tmp_path, gpu=False) == {}


@pytest.mark.parametrize("device", ["cuda:1", "mps"])
def test_a_chosen_device_is_one_place(device, machine, monkeypatch):
    monkeypatch.setenv("KDPRUNE_DEVICE", device)
    used, idle = places.used(mixed=False)
    assert (used, idle) == ([], "")
    assert places.slots(None, 1, used, 64) == [{"KDPRUNE_DEVICE": device}]
    assert places.slots(None, 2, used, 64) == [{"KDPRUNE_DEVICE": device}] * 2
    with pytest.raises(KdpruneError, match=r"^-j 2: 1 GPU\(s\) with 1 each have 1 slots"):
        places.slots(2, 1, used, 64)


@pytest.mark.parametrize("device", ["cpu", ""])
def test_a_chosen_processor_has_slots_by_cores(device, machine, monkeypatch):
    monkeypatch.setenv("KDPRUNE_DEVICE", device)
    assert len(places.slots(None, 1, [], 64)) == 32


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process")
def test_cores_are_those_that_we_may_use():
    whole = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(whole)})
    try:
        assert places.cores() == 1
    finally:
        os.sched_setaffinity(0, whole)
