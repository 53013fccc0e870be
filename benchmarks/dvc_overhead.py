"""What DVC itself costs on the paper's grid of a hundred instances, whose commands do nothing.

python benchmarks/dvc_overhead.py
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from pairing import compare, seconds

ROOT = Path(__file__).parents[1]
# Stands for every stage's work: writes the outputs that dvc.yaml names for the instance
WORK = """import pathlib, sys, yaml
stage, *key = sys.argv[1:]
key = key[0] if key else ""
described = yaml.safe_load(open("dvc.yaml"))["stages"][stage]
described = described.get("do", described)
for out in [*described.get("outs", []), *described.get("metrics", [])]:
    name = (out if isinstance(out, str) else next(iter(out)))
    path = pathlib.Path(name.replace("${key}", key).replace("${item}", key))
    if not path.suffix:
        path.mkdir(parents=True, exist_ok=True)
        path /= "manifest.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
if stage == "collect":  # measure names files within its folders
    for key, item in yaml.safe_load(open("params.yaml"))["grid"]["networks"].items():
        for name in (item["trained"], f"plots/learning/{key}.csv"):
            pathlib.Path(name).write_text("{}")
"""


def dvc(folder: Path, *arguments: str) -> str:
    """Run DVC in a folder; return what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "dvc", *arguments]
    environment = {**os.environ, "PATH": path}
    options = {"check": True, "capture_output": True, "text": True}
    return subprocess.run(command, cwd=folder, env=environment, **options).stdout


def study(folder: Path) -> None:
    """Lay out the paper's grid, without results, and with commands that do nothing."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for file in files.splitlines():
        left_out = file.startswith(("models/", "metrics/", "plots/", "dvc.lock"))
        if left_out or not (ROOT / file).is_file():
            continue
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / file).read_bytes())
    compose = [sys.executable, "conf/compose.py", "profile=paper"]
    subprocess.run(compose, cwd=folder, check=True, capture_output=True)
    described = (folder / "dvc.yaml").read_text().replace("python -m stages.runner.tidy", "true")
    (folder / "work.py").write_text(WORK)
    (folder / "dvc.yaml").write_text(re.sub("python -m stages", "python work.py", described))


def bare(folder: Path, instances: int) -> None:
    """Lay out the least that DVC can be asked for: one dep and one out each, no parameter."""
    dvc(folder, "init", "-q")
    (folder / "in").write_text("")
    stages = {
        f"stage{number}": {
            "cmd": f"touch {number}",
            "deps": ["in"],
            "outs": [{str(number): {"cache": False}}],
        }
        for number in range(instances)
    }
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}))


def measure(folder: Path, what: str, work: list[str], *, goals: bool) -> int:
    """Run the pipeline in `folder`, print what DVC cost, and return the number of instances.

    `work` is a command that takes as long as an instance's own process; `goals` are printed too.
    """
    instances = len(dvc(folder, "stage", "list", "--name-only").split())
    spent = seconds(lambda: dvc(folder, "repro"))
    each = spent / instances - seconds(lambda: subprocess.run(work, check=True))
    goal = "  (goal < 0.3 s)" if goals else ""
    print(f"{what}: bookkeeping per instance, of {instances}: {each:.2f} s{goal}", flush=True)
    for command in ("repro", "status"):
        compare(
            f"{what}: `dvc {command}` with nothing to do, time to that of a bare `dvc version`",
            lambda: dvc(folder, "version"),
            lambda command=command: dvc(folder, command),
            rounds=3,
            goal="< 3" if goals else "",
        )
    return instances


def main() -> None:
    """Print the cost per instance, and of finding that nothing is to be done; then DVC's least."""
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as least:
        for folder in (ours, least):
            subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        study(Path(ours))
        work = [sys.executable, "-c", "import yaml"]
        instances = measure(Path(ours), "the paper's grid", work, goals=True)
        bare(Path(least), instances)
        measure(Path(least), "as many bare stages", ["true"], goals=False)


if __name__ == "__main__":
    main()
