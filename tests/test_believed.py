"""Which times of earlier runs a forecast takes over: those of the same parameters."""

import json

import pytest
import yaml

from kdprune.running import believed

NEEDS = {"download@c": [], "teach@a": ["download@c"], "distill@b": ["download@c", "teach@a"]}
VALUES = {"data": {"source": "embedded"}, "teach": {"epochs": 4, "lr": 0.1}, "kd": {"t": [1, 2]}}
NAMED = {
    "download@c": {"data.source": "embedded"},
    "teach@a": {"teach": {"epochs": 4, "lr": 0.1}},
    "distill@b": {"kd.t": [1, 2]},
}
ALL = {"download@c": 7.0, "teach@a": 7.0, "distill@b": 7.0}


@pytest.fixture
def folder(tmp_path):
    """A folder in which each instance took seven seconds."""
    for name in NEEDS:
        path = tmp_path / f"{name.replace('@', '-')}.json"
        path.write_text(json.dumps([{"ended": "ok", "seconds": 7.0}]))
    entries = {name: {"cmd": "-", "params": {"params.yaml": own}} for name, own in NAMED.items()}
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": entries}))
    return tmp_path


def timed(folder, values):
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    return believed.timed(NEEDS, folder / "params.yaml", folder, folder / "dvc.lock")


def test_times_hold_for_the_parameters_that_they_were_taken_with(folder):
    assert timed(folder, VALUES | {"prune": {"seeds": 3}}) == ALL  # which none of them names
    assert timed(folder, VALUES | {"kd": {"t": [1, 3]}}) == ALL | {"distill@b": None}
    assert timed(folder, VALUES | {"kd": {}}) == ALL | {"distill@b": None}


@pytest.mark.parametrize(
    ("changed", "left"),
    [({"teach": {"epochs": 9, "lr": 0.1}}, {"download@c": 7.0}), ({"data": {"source": "x"}}, {})],
)
def test_what_an_instance_needs_must_be_the_same_too(changed, left, folder):
    """More images change no parameter of a training, and all of its time."""
    assert timed(folder, VALUES | changed) == dict.fromkeys(NEEDS) | left


@pytest.mark.parametrize("lock", ["", "stages: 3", "stages: {teach@a: []}", "{", None])
def test_without_a_record_no_time_is_believed(lock, folder):
    (folder / "dvc.lock").unlink() if lock is None else (folder / "dvc.lock").write_text(lock)
    assert timed(folder, VALUES) == dict.fromkeys(NEEDS)


def test_without_times_nothing_is_read(tmp_path):
    assert believed.timed(NEEDS, tmp_path / "no", tmp_path, tmp_path / "no") == dict.fromkeys(NEEDS)
