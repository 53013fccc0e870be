"""The lines of `kdprune run` on a terminal: one for each slot, below those that stay."""

import contextlib
import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
import time

import fake_study
import pytest
from fake_study import TEACHER

from kdprune.running.here import log_of
from kdprune.running.live import Board
from kdprune.running.scheduler import Event


@pytest.fixture
def board(tmp_path):
    """A board of two slots, of which the second runs a training."""
    made = Board(tmp_path)
    (tmp_path / log_of("teach@a")).parent.mkdir(parents=True)
    made.note(Event("started", "teach@a", 1))
    return made


def write(board, text):
    """Write what a stage says, below what DVC says of it."""
    began = b"Running stage 'teach@a':\n> python -m stages teach a\n"
    (board.folder / log_of("teach@a")).write_bytes(began + text)


def test_a_line_has_slot_name_time_and_the_last_words(board):
    write(board, b"a: epoch 1/9, 70 images/s\na: epoch 2/9, 71 images/s\n\n")
    assert board.lines() == ["slot 2  teach@a  0 s  epoch 2/9, 71 images/s"]


def test_nothing_that_a_log_holds_commands_the_terminal(board):
    write(board, b"\x1b[2Jgone\rlast \x1b[31m\xff")
    assert board.lines() == ["slot 2  teach@a  0 s  last \\x1b[31m\N{REPLACEMENT CHARACTER}"]


def test_a_stage_that_has_said_nothing_yet_has_no_words(board):
    write(board, b"")
    assert board.lines() == ["slot 2  teach@a  0 s"]


def test_a_long_log_is_read_from_its_end(board):
    write(board, b"a: epoch 1/9\n" * 10_000)
    assert board.lines() == ["slot 2  teach@a  0 s  epoch 1/9"]


def test_words_of_an_earlier_attempt_are_not_told(board):
    write(board, b"epoch 9/9")
    before = time.time() - 60
    os.utime(board.folder / log_of("teach@a"), (before, before))
    assert board.lines() == ["slot 2  teach@a  0 s"]


@pytest.mark.parametrize("kind", ["done", "failed", "moved", "retried"])
def test_what_has_ended_has_no_line(board, kind):
    board.note(Event(kind, "teach@a", 1))
    board.note(Event("not run", "teach@b"))
    assert board.lines() == []


def on_a_terminal(folder, shows, seconds=120):
    """Run a study on a terminal of 60 columns; let the teacher go once `shows` was seen there."""
    own, its = os.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    held = folder / "hold" / TEACHER
    held.touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "kdprune", "run", "-j", "2"],
        cwd=folder,
        env={**os.environ, "TERM": "xterm", "PYTHONPATH": str(folder)},
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    said, until = b"", time.monotonic() + seconds
    with contextlib.suppress(OSError):  # how Linux says that nobody writes any more
        while time.monotonic() < until and (more := os.read(own, 4096)):
            said += more
            if re.search(shows, said.decode(errors="replace")):
                held.unlink(missing_ok=True)
    held.unlink(missing_ok=True)
    os.close(own)
    return process.wait(), said.decode()


@pytest.fixture
def folder(tmp_path):
    return fake_study.copy(fake_study.make(tmp_path / "pristine"), tmp_path / "study")


@pytest.mark.slow
def test_each_slot_has_a_line_while_it_runs_and_events_stay(folder):
    line = rf"slot [12]  {TEACHER}  [2-9] s"
    status, said = on_a_terminal(folder, line)
    assert status == 0
    assert re.search(line, said)
    name = TEACHER.partition("@")[2]
    assert re.search(rf"teach 1 of 1 {name}\s+done in", said)
    hidden = said.rpartition("\x1b[?25l")[2].partition("\x1b[?25h")
    assert hidden[1], "the cursor is there again"
    assert "slot" not in hidden[0], "at once: a kill -9 would leave it hidden in the shell"


@pytest.mark.long  # tests/test_run.py reads such a run, too
@pytest.mark.slow
def test_what_is_no_terminal_gets_events_alone(folder):
    said, _ = fake_study.start(folder, "-j", "2").communicate()
    assert "teach 1 of 1" in said
    assert not re.search(r"\x1b|slot \d  ", said)
