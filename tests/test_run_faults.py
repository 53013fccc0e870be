"""`kdprune run` where something goes wrong, on stages that only wait: what runs, what is told."""

import os
import signal
import sys
import time
from concurrent.futures import Future

import fake_study
import psutil
import pytest
from fake_study import TEACHER, began, start
from waiting import until

from kdprune.errors import KdpruneError
from kdprune.running import driving, here, places
from kdprune.running.scheduler import Done

SWEEP = "prune@cifar10-resnet10_16-weight"
COLLECTED = "plots/report.md"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    return fake_study.make(tmp_path_factory.mktemp("fake") / "pristine")


@pytest.fixture
def folder(pristine, tmp_path):
    return fake_study.copy(pristine, tmp_path / "study")


def hold(folder, name=TEACHER):
    """Hold an instance; return what lets it go."""
    (folder / "hold" / name).touch()
    return (folder / "hold" / name).unlink


def leaders(folder):
    """The leaders of the groups in which instances run."""
    found = psutil.process_iter(["cwd", "cmdline"])
    return [
        one
        for one in found
        if one.info["cwd"] == str(folder) and "kdprune.running.child" in (one.info["cmdline"] or [])
    ]


def workers(folder):
    """What runs in a folder, but the server of warm stages, which ends by itself."""
    found = psutil.process_iter(["cwd", "cmdline"])
    return [
        one
        for one in found
        if one.info["cwd"] == str(folder)
        and "stages.runner.server" not in (one.info["cmdline"] or [])
        and one.status() != psutil.STATUS_ZOMBIE
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "share", [pytest.param(0, id="empty"), pytest.param(0.5, id="half", marks=pytest.mark.long)]
)
def test_a_lock_that_a_kill_cut_off_is_put_back_by_the_same_command(folder, share):
    """DVC writes dvc.lock in place: Ctrl-C meanwhile leaves it empty, or without its end."""
    said, _ = start(folder, "-j", "2").communicate()
    lock, copy = folder / "dvc.lock", folder / ".run/dvc.lock"
    whole, counts = lock.read_bytes(), began(folder)
    copy.write_bytes(whole)
    lock.write_bytes(whole[: round(share * len(whole))])
    driver = start(folder, "-j", "2")
    said, _ = driver.communicate()
    assert driver.returncode == 0, said
    assert "was cut off; it was put back" in said
    assert lock.read_bytes() == whole
    assert began(folder) == counts


@pytest.mark.slow
def test_a_killed_slot_runs_its_instance_again_and_nothing_goes_on_unseen(folder):
    release = hold(folder)
    driver = start(folder, "-j", "2")
    until(lambda: began(folder).get(TEACHER))
    (leader,) = leaders(folder)
    leader.kill()
    until(lambda: began(folder)[TEACHER] == 2)
    with pytest.raises(ProcessLookupError):
        os.killpg(leader.pid, 0)
    release()
    said, _ = driver.communicate()
    assert driver.returncode == 0, said
    assert "was killed; runs again" in said
    assert {name: count for name, count in began(folder).items() if count > 1} == {TEACHER: 2}


@pytest.mark.slow
def test_a_fault_stops_what_needs_it_and_what_has_ended_never_runs_again(folder):
    fault = folder / "fail" / SWEEP
    fault.write_text("2")
    driver = start(folder, "-j", "2")
    said, _ = driver.communicate()
    assert driver.returncode == 2, said
    assert f"{SWEEP} failed; the end of its output" in said
    assert f"kdprune: {SWEEP}: is at fault" in said
    assert not (folder / COLLECTED).exists()
    first = began(folder)
    assert first[SWEEP] == 1
    fault.unlink()
    driver = start(folder, "-j", "2")
    said, _ = driver.communicate()
    assert driver.returncode == 0, said
    assert (folder / COLLECTED).exists()
    again = {name for name, count in began(folder).items() if count > first.get(name, 0)}
    assert SWEEP in again
    assert not again & (first.keys() - {SWEEP})


