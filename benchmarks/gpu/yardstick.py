"""Compares a run of profile yardstick with the published medians: yardstick.py FOLDER.

Renda, Frankle & Carbin, ICLR 2020, arXiv:2003.02389: ResNet-20 on CIFAR-10, one-shot global
magnitude pruning, ten epochs of tuning; medians of three. Exit status 1 where one is not met.
"""

import json
import sys
from pathlib import Path

import pandas as pd

DENSE = 91.71  # %, mean of 246 networks
PUBLISHED = {0.512: 91.29, 0.210: 89.30, 0.107: 85.01}  # share of weights kept: test accuracy, %
WITHIN = 0.5  # points


def main(folder: Path) -> int:
    """Print ours beside theirs."""
    training = next(folder.glob("results/teach/*/training.json"))
    dense = json.loads(training.read_text(encoding="utf-8"))["test_accuracy"]
    print(f"dense: {dense:.2f} %, published {DENSE} %")
    rows = pd.read_csv(next(folder.glob("results/prune/*/sweep.csv")))
    missed = 0
    for kept, published in PUBLISHED.items():
        ours = rows[(1 - rows.level - kept).abs() < 1e-6].test_accuracy
        off = abs(ours.median() - published)
        missed += not off <= WITHIN
        told = "met" if off <= WITHIN else f"missed by more than {WITHIN}"
        figures = f"{ours.median():.2f} % (n = {len(ours)}), published {published} %"
        print(f"kept {kept}: {figures}: {told}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
