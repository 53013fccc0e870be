"""Which instances a job may run: KDPRUNE_ONLY, as the jobs of `kdprune run --slurm` set it.

DVC runs whatever an instance needs and the cache lacks. In job arrays that would be a network whose
own task failed, trained again by each task that needs it, without anybody having asked for it.
"""

import os
from collections.abc import Sequence

from stages.runner.stages import GRID

COLLECT = "collect"  # a job that runs none of the instances that are spread


def refused(arguments: Sequence[str]) -> str:
    """Return why the stage `arguments`, such as ["prune", KEY], may not run here; "" if it may.

    KDPRUNE_ONLY=prune@KEY: of the instances that are spread, that one alone. =collect: none.
    """
    only, name = os.environ.get("KDPRUNE_ONLY", ""), "@".join(arguments)
    if not only or arguments[0] not in GRID or name == only:
        return ""
    task = "only collects" if only == COLLECT else f"runs {only} alone"
    return (
        f"{name}: the cache has no result of it, and this job {task}; see the log of its own task, "
        "mend what that tells, and submit again"
    )
