"""Run one stage, as dvc.yaml does: python -m stages STAGE [INSTANCE]."""

import signal
import sys

from kdprune import environment

environment.excuse()

from kdprune.errors import tell  # noqa: E402
from stages.runner import only, warm  # noqa: E402
from stages.runner.run import end_with_parent  # noqa: E402
from stages.runner.stages import PER_INSTANCE, STAGES, TORCH_STAGES  # noqa: E402

if __name__ == "__main__":
    end_with_parent()
    given = sys.argv[1:]
    if not given or given[0] not in STAGES or len(given) != 1 + (given[0] in PER_INSTANCE):
        tell(f"python -m stages STAGE [INSTANCE]: {', '.join(STAGES)}")
        sys.exit(2)
    if line := only.refused(given):
        tell(line)
        sys.exit(2)
    # a process that has the libraries imported; it is started for torch only
    try:
        sys.exit(warm.run(given, start=given[0] in TORCH_STAGES))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
