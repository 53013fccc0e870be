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
from kdprune.running import here, slot
from kdprune.running.scheduler import Done

ANSWER = 180.0  # seconds in which a slot must have answered to be given work


class Slot:
    """An actor's body: one clone on a node, in which instances run one after another."""

    def __init__(self, at: int, bundled: bytes, settings: str, remote: bool) -> None:
        base = Path(tempfile.gettempdir()) / f"kdprune-{os.getuid()}"
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder, self.remote = Path(tempfile.mkdtemp(prefix=f"slot-{at}-", dir=base)), remote
        file = self.folder.with_suffix(".bundle")
        file.write_bytes(bundled)
        slot.clone(file, self.folder / "study", settings)
        file.unlink()

    def ready(self) -> str:
        """Answer: the scheduler gives work to no slot that has not."""
        return str(self.folder)

    def run(self, name: str) -> tuple[int, str, bool, float]:
        """Return status, tail, whether memory was short, and seconds."""
        start = time.monotonic()
        done = slot.run(name, self.folder / "study", remote=self.remote, variables={})
        return done.status, done.tail, done.crowded, time.monotonic() - start


class OnRay:
    """The engine. `address` "auto" joins a running cluster, "local" starts one here."""

    def __init__(
        self, address: str, count: int, share: float, *, settings: str, remote: bool
    ) -> None:
        try:
            import ray
        except ImportError:
            raise KdpruneError(
                "--ray: Ray is not installed; `python -m pip install 'kdprune[ray]'` in .venv"
            ) from None
        self.ray: Any = ray
        try:
            ray.init(address=None if address == "local" else address, log_to_driver=False)
        except ConnectionError:
            raise KdpruneError(
                f"--ray {address}: no cluster answers; `--ray local` starts one"
            ) from None
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "study.bundle"
            slot.bundle(Path(), file)
            bundled = ray.put(file.read_bytes())
        made = ray.remote(max_restarts=0, num_gpus=share, num_cpus=1)(Slot)
        actors = [made.remote(at, bundled, settings, remote) for at in range(count)]
        self.actors = self._answering(actors)
        self._pool = ThreadPoolExecutor(max_workers=max(1, len(self.actors)))

    def _answering(self, actors: Sequence[Any]) -> list[Any]:
        """Return the actors that answer in time; end the others."""
        asked = {actor.ready.remote(): actor for actor in actors}
        ended, late = self.ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER)
        there = []
        for answer in ended:
            with contextlib.suppress(self.ray.exceptions.RayError):
                self.ray.get(answer)
                there.append(asked[answer])
        for answer in late:
            self.ray.kill(asked[answer])
        if not there:
            raise KdpruneError("--ray: no slot answered; `ray status` tells what the nodes have")
        return there

    def submit(self, at: int, name: str) -> "Future[Done]":
        """Run an instance on a slot that has answered."""
        return self._pool.submit(self._run, at, name)

    def _run(self, at: int, name: str) -> Done:
        start = time.monotonic()
        try:
            status, tail, crowded, taken = self.ray.get(self.actors[at].run.remote(name))
        except self.ray.exceptions.RayError as error:
            return Done(-9, time.monotonic() - start, str(error)[-2000:], slot_lost=True)
        return Done(status, taken, tail if status else "", crowded=crowded)

    def stop(self) -> None:
        """End our slots; the cluster goes on, unless we started it."""
        for actor in self.actors:
            self.ray.kill(actor)
        self.ray.shutdown()
        self._pool.shutdown(wait=True, cancel_futures=True)


def require() -> None:
    """Raise KdpruneError where Ray is not installed."""


def engine(address: str, count: int | None, *, gpu: float, remote: bool) -> OnRay:
    """Start slots, each with its share of a GPU; they share our cache, or only a remote."""
    settings = "" if remote else f"[cache]\n    dir = {here.cache()}\n"
    return OnRay(address, count, gpu, settings=settings, remote=remote)
