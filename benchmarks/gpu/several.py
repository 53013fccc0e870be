"""images/s of all trainings together, where 1, 4 and 8 processes share a card.

python benchmarks/gpu/several.py [PROCESSES …]; it is what `kdprune run --per-gpu` rests on.
"""

import subprocess
import sys
import time
from pathlib import Path

# the benchmarks beside, and this tree: where a card is lent, kdprune may not be installed
sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

NETWORK, IMAGES, SECONDS = "densenet35_12", 12_800, 8.0
READY, BEGIN = "ready", "begin"


def train() -> None:
    """Train as one of several: say that all is warm, wait for the word, tell images per second."""
    import networks
    from training import epoch

    from kdprune.distillation.none import Supervised

    data = networks.images(IMAGES)
    task = Supervised(networks.network(NETWORK))
    epoch(task, data)
    print(READY, flush=True)
    sys.stdin.readline()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        epoch(task, data)
        count += IMAGES
    print(count / (time.perf_counter() - start), flush=True)


def together(count: int) -> float:
    """Return the images/s of `count` processes, all warm before the first begins."""
    command = [sys.executable, __file__, BEGIN]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(count)]
    for process in processes:
        assert process.stdout.readline().strip() == READY
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    return sum(float(process.communicate()[0]) for process in processes)


if __name__ == "__main__":
    if sys.argv[1:] == [BEGIN]:
        train()
    else:
        for count in map(int, sys.argv[1:] or ("1", "4", "8")):
            print(f"{NETWORK}: {count} at once: {together(count):,.0f} images/s", flush=True)
