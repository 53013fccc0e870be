"""The Ray engine, against a stand-in for Ray everywhere and against Ray itself where it is."""

import functools
import importlib.util
import os
import socket
import sys
import tempfile
import threading
import time
import types

import pytest
import workspace

from kdprune.errors import KdpruneError
from kdprune.running import here, on_ray, ray_cluster, ray_place, slot

RAY = importlib.util.find_spec("ray") is not None


class RayError(Exception):
    """What Ray says of its own faults."""


class RayTaskError(RayError):
    """What Ray makes of an error in our code."""


class OutOfMemoryError(RayError):
    """What Ray's monitor of memory leaves."""


class ActorDiedError(RayError):
    """What is left of a slot on a node that died."""


KINDS = (RayError, RayTaskError, OutOfMemoryError, ActorDiedError)


class Ray(types.ModuleType):
    """A stand-in: actors live in this process, and answer when they are asked by `get`."""

    def __init__(self):
        super().__init__("ray")
        self.exceptions = types.SimpleNamespace(**{kind.__name__: kind for kind in KINDS})
        self.machines, self.inits, self.made, self.killed = [node("a", 4)], [], [], []
        self.refused: BaseException | None = None
        self.ended = False

    def init(self, **words):
        self.inits.append(words)
        if self.refused:
            raise self.refused

    def nodes(self):
        return self.machines

    def put(self, value):
        return value

    def get_runtime_context(self):
        return types.SimpleNamespace(get_node_id=lambda: self.machines[0]["NodeID"])

    def remote(self, **words):
        return lambda kind: types.SimpleNamespace(remote=lambda *given: self._actor(kind, given))

    def _actor(self, kind, given):
        body = kind(*given)
        calls = {
            name: types.SimpleNamespace(
                remote=lambda *a, name=name: functools.cache(lambda: getattr(body, name)(*a))
            )
            for name in ("ready", "run", "leave")
        }
        self.made.append(types.SimpleNamespace(body=body, **calls))
        return self.made[-1]

    def wait(self, asked, **_):
        for one in asked:
            one()
        return list(asked), []

    def get(self, answer):
        return answer()

    def kill(self, actor):
        self.killed.append(actor)

    def shutdown(self):
        self.ended = True


