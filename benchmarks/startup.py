"""What a stage costs before its first useful instruction, cold, warm, and by kind.

python benchmarks/startup.py
"""

import os
import subprocess
import sys
from pathlib import Path

from pairing import compare, seconds

ROOT = Path(__file__).parents[1]
# A stage that is told to do what the grid lacks does all but its work: imports, parameters.
PARAMS = "from kdprune.config.params import load; load()"
PROBES = {
    "torch stage (teach)": f"from stages import teach; {PARAMS}",
    "analysis stage (efficiency)": f"from stages import efficiency; {PARAMS}",
    "import torch alone": "import torch",
    "import torch, torchvision, timm": "import torch, torchvision, timm",
    "import pandas alone": "import pandas",
}


def python(code: str) -> None:
    """Run code in a fresh interpreter."""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def stage(warm: bool) -> None:
    """Run a stage that ends at once, since the grid lacks its instance."""
    environment = {**os.environ, "KDPRUNE_WARM": "1" if warm else "0"}
    command = [sys.executable, "-m", "stages", "prune", "no-such-instance"]
    subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True)


def main() -> None:
    """Print seconds per kind of stage, and what warm stages save."""
    for name, code in PROBES.items():
        python(code)
        times = sorted(seconds(lambda code=code: python(code)) for _ in range(3))
        print(f"{name}: {times[1]:.2f} s [{times[0]:.2f} to {times[2]:.2f}, n = 3]", flush=True)
    stage(warm=True)
    claim = "start of a torch stage: cold time, to warm time"
    compare(claim, lambda: stage(True), lambda: stage(False), rounds=3)


if __name__ == "__main__":
    main()
