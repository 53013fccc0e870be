"""python benchmarks/fuzz: feeds broken inputs to kdprune's readers, for a bounded time.

Every input is refused in one line, or taken rightly. Anything else is "other": an exception that
is no KdpruneError, a message of several lines or with control characters, an input that takes
longer than `SLOW` seconds. The exit status is 1 where there is any. Outside `make test`: mutations
are drawn at random, from a seed that is printed.

A target is a file here with `inputs(generator, folder)`, an endless iterator of (kind, call):
`call()` reads one broken input, and raises, or asserts that what it took is right.
"""

import argparse
import importlib
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1]), str(HERE.parents[1] / "tests")]

from kdprune.errors import KdpruneError  # noqa: E402

TARGETS = (
    "metadata",
    "compressed",
    "parameters",
    "images",
    "archives",
    "parquet",
    "records",
)  # modules in this folder
SLOW = 10.0  # seconds that one input may take
SHOWN = 5  # cases of "other" whose traceback is printed


def outcome(call) -> tuple[str, str]:
    """Run one input; return "refused", "right" or "other", and what is to be said of the last."""
    began = time.perf_counter()
    try:
        call()
        found, told = "right", ""
    except KdpruneError as error:
        line = str(error)
        clean = bool(line.strip()) and "\n" not in line  # `errors.tell` escapes the rest
        found, told = ("refused", "") if clean else ("other", f"several lines: {line[:300]!r}")
    except Exception:
        found, told = "other", traceback.format_exc()
    seconds = time.perf_counter() - began
    return (found, told) if seconds < SLOW else ("other", f"took {seconds:.0f} s. {told}")


def fuzz(name: str, seconds: float, seed: int) -> Counter:
    """Feed a target for some seconds; return counts by (kind, outcome), and print what is wrong."""
    target = importlib.import_module(name)
    counts: Counter = Counter()
    with tempfile.TemporaryDirectory() as folder:
        end = time.monotonic() + seconds
        for kind, call in target.inputs(random.Random(f"{name} {seed}"), Path(folder)):
            found, told = outcome(call)
            counts[kind, found] += 1
            if found == "other" and sum(n for (_, o), n in counts.items() if o == found) <= SHOWN:
                print(f"{name}, {kind}: {told}", file=sys.stderr)
            if time.monotonic() >= end:
                break
    return counts


def main() -> int:
    """Run all targets, or one; print a table of counts."""
    parser = argparse.ArgumentParser(prog="benchmarks/fuzz")
    parser.add_argument("--seconds", type=float, default=60, help="in all (default: 60)")
    parser.add_argument("--only", choices=TARGETS, action="append")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    names, other = given.only or list(TARGETS), 0
    print(f"seed {given.seed}\n{'target':12} {'kind':22} {'refused':>8} {'right':>8} {'other':>8}")
    for name in names:
        counts = fuzz(name, given.seconds / len(names), given.seed)
        for kind in sorted({kind for kind, _ in counts}):
            row = [counts[kind, found] for found in ("refused", "right", "other")]
            print(f"{name:12} {kind:22} {row[0]:8} {row[1]:8} {row[2]:8}", flush=True)
            other += row[2]
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main())
