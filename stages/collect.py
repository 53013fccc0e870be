"""Copy the tables of the grid from results/, which DVC caches, to where git tracks them."""

import shutil
from pathlib import Path

from kdprune.config.params import load
from kdprune.errors import KdpruneError
from kdprune.files import replacing
from kdprune.study import attributions, codings, paths, trajectories

OTHERS = {"compressions": codings, "trajectories": trajectories, "attributions": attributions}
FOLDERS = ("metrics/teach", "metrics/distill", "metrics/sweeps", "metrics/layers", "plots/learning")


def main() -> None:
    """Write the tables that the grid names, byte for byte, and leave no others beside them."""
    grid = load().grid
    tables: dict[Path, Path] = {}
    for role in ("teacher", "student"):
        for key in grid[f"{role}s"]:
            tables[paths.training(role, key)] = paths.fitted(role, key) / "training.json"
            tables[paths.learning(key)] = paths.fitted(role, key) / "learning.csv"
    for key in grid["sweeps"]:
        tables[paths.sweep(key)] = paths.swept(key) / "sweep.csv"
        tables[paths.layers(key)] = paths.swept(key) / "layers.csv"
    for made in tables.values():  # all, before any is written
        if not made.is_file():
            raise KdpruneError(
                f"{made}: is not there; run `dvc pull`, or `dvc repro {'@'.join(made.parts[1:3])}`"
                "; or analyse the tables in metrics/: `dvc exp run --downstream … breakpoints`"
            )
    for folder in map(Path, FOLDERS):
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in {*folder.iterdir()} - {*tables}:
            leftover.unlink()
    for table, made in tables.items():
        with replacing(table) as temporary:
            shutil.copyfile(made, temporary)
    for part, others in OTHERS.items():
        others.gather(grid.get(part, {}))
