"""Runs instances on the nodes of a Ray cluster, in persistent slots: a clone each.

Nothing is taken to exist on a node but this Python with kdprune's dependencies, git, and a remote
or a shared cache. `ray stop` is never called: it ends every Ray of the user.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from kdprune.errors import KdpruneError
from kdprune.running import here, places, ray_cluster, slot
from kdprune.running.ray_slot import Slot
from kdprune.running.scheduler import Done

ANSWER = 180.0  # seconds in which a slot must have answered to be given work
LEAVE = 20.0  # seconds in which idle slots must have removed their clones
SHOWN = 2000  # characters of an error that are shown
LOW = "low on memory"  # Ray's words where its monitor killed an actor, whatever the class of error


def require() -> Any:
    """Return Ray. Raises KdpruneError where it is not installed."""
    try:
        import ray
    except ImportError:
        raise KdpruneError(
            "--ray: Ray is not installed; `python -m pip install 'kdprune[ray]'` in .venv"
        ) from None
    return ray


class OnRay:
    """The engine. `address` "auto" joins a running cluster, "local" starts one here.

    `actors` are the slots that answered; `gpu` is each one's share of a GPU.
    """

    def __init__(
        self, address: str, count: int | None, gpu: float, *, settings: str, remote: bool
    ) -> None:
        self.ray: Any = (ray := require())
        own = os.environ.get("OMP_NUM_THREADS")  # before Ray, which sets it in its processes
        study, bundled = slot.identity(Path()), _bundled()
        ray_cluster.connect(ray, address, count)
        try:
            wanted, line = ray_cluster.chosen(ray.nodes(), count, gpu)
            if line:
                print(line)
            made = ray.remote(max_restarts=0, num_gpus=gpu, num_cpus=1)(Slot)
            held = ray.put(bundled)
            actors = [made.remote(study, held, settings, remote) for _ in range(wanted)]
            self.actors, placed = self._answering(actors)
        except BaseException:
            ray.shutdown()
            raise
        self.variables = self._variables(placed, own, gpu)
        self._running: dict[int, str] = {}
        self._pool = ThreadPoolExecutor(max_workers=len(self.actors))

    def _variables(self, placed: Sequence[str], own: str | None, gpu: float) -> list[dict]:
        """Return each slot's: the user's number of threads, else the node's CPUs by its slots.

        Ray would set one thread for all, silently, whatever the user has.
        """
        hidden = {} if gpu else {"CUDA_VISIBLE_DEVICES": ""}  # a GPU that was not asked for
        if own:
            return [{**hidden, "OMP_NUM_THREADS": own} for _ in placed]
        counts = ray_cluster.threads(self.ray.nodes(), placed)
        each = [{**hidden, "OMP_NUM_THREADS": str(count)} for count in counts]
        if line := places.threads(each):
            print(line)
        return each

    def _answering(self, actors: Sequence[Any]) -> tuple[list[Any], list[str]]:
        """Return the actors that answer in time, and their nodes; end the others.

        Raises KdpruneError with the first one's reason where none has a clone.
        """
        asked = {actor.ready.remote(): actor for actor in actors}
        ended, late = self.ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER)
        there, nodes, faults = [], [], []
        for answer in ended:
            node, fault = self._told(answer)
            if fault:
                faults.append(fault)
                self._kill(asked[answer])
            else:
                there.append(asked[answer])
                nodes.append(node)
        for answer in late:
            self._kill(asked[answer])
        if late:
            faults.append(f"{len(late)} did not answer in {ANSWER:.0f} s; see `ray status`")
        why = f": {' '.join(faults[0].split())[-SHOWN:]}" if faults else ""
        if not there:
            raise KdpruneError(f"--ray: no slot could be made{why}")
        if faults:
            print(f"{len(there)} of {len(asked)} slots; the others could not be made{why}")
        return there, nodes

    def _told(self, answer: Any) -> tuple[str, str]:
        """Return a slot's node and its fault; an actor that could not even begin has one too."""
        try:
            return self.ray.get(answer)
        except Exception as error:
            lines = str(error).strip().splitlines()
            return "", lines[-1] if lines else type(error).__name__

    def _kill(self, actor: Any) -> None:
        with contextlib.suppress(Exception):
            self.ray.kill(actor)

    def submit(self, at: int, name: str) -> "Future[Done]":
        """Run an instance on a slot that has answered."""
        self._running[at] = name
        return self._pool.submit(self._run, at, name)

    def _run(self, at: int, name: str) -> Done:
        """Run an instance, and write the end of its output to .run/log, as Here does."""
        start = time.monotonic()
        try:
            asked = self.actors[at].run.remote(name, self.variables[at])
            status, output, taken = self.ray.get(asked)
            self._running.pop(at, None)  # one that was lost stays: it can remove nothing
            fault = _log(name, output)
        except BaseException as error:  # a future that raises would end the whole run
            return self._fault(at, error, time.monotonic() - start)
        tail = slot.tail_of(output) + fault
        crowded = bool(status and here.NO_ROOM in tail)
        return Done(status, taken, tail if status else "", crowded=crowded)

    def _fault(self, at: int, error: BaseException, seconds: float) -> Done:
        """Tell a slot that is lost from a fault in our own code on a node that lives."""
        kinds, said = self.ray.exceptions, str(error).strip()[-SHOWN:] or type(error).__name__
        if isinstance(error, kinds.RayTaskError) or not isinstance(error, kinds.RayError):
            self._running.pop(at, None)
            return Done(1, seconds, said)
        self._kill(self.actors[at])  # one that cannot be reached must not run it a second time
        crowded = isinstance(error, kinds.OutOfMemoryError) or LOW in said
        return Done(-9, seconds, said, slot_lost=True, crowded=crowded)

    def stop(self) -> None:
        """End our slots, idle ones after their clones; the cluster goes on, unless it is ours."""
        with contextlib.suppress(Exception):
            idle = [actor for at, actor in enumerate(self.actors) if at not in self._running]
            left = [actor.leave.remote() for actor in idle]
            if left:
                self.ray.wait(left, num_returns=len(left), timeout=LEAVE)
        for actor in self.actors:
            self._kill(actor)
        self.ray.shutdown()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _bundled() -> bytes:
    """Return the folder at hand as a bundle."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "study.bundle"
        slot.bundle(Path(), file)
        return file.read_bytes()


def _log(name: str, output: bytes) -> str:
    """Write an attempt's output; return "", or why it could not be written."""
    try:
        here.LOGS.mkdir(parents=True, exist_ok=True)
        here.log_of(name).write_bytes(output)
    except OSError as error:
        return f"\n{error}"
    return ""


def engine(address: str, count: int | None, *, gpu: float, remote: bool) -> OnRay:
    """Start slots, each with its share of a GPU; they share our cache, or only a remote.

    `count` None: as many as the cluster has room for (ray_cluster.room). Where more are asked than
    fit, a line says so, and those that fit are started: nodes that an autoscaler may add later
    count only when they are there. `gpu` 0: on CPUs.
    """
    settings = "" if remote else f"[cache]\n    dir = {here.cache()}\n"
    return OnRay(address, count, gpu, settings=settings, remote=remote)
