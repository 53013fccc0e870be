"""Compares all distillation methods on one pair of the default profile, three student seeds each.

python benchmarks/methods.py      (some forty minutes; writes docs/methods-comparison.md)
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs/methods-comparison.md"
PAIR = ("resnet10_24", "resnet10_16")
METHODS = "none kd fitnet at sp vid crd srrl fn semckd simkd".split()
SEEDS = (1, 2, 3)
TEXT = """# Eleven ways to train one student

Ten distillation methods, and labels alone, train the same student, {student}, from the same
teacher, {teacher} (born-again networks need equal ones, and are not among them). Both start from
scratch on the embedded CIFAR-10 (3,600 training and 1,000 test images). The student's recipe is
that of profile `mini`: {epochs} epochs, learning rate {lr}, weight decay {weight_decay}.
Hyperparameters are those of `conf/distill/METHOD.yaml`, but `mini` sets `simkd.feature` to 8. The
teacher reaches {teacher_accuracy:.1f} % on the test images. n = {n} student seeds (initial weights,
order, views). This command made the table:

```sh
python benchmarks/methods.py
```

It took {minutes:.0f} minutes on {cores} cores, by `dvc repro` in a clone per seed.

{table}

`none` is the student trained on labels alone. The difference to it is the mean over seeds, each
seed against the same seed, with its standard deviation. The time per epoch is a median over epochs
and seeds, as a multiple of that of `none`. Runs shared the machine, so the times are rough. SimKD
deploys its projector and the teacher's classifier, so its student is larger.

## What this shows

{reading}

## What it does not show

This is one pair of slim networks, a short training, and one value of each hyperparameter. Most
values come from long trainings on all of CIFAR-100. SimKD's feature weight and the weight decay
were set for this short training. On another processor, which only rounds differently, the same
command moved means by up to 1.3 points and put srrl first. So this table does not rank methods that
are that close. Three seeds are repetitions within one pair, so there is no test over methods. Run
several pairs (`-S 'distill.method=[none,kd,…]'`), and the report adds mean ranks, Friedman's test
and Nemenyi's.
"""


def run(folder: Path, *command: str) -> str:
    """Run a command in a folder on one thread; return what it wrote."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stdout[-3000:])
    return done.stdout


def students(folder: Path, cache: Path, seed: int) -> list[dict]:
    """Train every method's student with one seed; return a row per method."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    run(folder, "-m", "dvc", "cache", "dir", "--local", str(cache))
    settings = [f"pairs=[{'/'.join(PAIR)}]", f"distill.method=[{','.join(METHODS)}]"]
    run(folder, "conf/compose.py", *settings, f"distill.training.seed={seed}")
    log = run(folder, "-m", "dvc", "repro", "teach", "distill")
    rows = []
    for method in METHODS:
        key = f"cifar10-{'-'.join(PAIR)}-{method}"
        row = json.loads((folder / f"metrics/distill/{key}.json").read_text())
        speeds = re.findall(rf"^{key}: epoch .* ([0-9]+) images/s", log, re.MULTILINE)
        row["speed"] = pd.Series(speeds, dtype=float).median()
        rows.append({"method": method, "seed": seed, **row})
    return rows


def table(rows: pd.DataFrame) -> str:
    """Return the comparison as a Markdown table, best first."""
    accuracy = rows.pivot_table(index="seed", columns="method", values="test_accuracy")
    speed = rows.groupby("method").speed.median()
    lines = [
        "| method | test accuracy (%), mean ± sd | per seed | difference to `none` (points) "
        "| parameters deployed | in training only | time per epoch, to `none` |",
        "|---|---:|---|---:|---:|---:|---:|",
    ]
    for method in accuracy.mean().sort_values(ascending=False).index:
        mine, gap = accuracy[method], accuracy[method] - accuracy["none"]
        first = rows[rows.method == method].iloc[0]
        cells = [
            method,
            f"{mine.mean():.1f} ± {mine.std():.1f}",
            ", ".join(f"{value:.1f}" for value in mine),
            "–" if method == "none" else f"{gap.mean():+.1f} ± {gap.std():.1f}",
            f"{first.params:,}",
            f"{first.training_only_params:,}",
            f"{speed['none'] / speed[method]:.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def reading(rows: pd.DataFrame) -> str:
    """Say in words what the table shows."""
    accuracy = rows.pivot_table(index="seed", columns="method", values="test_accuracy")
    means = accuracy.mean().sort_values(ascending=False)
    gaps = accuracy.drop(columns="none").sub(accuracy["none"], axis=0)
    always = [method for method in gaps if (gaps[method] > 0).all()]
    never = [method for method in gaps if (gaps[method] < 0).all()]
    text = f"{means.index[0]} comes first ({means.iloc[0]:.1f} %), {means.index[-1]} last "
    text += f"({means.iloc[-1]:.1f} %). simkd, the paper's choice, takes place "
    text += f"{list(means.index).index('simkd') + 1} of {len(means)}. "
    text += f"Better than `none` with every seed: {', '.join(sorted(always)) or 'no method'}. "
    return text + f"Worse with every seed: {', '.join(sorted(never)) or 'no method'}."


def main() -> None:
    """Train them all, two clones at a time, and write the table."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        (base / "cache").mkdir()
        rows = students(base / "1", base / "cache", SEEDS[0])  # the others find the teacher cached
        with ThreadPoolExecutor(2) as pool:
            found = pool.map(lambda s: students(base / str(s), base / "cache", s), SEEDS[1:])
            rows += [row for part in found for row in part]
        teacher = json.loads((base / f"1/metrics/teach/cifar10-{PAIR[0]}.json").read_text())
        params = (base / "1/params.yaml").read_text()
    recipe = params[params.index("distill:") :]
    frame = pd.DataFrame(rows)
    settings = {
        key: re.search(rf"^    {key}: (.+)$", recipe, re.MULTILINE)[1]
        for key in ("epochs", "lr", "weight_decay")
    }
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(
        TEXT.format(
            teacher=PAIR[0],
            student=PAIR[1],
            teacher_accuracy=teacher["test_accuracy"],
            n=len(SEEDS),
            minutes=(time.monotonic() - start) / 60,
            cores=os.cpu_count(),
            table=table(frame),
            reading=reading(frame),
            **settings,
        )
    )
    print(table(frame))


if __name__ == "__main__":
    main()
