"""Which instances a study has, what each needs, and how long each is known to take."""

import json
import statistics
from collections.abc import Mapping
from pathlib import Path

Grid = Mapping[str, Mapping[str, Mapping[str, str]]]


def needs(grid: Grid) -> dict[str, list[str]]:
    """Return the instances that are worth spreading, in order, each with those that it needs.

    That is download, teach, distill and prune; what collects takes a minute, and is left to the
    closing `dvc repro`.
    """
    before: dict[str, list[str]] = {f"download@{name}": [] for name in grid["datasets"]}
    for key, item in grid["teachers"].items():
        before[f"teach@{key}"] = [f"download@{item['dataset']}"]
    for key, item in grid["students"].items():
        teacher = f"{item['dataset']}-{item['teacher']}"
        before[f"distill@{key}"] = [f"download@{item['dataset']}", f"teach@{teacher}"]
    for key, item in grid["sweeps"].items():
        maker = "teach" if item["role"] == "teacher" else "distill"
        network = Path(item["checkpoint"]).stem
        before[f"prune@{key}"] = [f"download@{item['dataset']}", f"{maker}@{network}"]
    return before


def seconds(names: Mapping[str, object], folder: Path) -> dict[str, float]:
    """Return how long each instance took last (.run/log), else its kind on average, else 60."""
    known = {name: _last(folder / f"{name.replace('@', '-')}.json") for name in names}
    means: dict[str, float] = {}
    for kind in {name.partition("@")[0] for name in names}:
        times = [time for name, time in known.items() if time and name.startswith(f"{kind}@")]
        means[kind] = statistics.fmean(times) if times else 60.0
    return {name: time or means[name.partition("@")[0]] for name, time in known.items()}


def _last(path: Path) -> float | None:
    try:
        runs = json.loads(path.read_text(encoding="utf-8"))
        whole = [run["seconds"] for run in runs if run["ended"] == "ok" and not run["resumed"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return float(whole[-1]) if whole else None
