"""The places where instances run: GPUs or shares of the cores, and how much memory each has."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdprune import memory
from kdprune.errors import KdpruneError

SPARE = 1.2  # what was noted may be exceeded: allocators differ by their history
QUERY = ["nvidia-smi", "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits"]
MACHINE = ""  # the place of slots without a GPU


@dataclass(frozen=True)
class Gpu:
    """A GPU as stages see it: its number among the visible, its name, its bytes (or 0)."""

    number: int
    name: str
    memory: int


def gpus() -> list[Gpu]:
    """Return the visible GPUs as the driver tells them: importing torch takes seconds.

    None where KDPRUNE_DEVICE is set: the user has chosen one device, and all instances use it.
    """
    if os.environ.get("KDPRUNE_DEVICE"):
        return []
    rows = _told()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [Gpu(at, name, memory) for at, (_, name, memory) in enumerate(rows.values())]
    chosen: list[Gpu] = []
    for item in (part.strip() for part in visible.split(",")):
        if item in ("", "-1"):
            break  # CUDA sees none of those behind it
        by_uuid = [row for row in rows.values() if row[0].startswith(item)]
        _, name, memory = rows.get(item) or next(iter(by_uuid), ("", "", 0))
        chosen.append(Gpu(len(chosen), name, memory))
    return chosen


def cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # macOS has none
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _told() -> dict[str, tuple[str, str, int]]:
    """Return {index: (uuid, name, bytes)}; without nvidia-smi, what the kernel lists."""
    try:
        said = subprocess.run(QUERY, capture_output=True, text=True, timeout=60, check=True).stdout
        lines = [[cell.strip() for cell in line.split(",")] for line in said.splitlines() if line]
        return {line[0]: (line[1], line[2], _mebibytes(line[3])) for line in lines}
    except (OSError, subprocess.SubprocessError, IndexError):
        listed = sorted(Path("/proc/driver/nvidia/gpus").glob("*"))
        return {str(at): ("?", "", 0) for at, _ in enumerate(listed)}


def _mebibytes(text: str) -> int:
    return int(text) * 2**20 if text.isdigit() else 0  # a shared one may say [N/A]


def of_one_kind(all_gpus: Sequence[Gpu]) -> tuple[list[Gpu], str]:
    """Return the GPUs of the first one's kind, and a line on those that stay idle, "" for none.

    Kinds differ in rounding, which training magnifies: a comparison has one.
    """
    same = [gpu for gpu in all_gpus if gpu.name == all_gpus[0].name]
    others = sorted({gpu.name for gpu in all_gpus if gpu not in same})
    if not others:
        return same, ""
    told = f"{len(same)} {all_gpus[0].name or 'GPU'} used; {', '.join(others)} idle: kinds differ"
    return same, f"{told} in rounding, and one comparison needs one (--mixed uses all)"


def used(*, mixed: bool) -> tuple[list[Gpu], str]:
    """Return the GPUs to use, and a line on those that stay idle; `mixed` uses all kinds."""
    there = gpus()
    return (there, "") if mixed or not there else of_one_kind(there)


def slots(
    count: int | None, per_gpu: int, among: Sequence[Gpu], cores: int
) -> list[dict[str, str]]:
    """Return the slots as variables: `per_gpu` to each GPU, else one to two cores.

    `count` overrides how many. The device that KDPRUNE_DEVICE names is one GPU, unless it is cpu. A
    slot of a machine without GPUs has its share of the cores, unless OMP_NUM_THREADS is set. Raises
    KdpruneError for more than --per-gpu allows.
    """
    chosen = os.environ.get("KDPRUNE_DEVICE") or "cpu"
    if among or chosen != "cpu":
        order = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # nvidia-smi's, else the fastest comes first
        each = [{"KDPRUNE_DEVICE": f"cuda:{gpu.number}", **order} for gpu in among]
        places = (each or [{"KDPRUNE_DEVICE": chosen}]) * per_gpu
        if count and count > len(places):
            raise KdpruneError(
                f"-j {count}: {len(places) // per_gpu} GPU(s) with {per_gpu} each have "
                f"{len(places)} slots; raise --per-gpu"
            )
        return places[: count or len(places)]
    wanted = count or max(1, cores // 2)
    if wanted == 1 or "OMP_NUM_THREADS" in os.environ:
        return [{} for _ in range(wanted)]
    return [{"OMP_NUM_THREADS": str(max(1, cores // wanted))} for _ in range(wanted)]


def threads(among: Sequence[Mapping[str, str]]) -> str:
    """Return a line on the threads of slots that share the cores, "" for a single one."""
    counts = sorted({int(slot["OMP_NUM_THREADS"]) for slot in among if "OMP_NUM_THREADS" in slot})
    if len(among) < 2 or not counts:
        return ""
    told = " to ".join(str(count) for count in sorted({counts[0], counts[-1]}))
    return f"{len(among)} at once, {told} thread(s) each: rounding may differ from one"


def sizes(among: Sequence[Gpu]) -> dict[str, int]:
    """Return the bytes of each place that is known: of the GPUs, or of this machine."""
    if among:
        return {f"cuda:{gpu.number}": gpu.memory for gpu in among if gpu.memory}
    whole = memory.machine()
    return {} if whole is None else {MACHINE: whole}


class Room:
    """Says whether a place has memory for one more, by what was noted (`peaks`, {name: bytes}).

    What is not noted fits, for whoever asked for so many slots said so; the fault that follows
    where it does not is run again alone.
    """

    def __init__(
        self, places: Sequence[str], sizes: Mapping[str, int], peaks: Mapping[str, int]
    ) -> None:
        self.places, self.sizes, self.peaks = places, sizes, peaks

    def fits(self, name: str, slot: int, running: Mapping[int, str], alone: set[str]) -> bool:
        """Answer for the scheduler."""
        place = self.places[slot]
        beside = [other for at, other in running.items() if self.places[at] == place]
        if not beside or place not in self.sizes:
            return not beside or not alone & {name, *beside}
        held = SPARE * sum(self.peaks.get(one, 0) for one in (name, *beside))
        return held <= self.sizes[place] and not alone & {name, *beside}
