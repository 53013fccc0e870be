"""Faults on purpose: kills, full disks, damage; what the next `dvc repro` makes of them.

python benchmarks/faults [--moments N] [--seed N] [--only WORD] [--write docs/reliability.md]

Runs the real pipeline under the real DVC in a small workspace. A moment counts as survived when
the next run goes on and ends in the bytes of an undisturbed run, results of other stages stayed as
they were all the time, and no process was left that writes. Exit status 1 where one did not.
"""

import argparse
import itertools
import os
import platform
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from faults import (
    disks,
    rows,
    study,
)
from faults.cases import CutLock, Damaged, Fault, Killed
from faults.server import SlowServer

MARKS = ("<!-- faults: begin -->", "<!-- faults: end -->")


def faults(mount: Path | None) -> list[Fault]:
    """Return all faults; those of real file systems where `mount`, a tmpfs, could be had."""
    found: list[Fault] = [Killed(target) for target in ("group", "dvc", "stage", "child", "server")]
    interrupt = Killed("group", (signal.SIGINT,), "Ctrl-C (SIGINT to the process group)")
    between = disks.Call("SIGKILL between writing a file and renaming it", "replace")
    full = disks.Call("disk full (fsync answers so)", "fsync", 28)
    closed = disks.Call("read-only (fsync answers so)", "fsync", 30)
    unstored = disks.ReadOnly(".dvc/cache", "DVC's cache read-only when the stage has ended")
    real = [disks.Full(mount), unstored, disks.ReadOnly()] if mount else [closed]
    for fault in (interrupt, full, *real[-1:]):
        fault.stages = ("teach", "prune", "report")
    unstored.stages = ("teach", "distill")  # other stages' outputs are in git
    found += [interrupt, between, full, *real]
    return [*found, Damaged(), CutLock()]


def table(outcomes: list[rows.Outcome]) -> list[str]:
    """Return the table in Markdown, the stages of a fault taken together."""
    lines = [
        "| fault | stages | moments | survived | most time lost | epochs or levels done twice |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for fault, group in itertools.groupby(outcomes, key=lambda row: row.fault):
        of = list(group)
        moments, survived = sum(row.moments for row in of), sum(row.survived for row in of)
        stages = ", ".join(row.stage for row in of)
        seconds, again = max(row.seconds for row in of), max(row.again for row in of)
        lines.append(
            f"| {fault} | {stages} | {moments} | {survived} | {seconds:.1f} s | at most {again} |"
        )
    return lines


def write(path: Path, lines: list[str]) -> None:
    """Put the lines between the marks of a page."""
    head, _, rest = path.read_text().partition(MARKS[0])
    _, _, tail = rest.partition(MARKS[1])
    if not rest or MARKS[1] not in rest:
        raise SystemExit(f"{path}: has no {MARKS[0]} … {MARKS[1]}")
    path.write_text("\n".join([head + MARKS[0], "", *lines, "", MARKS[1] + tail]))


def run_all(folder: Path, mount: Path | None, options: argparse.Namespace) -> list[rows.Outcome]:
    """Run every fault in every kind of stage; tell of each row as it is done."""
    splits = study.images()
    archive = study.data_files.official_archive("cifar10", "binary", splits)
    study.make(folder, archive, splits)
    disks.install(folder)
    made = rows.Study(folder, SlowServer(archive))
    print(f"undisturbed run: {sum(made.seconds.values()):.0f} s", file=sys.stderr)
    jobs = [(fault, kind) for fault in faults(mount) for kind in fault.stages]
    jobs += [(special, "") for special in (rows.changed_parameter, rows.whole_study)]
    outcomes = []
    for fault, kind in jobs:
        name = fault.name if kind else fault.__doc__.partition("\n")[0].rstrip(".")
        if options.only and options.only not in f"{name} {kind}":
            continue
        rng, start = random.Random(f"{options.seed} {name} {kind}"), time.monotonic()
        if kind:
            row = made.disturb(fault, kind, rng, options.moments)
        else:
            row = fault(made, rng, options.moments)
        outcomes.append(row)
        told = f"{row.survived}/{row.moments}, {row.seconds:.1f} s lost, {row.again} again"
        spent = time.monotonic() - start
        print(f"{row.fault}: {row.stage}: {told} ({spent:.0f} s)", file=sys.stderr, flush=True)
        for problem in dict.fromkeys(row.problems):
            print(f"    {problem}", file=sys.stderr, flush=True)
    print(f"a file of DVC's was left half-written {made.cut} times", file=sys.stderr)
    return outcomes


def main() -> int:
    """Print the table; return 1 where something was lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--moments", type=int, default=3, help="of each fault in each stage")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", default="", help="faults or stages whose name has this word")
    parser.add_argument("--write", type=Path, help="a page that gets the table")
    options = parser.parse_args()
    page = options.write.resolve() if options.write else None
    start = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # with what is mounted taken down
    with tempfile.TemporaryDirectory() as name:
        base = Path(name).resolve()
        with disks.mounted(base / "disk") as able:
            outcomes = run_all(base / "disk/study", base / "disk" if able else None, options)
            study.end(base / "disk/study")
    lines = table(outcomes)
    if not able:
        lines.append("\nNo file system could be mounted here (that takes root): those rows lack.")
    spent = (time.monotonic() - start) / 60
    lines.append(
        f"\n{options.moments} moments of each fault in each kind of stage, seed {options.seed}: "
        f"{spent:.0f} minutes on {os.cpu_count()} cores ({platform.system()}, Python "
        f"{platform.python_version()})."
    )
    print("\n".join(lines))
    if page:
        write(page, lines)
    return int(any(row.survived < row.moments or not row.moments for row in outcomes))


if __name__ == "__main__":
    sys.exit(main())