def node(name, cpus, gpus=0, alive=True):
    return {"NodeID": name, "Alive": alive, "Resources": {"CPU": cpus, "GPU": gpus}}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A folder with a commit, which is where we are; slots lie in a temporary folder of its own."""
    folder = tmp_path / "study"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc/config").write_text("")
    (folder / ".gitignore").write_text(".dvc/config.local\n.run\n")
    workspace.git(folder, "init", "-q", "-b", "main")
    workspace.commit(folder, "one")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("OMP_NUM_THREADS", "RAY_ADDRESS", "KDPRUNE_UNFINISHED"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def ray(study, monkeypatch):
    fake = Ray()
    monkeypatch.setitem(sys.modules, "ray", fake)
    return fake


def engine(address="auto", count=None, gpu=0.0):
    return on_ray.OnRay(address, count, gpu, settings="", remote=False)


def test_local_starts_a_cluster_of_its_own_with_room_for_what_is_asked(ray, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "elsewhere:1")
    engine("local", 3)
    assert ray.inits[0]["address"] == "local"
    assert ray.inits[0]["num_cpus"] >= 3


@pytest.mark.parametrize("address", ["garbage", "ray://127.0.0.1:10001", "a:99999", ":1", ""])
def test_what_is_no_address_is_told_in_a_line(ray, address):
    with pytest.raises(KdpruneError, match=r"no address .* auto, local, HOST:PORT"):
        engine(address)
    assert not ray.inits


def test_an_address_that_the_environment_has_is_named(ray, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "http://head:8265")  # `ray job submit` takes such
    with pytest.raises(KdpruneError, match="--ray auto: 'http://head:8265' is no address"):
        engine()


def test_a_port_on_which_nobody_listens_is_told_at_once(ray, monkeypatch):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(KdpruneError, match=f"--ray {address}: .*refused"):
            engine(address)
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(KdpruneError, match=r"--ray auto: .*refused"):
            engine()
    assert not ray.inits


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Version mismatch:\nthe cluster has 2.1"),
        RayError("Version mismatch:\nInvalidAuthToken"),
        ConnectionError("Version mismatch: x"),
    ],
)
def test_a_cluster_that_refuses_us_is_told_in_a_line(ray, error):
    ray.refused = error
    with pytest.raises(KdpruneError, match=r"^--ray auto: Version mismatch: .*allowed: auto.*$"):
        engine()


def test_a_program_that_is_no_ray_is_not_waited_for(ray, monkeypatch):
    ended = threading.Event()
    monkeypatch.setattr(ray, "init", lambda **_: ended.wait())
    monkeypatch.setattr(ray_cluster, "JOIN", 0.1)
    with pytest.raises(KdpruneError, match="no Ray answers"):
        engine()
    ended.set()


@pytest.mark.parametrize(
    ("nodes", "gpu", "expected"),
    [
        ([node("a", 8), node("b", 3), node("c", 1)], 0.0, (4 + 1 + 1, 12)),
        ([node("a", 8), node("b", 8, alive=False)], 0.0, (4, 8)),
        ([node("head", 0)], 0.0, (0, 0)),
        ([node("a", 8, 2), node("b", 8, 1), node("c", 8)], 1.0, (3, 3)),
        ([node("a", 8, 2)], 1 / 3, (6, 6)),
        ([node("a", 8, 2)], 0.4, (4, 4)),  # a share lies on one GPU: not five
        ([node("a", 2, 4)], 1.0, (2, 2)),  # each asks for a CPU too
    ],
)
def test_as_many_slots_as_the_nodes_have_room_for(nodes, gpu, expected):
    assert ray_cluster.room(nodes, gpu) == expected


def test_more_than_fit_is_told_and_not_waited_for(ray, capsys):
    assert len(engine(count=9).actors) == 4
    assert "9 slots asked, 4 fit" in capsys.readouterr().out
    assert len(engine().actors) == 2
    assert len(engine(count=3).actors) == 3
    with pytest.raises(KdpruneError, match="no room for a slot with 1 GPU"):
        engine(gpu=1.0)
    assert ray.ended


def test_threads_are_the_users_or_a_share_of_the_node(ray, monkeypatch, capsys):
    made = engine(count=2)
    assert [each["OMP_NUM_THREADS"] for each in made.variables] == ["2", "2"]
    assert "2 at once, 2 thread(s) each: rounding may differ" in capsys.readouterr().out
    nodes = [node("a", 8), node("b", 2)]
    assert ray_cluster.threads(nodes, ["a", "b", "a", "b", "b"]) == [4, 1, 4, 1, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert [each["OMP_NUM_THREADS"] for each in engine(count=2).variables] == ["3", "3"]
    assert "rounding" not in capsys.readouterr().out
    monkeypatch.setattr(slot, "run", lambda name, folder, **w: (0, repr(w).encode()))
    made = engine(count=1)
    made.submit(0, "teach@a").result()
    assert "'OMP_NUM_THREADS': '3'" in (here.LOGS / "teach-a.txt").read_text()


@pytest.mark.parametrize(
    ("error", "lost", "crowded"),
    [
        (ActorDiedError("raylet died"), True, False),
        (OutOfMemoryError("killed"), True, True),
        (ActorDiedError("the node was running low on memory"), True, True),
        (RayTaskError("No such file or directory: 'git'"), False, False),
        (TypeError("odd"), False, False),
        (SystemExit(1), False, False),
    ],
)
def test_a_lost_slot_is_told_from_a_fault_on_a_living_node(ray, monkeypatch, error, lost, crowded):
    made = engine(count=2)

    def fails(name, folder, **words):
        raise error

    monkeypatch.setattr(slot, "run", fails)
    done = made.submit(0, "teach@a").result()
    assert (done.slot_lost, done.crowded) == (lost, crowded)
    assert done.status
    assert str(error) in done.tail
    assert (made.actors[0] in ray.killed) == lost


def test_the_output_of_an_attempt_lies_where_that_of_here_does(ray, monkeypatch):
    made = engine(count=1)
    text = b"\n".join(b"line %d" % at for at in range(100))
    monkeypatch.setattr(slot, "run", lambda *a, **w: (1, text + b"\nmachine has no memory left"))
    done = made.submit(0, "teach@a").result()
    assert (here.LOGS / "teach-a.txt").read_bytes().startswith(b"line 0\n")
    assert "line 99" in done.tail
    assert "line 50" not in done.tail
    assert done.crowded
    monkeypatch.setattr(slot, "run", lambda *a, **w: (0, text))
    assert made.submit(0, "teach@a").result().tail == ""


def test_where_no_slot_can_be_made_the_reason_is_told(ray, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ray_place.Place, "fill", full)
    with pytest.raises(KdpruneError, match=r"no slot could be made: .*No space left on device"):
        engine()
    assert ray.ended


def test_a_slot_that_cannot_be_made_is_told_and_the_others_work(ray, monkeypatch, capsys):
    fill, calls = ray_place.Place.fill, []

    def sometimes(self, *words):
        calls.append(self)
        if len(calls) == 1:
            raise KdpruneError("git clone: fatal: broken")
        fill(self, *words)

    monkeypatch.setattr(ray_place.Place, "fill", sometimes)
    assert len(engine(count=2).actors) == 1
    assert "1 of 2 slots; the others could not be made: git clone" in capsys.readouterr().out


def test_a_folder_without_a_commit_is_told_before_ray_is_asked(ray, tmp_path, monkeypatch):
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path / "new")
    workspace.git(tmp_path / "new", "init", "-q")
    with pytest.raises(KdpruneError, match="commit once here"):
        engine()
    assert not ray.inits


def test_unfinished_work_is_found_by_the_next_run_and_clones_go(ray, study, monkeypatch):
    monkeypatch.setattr(slot, "run", lambda name, folder, **w: (0, repr(w["variables"]).encode()))

    def run():
        made = engine(count=2)
        clones = [one.body.place.clone for one in ray.made[-2:]]
        assert len({*clones}) == 2
        assert all((clone / ".dvc/config").exists() for clone in clones)
        made.submit(0, "a").result()
        made.submit(1, "b").result()
        made.stop()
        for actor in ray.made[-2:]:  # a process that ends gives up its lock
            actor.body.place._held.release()
        said = [(here.LOGS / f"{name}.txt").read_text() for name in "ab"]
        assert not any(clone.exists() for clone in clones)
        return clones, said

    first = run()
    assert first[1][0] == first[1][1]
    (study / "more").write_text("")
    workspace.commit(study, "another")
    assert run() == first
    base = next(study.parent.glob("kdprune-*"))
    assert [folder.stat().st_mode & 0o777 for folder in (base, *base.iterdir())] == [0o700] * 2


def test_a_clone_in_which_something_failed_stays_and_is_taken_up(ray, study, monkeypatch):
    monkeypatch.setattr(slot, "run", lambda *a, **w: (1, b"the push failed"))
    made = engine(count=1)
    place = ray.made[0].body.place
    made.submit(0, "a").result()
    (place.clone / ".run").mkdir()
    made.stop()
    place._held.release()
    (study / "more").write_text("")
    engine(count=1)
    assert ray.made[-1].body.place.clone == place.clone
    assert (place.clone / ".run").exists()
    assert (place.clone / "more").exists()


def test_half_a_clone_is_made_anew(study):
    place = ray_place.claim("a")
    (place.clone / ".git").mkdir(parents=True)
    place.fill(on_ray._bundled(), "x")
    assert (place.clone / ".dvc/config.local").read_text() == "x"


def test_a_folder_that_another_has_put_there_is_refused(study, tmp_path):
    (tmp_path / f"kdprune-{os.getuid()}").symlink_to(study)
    with pytest.raises(KdpruneError, match="another user's"):
        ray_place.claim("a")


@pytest.mark.skipif(not RAY, reason="ray is not installed")
def test_with_ray_itself_slots_answer_run_and_fail(study, monkeypatch):
    import ray

    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    made = engine("local", 2)
    try:
        assert len(made.actors) == 2
        done = made.submit(0, "teach@none").result()  # no DVC project is there
        assert done.status
        assert not done.slot_lost
        assert "dvc.yaml" in done.tail or "No such" in done.tail or "does not exist" in done.tail
        ray.kill(made.actors[1])
        since = time.monotonic()
        assert made.submit(1, "teach@none").result().slot_lost
        assert time.monotonic() - since < 60
    finally:
        made.stop()
    assert not ray.is_initialized()