@pytest.mark.slow
def test_a_second_run_changes_nothing_and_the_first_goes_on_without_a_reader(folder):
    release = hold(folder)
    driver = start(folder, "-j", "2")
    until(lambda: began(folder).get(TEACHER))
    before = (folder / "params.yaml").read_bytes()
    second = start(folder, "--set", "teach.epochs=7")
    said, _ = second.communicate()
    assert second.returncode == 2
    assert said.startswith("kdprune: a run is under way in this folder")
    assert said.count("\n") == 1
    assert (folder / "params.yaml").read_bytes() == before
    told = start(folder, "--status").communicate()[0]
    assert f"runs: {TEACHER}" in told
    driver.stdout.close()  # as `head` does
    release()
    assert driver.wait(120) == 0
    assert (folder / COLLECTED).exists()
    assert start(folder, "--status").communicate()[0].endswith("\nnot running\n")


@pytest.mark.slow
def test_what_ctrl_c_stopped_is_told_as_stopped(folder):
    hold(folder)
    driver = start(folder, "-j", "2")
    until(lambda: began(folder).get(TEACHER))
    driver.send_signal(signal.SIGINT)
    assert driver.wait(30) == 130
    assert not leaders(folder)
    told = start(folder, "--status").communicate()[0]
    assert "runs:" not in told
    assert "left: `kdprune run` goes on" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    [
        signal.SIGKILL,
        *(pytest.param(each, marks=pytest.mark.long) for each in (signal.SIGTERM, signal.SIGINT)),
    ],
)
def test_collecting_ends_with_the_run_and_the_same_command_goes_on(folder, number):
    release = hold(folder, "breakpoints")
    driver = start(folder, "-j", "2")
    until((folder / ".run/began/breakpoints").exists)
    driver.send_signal(number)
    said, _ = driver.communicate()
    assert driver.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert ("the same command goes on" in said) == (number == signal.SIGINT)
    until(lambda: not workers(folder), 10)
    release()
    driver = start(folder, "-j", "2")
    said, _ = driver.communicate()
    assert driver.returncode == 0, said
    assert (folder / COLLECTED).exists()
    assert set(began(folder).values()) == {1}


@pytest.mark.slow
def test_refused_options_change_no_parameter(folder):
    before = (folder / "params.yaml").read_bytes()
    driver = start(folder, "--set", "teach.epochs=7", "-j", "2", KDPRUNE_DEVICE="cuda:0")
    said, _ = driver.communicate()
    assert (driver.returncode, said.count("\n")) == (2, 1), said
    assert "raise --per-gpu" in said
    assert (folder / "params.yaml").read_bytes() == before


class Dying:
    """An engine whose slots die with whatever they are given."""

    def submit(self, slot, name):
        future = Future()
        future.set_result(Done(-9, tail="the node is gone", slot_lost=True))
        return future

    def stop(self):
        pass


@pytest.mark.parametrize("slots", [1, 2])
def test_lost_slots_end_the_run_and_are_told(slots, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    needs = {"teach@a": [], "prune@a": ["teach@a"]}
    room = places.Room([f"ray {at}" for at in range(slots)], {}, {})
    assert not driving.spread(needs, Dying(), room)
    assert "the node is gone" in capsys.readouterr().err


def test_a_status_that_cannot_be_written_stops_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".run").mkdir()
    (tmp_path / ".run/run.json").mkdir()

    class Instant(Dying):
        def submit(self, slot, name):
            future = Future()
            future.set_result(Done(0))
            return future

    assert driving.spread({"teach@a": [], "teach@b": []}, Instant(), places.Room([""], {}, {}))
    assert capsys.readouterr().err.count("`--status` tells no more") == 1


def test_what_starts_while_all_is_stopped_ends_as_well(tmp_path, monkeypatch):
    sleeper = tmp_path / "python"
    sleeper.write_text("#!/bin/sh\nexec sleep 30\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(sleeper))
    engine = here.Here([{}], tmp_path)
    engine._stopping = True  # as if `stop` had looked just before
    began = time.monotonic()
    assert engine.submit(0, "teach@a").result().status == -signal.SIGTERM
    assert time.monotonic() - began < 10
    engine.stop()


def test_a_log_that_cannot_be_written_is_a_failure_and_no_traceback(tmp_path):
    (tmp_path / ".run").touch()
    done = here.Here([{}], tmp_path).submit(0, "teach@a").result()
    assert done.status == 1
    assert "teach-a.txt" in done.tail


def test_one_run_holds_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with driving.alone(), pytest.raises(KdpruneError, match="a run is under way"), driving.alone():
        pass
    with driving.alone():  # it was let go
        pass
