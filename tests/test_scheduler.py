"""The scheduler against an engine that computes nothing: order, failures, lost slots, no hang."""

import random
from concurrent.futures import Future

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdprune.running.makespan import makespan
from kdprune.running.scheduler import FAULT, Done, schedule


class Fake:
    """Answers as told; checks that slots run one instance each, and needs are met."""

    def __init__(self, needs, answers, seed=0):
        self.needs, self.answers, self.random = needs, answers, random.Random(seed)
        self.ran, self.done, self.pending, self.lost = [], set(), {}, set()

    def submit(self, slot, name):
        assert slot not in self.pending, "a slot runs two"
        assert slot not in self.lost, "a lost slot is given work"
        assert {item for item in self.needs[name] if item in self.needs} <= self.done
        self.ran.append((name, slot))
        status = self.answers[name].pop(0) if self.answers.get(name) else 0
        future = Waiting(self)
        self.pending[slot] = (future, name, status)
        return future

    def finish(self):
        slot = self.random.choice(sorted(self.pending))
        future, name, status = self.pending.pop(slot)
        if status == "lost":
            self.lost.add(slot)
        elif status == 0:
            self.done.add(name)
        future.set_result(Done(-9 if status == "lost" else status, slot_lost=status == "lost"))


class Waiting(Future):
    """Ends when somebody waits for it, in an order of the engine's choice."""

    def __init__(self, engine):
        super().__init__()
        self.engine = engine


@pytest.fixture(autouse=True)
def _waits(monkeypatch):
    def wait(futures, return_when):
        engine = next(iter(futures)).engine
        engine.finish()
        done = {future for future in futures if future.done()}
        return type("Result", (), {"done": done})

    monkeypatch.setattr("kdprune.running.scheduler.wait", wait)


NEEDS = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": ["outside"]}


def test_everything_runs_once_in_order():
    engine = Fake(NEEDS, {})
    assert set(schedule(NEEDS, engine, [0]).values()) == {"done"}
    assert [name for name, _ in engine.ran] == list("abcde")


def test_a_killed_stage_is_run_once_more_on_its_slot():
    engine = Fake(NEEDS, {"b": [-9]})
    assert set(schedule(NEEDS, engine, [0, 1]).values()) == {"done"}
    places = [slot for name, slot in engine.ran if name == "b"]
    assert len(places) == 2
    assert len(set(places)) == 1


def test_a_fault_is_not_retried_and_stops_only_what_needs_it():
    engine = Fake(NEEDS, {"b": [FAULT]})
    ended = schedule(NEEDS, engine, [0, 1])
    assert ended == {"a": "done", "b": "failed", "c": "done", "d": "not run", "e": "done"}
    assert [name for name, _ in engine.ran].count("b") == 1


def test_two_failures_are_enough():
    engine = Fake(NEEDS, {"a": [1, 1]})
    ended = schedule(NEEDS, engine, [0])
    assert ended["a"] == "failed"
    assert ended["e"] == "done"
    assert [name for name, _ in engine.ran].count("a") == 2


def test_a_lost_slot_gets_no_work_and_its_instance_goes_elsewhere():
    engine = Fake(NEEDS, {"a": ["lost"]})
    assert set(schedule(NEEDS, engine, [0, 1]).values()) == {"done"}


def test_what_kills_its_slots_takes_two_of_them(told):
    engine = Fake(NEEDS, {"a": ["lost"] * 9})
    ended = schedule(NEEDS, engine, [0, 1, 2, 3], told.append)
    assert ended == {"a": "failed", "b": "not run", "c": "not run", "d": "not run", "e": "done"}
    assert len(engine.lost) == 2


def test_a_slot_that_fails_one_after_the_other_is_left_out(told):
    needs = {str(at): [] for at in range(12)}

    class Broken(Fake):
        def submit(self, slot, name):
            self.answers[name] = [1] if slot == 1 else [0]
            return super().submit(slot, name)

    ended = schedule(needs, Broken(needs, {}), [0, 1, 2], told.append)
    assert list(ended.values()).count("failed") == 2
    assert [event.slot for event in told if event.kind == "left out"] == [1]


def test_the_last_slot_is_never_left_out():
    needs = {str(at): [] for at in range(5)}
    engine = Fake(needs, {name: [1, 1] for name in "0123"})
    assert schedule(needs, engine, [0])["4"] == "done"


def test_what_has_no_room_is_passed_a_few_times_and_then_waited_for():
    needs = {"small": [], "big": [], **{str(at): [] for at in range(20)}}
    engine = Fake(needs, {})

    def fits(name, slot, running, alone):
        return "big" not in {name, *running.values()} or not running

    schedule(needs, engine, [0, 1], fits=fits)
    names = [name for name, _ in engine.ran]
    assert names.index("big") <= 6


def test_places_are_filled_evenly():
    engine = Fake({"x": [], "y": [], "z": []}, {})
    schedule(engine.needs, engine, range(4), place=lambda slot: slot // 2)
    assert {slot // 2 for name, slot in engine.ran[:2]} == {0, 1}


@pytest.fixture
def told():
    return []


def test_without_slots_nothing_hangs():
    engine = Fake(NEEDS, {"a": ["lost"], "e": ["lost"]})
    assert "done" not in schedule(NEEDS, engine, [0]).values()


def test_a_circle_is_refused():
    with pytest.raises(ValueError, match="need each other"):
        schedule({"a": ["b"], "b": ["a"]}, Fake({}, {}), [0])


@st.composite
def studies(draw):
    count = draw(st.integers(1, 12))
    needs = {
        str(at): [str(one) for one in range(at) if draw(st.integers(0, 3)) == 0]
        for at in range(count)
    }
    ends = st.lists(st.sampled_from([0, 0, 0, 1, -9, FAULT, "lost"]), max_size=4)
    return needs, {name: draw(ends) for name in needs}, draw(st.integers(1, 4))


@given(studies(), st.integers(0, 1000))
@settings(max_examples=300, deadline=None)
def test_any_study_ends_and_nothing_runs_beyond_the_rules(study, seed):
    needs, answers, slots = study
    given_answers = {name: list(items) for name, items in answers.items()}
    engine = Fake(needs, answers, seed)
    ended = schedule(needs, engine, range(slots))
    assert ended.keys() == needs.keys()
    assert {name for name, how in ended.items() if how == "done"} == engine.done
    for name, how in ended.items():
        runs = [item for item, _ in engine.ran if item == name]
        lost = given_answers[name][: len(runs)].count("lost")
        assert len(runs) - lost <= 2
        if how == "not run" and len(engine.lost) < slots:
            assert any(ended.get(item, "done") != "done" for item in needs[name])


@given(studies())
@settings(max_examples=100, deadline=None)
def test_a_makespan_lies_between_its_bounds(study):
    needs, _, slots = study
    seconds = {name: 1.0 + int(name) % 3 for name in needs}
    longest = {}
    for name in needs:
        longest[name] = seconds[name] + max((longest[item] for item in needs[name]), default=0)
    took = makespan(needs, seconds, slots)
    assert took >= max(longest.values())
    assert took >= sum(seconds.values()) / slots - 1e-9
    assert took <= sum(seconds.values())
    assert makespan(needs, seconds, 1) == pytest.approx(sum(seconds.values()))
