"""A Ray cluster as a driver meets it: joined or started in bounded time, and how much it holds."""

import logging
import os
import re
import socket
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from kdprune.errors import KdpruneError

ALLOWED = "allowed: auto, local, HOST:PORT"
PORT = re.compile(r"\[?(?P<host>[\w.:-]+?)\]?:(?P<port>[0-9]{1,5})")
KNOCK = 5.0  # seconds in which HOST:PORT must take a connection
JOIN = 40.0  # seconds in which the cluster must have let us in
TINY = 1e-6  # a third of a GPU, three times, is one
Node = Mapping[str, Any]  # as ray.nodes() tells them


def connect(ray: Any, address: str, count: int | None) -> None:
    """Join a cluster, or start one for `count` slots ("local") whatever runs here already.

    Raises KdpruneError with the address and the reason; it takes at most KNOCK + JOIN seconds.
    """
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address == "local":  # in this thread: the cluster's processes end with who started them
            cores = max(count or 1, os.cpu_count() or 1)
            ray.init(address=address, num_cpus=cores, include_dashboard=False, **quiet)
            return
        _knock(os.environ.get("RAY_ADDRESS") or address if address == "auto" else address)
        _join(ray, address, quiet)
    except KdpruneError:
        raise
    except Exception as error:
        raise _refusal(address, error) from None


def _knock(address: str) -> None:
    """Raise an error at once where nobody listens: Ray waits for minutes, and says so in C++."""
    if address == "auto":
        return
    told = PORT.fullmatch(address)
    if not told or int(told["port"]) > 65535:
        raise ValueError(f"{address!r} is no address of a cluster")
    with socket.create_connection((told["host"], int(told["port"])), timeout=KNOCK):
        pass


def _join(ray: Any, address: str, quiet: Mapping[str, Any]) -> None:
    """Join in a thread: where another program than Ray listens, Ray would ask it without end."""
    faults: list[BaseException] = []

    def joined() -> None:
        try:
            ray.init(address=address, **quiet)
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=joined, daemon=True)
    thread.start()
    thread.join(JOIN)
    if thread.is_alive():
        raise TimeoutError(f"no Ray answers within {JOIN:.0f} s")
    if faults:
        raise OSError(_line(faults[0]))


def _refusal(address: str, error: BaseException) -> KdpruneError:
    hint = "; `--ray local` starts a cluster" if address == "auto" else ""
    return KdpruneError(f"--ray {address}: {_line(error)}; {ALLOWED}{hint}")


def _line(error: BaseException) -> str:
    """Return what an error says as one line of a bounded length."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said[:400].rstrip(". ")


def room(nodes: Sequence[Node], gpu: float) -> tuple[int, int]:
    """Return how many slots are usual on these nodes, and how many fit at most.

    With GPUs both are what their shares allow, `gpu` each, with a CPU each. Without: one for every
    two CPUs of a node, at least one, and at most one for each CPU. Only nodes that are there count:
    those that an autoscaler may add later do not, so let it hold what a run is to use beforehand.
    """
    usual = most = 0
    for node in nodes:
        if node["Alive"]:
            cpus = int(node["Resources"].get("CPU", 0) + TINY)
            gpus = node["Resources"].get("GPU", 0)
            fit = min(cpus, _shares(gpus, gpu)) if gpu else cpus
            most += fit
            usual += fit if gpu or not fit else max(1, fit // 2)
    return usual, most


def _shares(gpus: float, gpu: float) -> int:
    """Return how many slots GPUs have: a share lies on one GPU."""
    if gpu >= 1:
        return int(gpus / gpu + TINY)
    return int(gpus + TINY) * int(1 / gpu + TINY)


def chosen(nodes: Sequence[Node], count: int | None, gpu: float) -> tuple[int, str]:
    """Return how many slots to start, and a line where that is fewer than asked ("" else).

    Raises KdpruneError where none fits.
    """
    usual, most = room(nodes, gpu)
    what = f"with {gpu:g} GPU each" if gpu else "with a CPU each"
    if not most:
        raise KdpruneError(f"--ray: the cluster has no room for a slot {what}; see `ray status`")
    if count is not None and count > most:
        return most, f"{count} slots asked, {most} fit the cluster {what}: going on with {most}"
    return count or usual, ""


def threads(nodes: Sequence[Node], placed: Sequence[str]) -> list[int]:
    """Return the threads of each slot, by its node's id: the node's CPUs, shared by its slots."""
    cpus = {node["NodeID"]: node["Resources"].get("CPU", 1) for node in nodes}
    beside = Counter(placed)
    return [max(1, int(cpus.get(node, 1) / beside[node])) for node in placed]
