"""Runs a stage from wherever this package lies: python -m kdprune.stages STAGE [INSTANCE].

In a clone, `python -m stages STAGE` does so, by the folder it is in. A study that `kdprune init`
made holds no code: its dvc.yaml calls this. `runner.NAME` runs a tool of the runner.
"""

import os
import runpy
import sys

from kdprune.home import home


def main() -> None:
    """Run what the arguments name as `python -m stages` would, here and in what that starts."""
    place = str(home())
    sys.path.insert(0, place)
    others = os.environ.get("PYTHONPATH")
    if place not in (others or "").split(os.pathsep):
        os.environ["PYTHONPATH"] = f"{place}{os.pathsep}{others}" if others else place
    module = "stages"
    if sys.argv[1:] and sys.argv[1].startswith("runner."):
        module = f"stages.{sys.argv.pop(1)}"
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
