"""A slot's clone, and the Ray engine: work only where an answer came, nothing after death."""

import importlib.util
import subprocess
import types

import pytest
import workspace

from kdprune.errors import KdpruneError
from kdprune.running import on_ray, slot

RAY = importlib.util.find_spec("ray") is not None


@pytest.fixture
def study(tmp_path):
    """A folder with a commit, a change that is not committed, and a file that is ignored."""
    folder = tmp_path / "a study"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc/config").write_text("")
    (folder / "params.yaml").write_text("a: 1\n")
    (folder / ".gitignore").write_text("secret\n.dvc/config.local\n")
    workspace.git(folder, "init", "-q", "-b", "main")
    workspace.commit(folder, "one")
    (folder / "params.yaml").write_text("a: 2\n")
    (folder / "new.py").write_text("")
    (folder / "secret").write_text("token")
    return folder


def told(folder, *arguments):
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_clone_has_what_is_there_and_nothing_that_git_ignores(study, tmp_path):
    before = told(study, "status", "--porcelain"), told(study, "for-each-ref")
    file, place = tmp_path / "bundle", tmp_path / "node" / "slot"
    slot.bundle(study, file)
    slot.clone(file, place, "[cache]\n    dir = /shared\n")
    assert (place / "params.yaml").read_text() == "a: 2\n"
    assert (place / "new.py").exists()
    assert not (place / "secret").exists()
    assert "/shared" in (place / ".dvc/config.local").read_text()
    assert (told(study, "status", "--porcelain"), told(study, "for-each-ref")) == before


def test_with_a_remote_what_ran_is_pushed():
    assert slot.commands("teach@a", remote=False) == [["repro", "teach@a"]]
    pulled, pushed = slot.commands("teach@a", remote=True)
    assert "--pull" in pulled
    assert pushed == ["push", "--run-cache", "teach@a"]


class Lost(Exception):
    """What Ray says of a node that died."""


def engine(answers):
    """An engine whose slots answer as told, without a cluster."""
    made = on_ray.OnRay.__new__(on_ray.OnRay)

    def get(answer):
        if isinstance(answer, Exception):
            raise answer
        return answer

    killed = []
    made.ray = types.SimpleNamespace(
        wait=lambda asked, **_: (
            [one for one in asked if one != "late"],
            [one for one in asked if one == "late"],
        ),
        get=get,
        kill=killed.append,
        exceptions=types.SimpleNamespace(RayError=Lost),
    )
    ready = [
        types.SimpleNamespace(ready=types.SimpleNamespace(remote=lambda a=a: a)) for a in answers
    ]
    return made, ready, killed


def test_work_goes_only_to_slots_that_have_answered():
    made, actors, killed = engine(["there", "late", Lost("no node")])
    assert made._answering(actors) == actors[:1]
    assert killed == actors[1:2]
    made, actors, _ = engine(["late"])
    with pytest.raises(KdpruneError, match="no slot answered"):
        made._answering(actors)


def test_a_dead_node_is_a_lost_slot_and_a_fault_is_none():
    made, _, _ = engine([])
    made.actors = [
        types.SimpleNamespace(run=types.SimpleNamespace(remote=lambda name: Lost("raylet died"))),
        types.SimpleNamespace(
            run=types.SimpleNamespace(remote=lambda name: (2, "why", False, 1.0))
        ),
    ]
    assert made._run(0, "a").slot_lost
    done = made._run(1, "a")
    assert (done.status, done.tail, done.slot_lost) == (2, "why", False)


@pytest.mark.skipif(RAY, reason="ray is installed")
def test_without_ray_a_line_says_how_to_get_it():
    with pytest.raises(KdpruneError, match="Ray is not installed"):
        on_ray.OnRay("auto", 1, 0.0, settings="", remote=False)
