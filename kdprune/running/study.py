"""Which instances a study has, what each needs, and how long each is known to take."""

import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kdprune.records import read_json, teacher

MOST = 1e18  # seconds or bytes: what is noted above is damage, as NaN and what is below 0 are
Grid = Mapping[str, Mapping[str, Mapping[str, str]]]


def needs(grid: Grid) -> dict[str, list[str]]:
    """Return the instances that are worth spreading, in order, each with those that it needs.

    That is download, teach, distill, sparsify and prune; what collects takes a minute, and is left
    to the closing `dvc repro`.
    """
    before: dict[str, list[str]] = {f"download@{name}": [] for name in grid["datasets"]}
    for key, item in grid["teachers"].items():
        before[f"teach@{key}"] = [f"download@{item['dataset']}"]
    for key, item in grid["students"].items():
        before[f"distill@{key}"] = [f"download@{item['dataset']}", f"teach@{teacher(item)}"]
    for key, item in grid.get("trajectories", {}).items():
        before[f"sparsify@{key}"] = [f"download@{item['dataset']}", _maker(item["checkpoint"])]
    for key, item in grid["sweeps"].items():
        before[f"prune@{key}"] = [f"download@{item['dataset']}", _maker(item["checkpoint"])]
    for key in grid.get("compressions", {}):
        before[f"compress@{key}"] = [f"prune@{key}"]
    for key in grid.get("attributions", {}):
        before[f"attribute@{key}"] = [f"prune@{key}"]
    return before


def _maker(checkpoint: str) -> str:
    """Return the instance that writes a file or a folder below models/."""
    folder, name = Path(checkpoint).parent.name, Path(checkpoint).name
    makers = {"teachers": "teach", "students": "distill", "sparse": "sparsify"}
    return f"{makers[folder]}@{name.removesuffix('.safetensors')}"


def seconds(names: Mapping[str, object], folder: Path) -> dict[str, float]:
    """Return how long each instance took last (.run/log), else its kind on average, else 60."""
    known = {name: timed(name, folder) for name in names}
    means: dict[str, float] = {}
    for kind in {name.partition("@")[0] for name in names}:
        times = [time for name, time in known.items() if time and name.startswith(f"{kind}@")]
        means[kind] = statistics.fmean(times) if times else 60.0
    return {name: time or means[name.partition("@")[0]] for name, time in known.items()}


def peaks(names: Iterable[str], folder: Path, *, gpu: bool) -> dict[str, int]:
    """Return the most bytes that each instance has held, of a GPU or of the machine, as noted.

    `names` are all of a study. One that has not run yet counts as the largest of its kind among
    them; where none of a kind has, it is left out.
    """
    noted: dict[str, int] = {}
    kinds: dict[str, int] = {}
    field = "gpu_memory" if gpu else "memory"
    names = list(names)
    for name in names:
        runs = _runs(folder / f"{name.replace('@', '-')}.json")
        if most := max((int(run[field]) for run in runs if _whole(run, field)), default=0):
            noted[name], kind = most, name.partition("@")[0]
            kinds[kind] = max(most, kinds.get(kind, 0))
    likely = {name: noted.get(name) or kinds.get(name.partition("@")[0], 0) for name in names}
    return {name: most for name, most in likely.items() if most}


def timed(name: str, folder: Path) -> float | None:
    """Return the seconds of an instance's last run from its beginning to its end, if noted."""
    runs = _runs(folder / f"{name.replace('@', '-')}.json")
    whole = [run["seconds"] for run in runs if _whole(run, "seconds") and not run.get("resumed")]
    return float(whole[-1]) if whole else None


def _whole(run: object, field: str) -> bool:
    """Say whether a record is of a run that went well, with a number in `field` that it can be."""
    if not isinstance(run, dict) or run.get("ended") != "ok":
        return False
    value = run.get(field)
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < MOST


def _runs(path: Path) -> list[Any]:
    try:
        runs = read_json(path)
    except (OSError, ValueError):  # none, or damaged
        return []
    return runs if isinstance(runs, list) else []
