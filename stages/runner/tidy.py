"""Remove from results/ what other grids left there: python -m stages.runner.tidy.

DVC hashes a folder whole. What lies in results/ beside the grid's own would make the stage collect
stale, and enter dvc.lock; it is in DVC's cache, which gives it back where a grid names it again.
"""

import shutil
import sys
from pathlib import Path

from kdprune.config.params import load
from kdprune.errors import status_of
from kdprune.study import paths


def strangers() -> list[Path]:
    """Return what lies in the folders that collect reads, and is no instance's of the grid."""
    grid = load().grid
    ours = {paths.swept(key) for key in grid["sweeps"]}
    for role in ("teacher", "student"):
        ours |= {paths.fitted(role, key) for key in grid[f"{role}s"]}
    ours |= {paths.coded(key) for key in grid.get("compressions", {})}
    ours |= {paths.sparsified(key) for key in grid.get("trajectories", {})}
    ours |= {paths.attributed(key) for key in grid.get("attributions", {})}
    stages = ("teach", "distill", "sparsify", "prune", "compress", "attribute")
    folders = (paths.RESULTS / stage for stage in stages)
    return sorted(
        path for folder in folders if folder.is_dir() for path in {*folder.iterdir()} - ours
    )


def main() -> None:
    """Remove them."""
    for path in strangers():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


if __name__ == "__main__":
    sys.exit(status_of(main))
