"""Freezes a finished study under studies/NAME: python -m stages.runner.studies NAME.

What is frozen needs no networks: parameters, lock file, tables, figures and the records of the
stages. `make verify` computes every derived number of every folder again.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from kdprune.config.params import load
from kdprune.ending import ended
from kdprune.errors import KdpruneError
from kdprune.files import replacing
from kdprune.reporting import frozen
from kdprune.study import epochs, paths, tables
from kdprune.study.settings import settings
from stages.runner import lockfile

STUDIES = Path("studies")
NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
KEPT = ("params.yaml", "dvc.lock", "metrics", "plots")
RUNS = "runs.json"
LOGS = Path(".run/log")
FOLLOWS = ("grid", "trainings")  # sections of params.yaml


def publish(name: str) -> Path:
    """Freeze the study of this folder as `name`; return where it lies.

    Raises KdpruneError for a name that is no folder's, and for a study that is not finished.
    """
    if not NAME.fullmatch(name):
        raise KdpruneError(
            f"studies: {name!r} is no name; use lower case letters, digits and hyphens"
        )
    from stages.runner import verify  # it reads what is frozen here

    for question in (verify.lock, verify.derivation):
        _, told = question()
        if told:
            raise KdpruneError(f"studies: this study is not finished ({told[0]}); run `dvc repro`")
    STUDIES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=STUDIES) as made:
        folder = Path(made) / name
        folder.mkdir()
        for kept in KEPT:
            copy = shutil.copytree if Path(kept).is_dir() else shutil.copy2
            copy(kept, folder / kept)
        _leave_strangers(folder / "dvc.lock")
        (folder / RUNS).write_text(json.dumps(_runs(), indent=1) + "\n", encoding="utf-8")
        (folder / "commit").write_text(_commit() + "\n", encoding="utf-8")
        _describe(folder, name)
        shutil.rmtree(STUDIES / name, ignore_errors=True)
        folder.rename(STUDIES / name)
    return STUDIES / name


def names() -> list[str]:
    """Return the studies that are frozen here."""
    return sorted(path.parent.name for path in STUDIES.glob("*/params.yaml"))


def completed(folder: Path) -> bytes:
    """Return a study's parameters; those that came into being after it, as conf/ has them now."""
    values, own = lockfile.read("params.yaml"), lockfile.read(str(folder / "params.yaml"))
    derived = {name: own[name] for name in ("grid", "trainings") if name in own}
    rest = {name: value for name, value in values.items() if name not in ("grid", "trainings")}
    return yaml.safe_dump(_over(rest, own) | derived, sort_keys=False).encode()


def torn(folder: Path) -> Iterator[str]:
    """Yield a line for each table of a study that is not the one that its dvc.lock recorded."""
    for name, entry in lockfile.entries(str(folder / "dvc.lock")).items():
        for item in entry.get("outs", []):
            path = Path(item["path"])
            if path.parts[0] not in KEPT:
                continue
            if lockfile.found(folder / path, item["md5"]) != item["md5"]:
                yield f"{folder / path}: is not what dvc.lock recorded ({name})"


def _over(base: Any, given: Any) -> Any:
    if not (isinstance(base, Mapping) and isinstance(given, Mapping)):
        return given
    merged = {name: _over(base.get(name), value) for name, value in given.items()}
    return {name: value for name, value in base.items() if name not in given} | merged


def _leave_strangers(lock: Path) -> None:
    """Take from a copy of dvc.lock what DVC keeps of other grids: this study did not run it."""
    own, held = lockfile.stages(lockfile.read("params.yaml")), lockfile.read(str(lock))
    entries = lockfile.entries(str(lock)).items()
    held["stages"] = {name: entry for name, entry in entries if name in own}
    lock.write_text(yaml.safe_dump(held, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _runs() -> dict[str, Any]:
    """Return the records of the stages that the grid names, by instance."""
    described = lockfile.stages(lockfile.read("params.yaml"))
    files = {name: LOGS / f"{name.replace('@', '-')}.json" for name in described}
    return {
        name: json.loads(file.read_text(encoding="utf-8"))
        for name, file in files.items()
        if file.exists()
    }


def _commit() -> str:
    told = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    return told.stdout.strip() or "unknown"


def _overrides(profile: str) -> list[str]:
    """Return the options by which `dvc exp run` composes these parameters."""
    with tempfile.TemporaryDirectory() as made:
        plain = Path(made) / "params.yaml"
        command = [sys.executable, "conf/compose.py", "-o", str(plain), f"profile={profile}"]
        told = subprocess.run(command, capture_output=True, text=True)
        if told.returncode:
            raise KdpruneError(f"studies: profile {profile}: {told.stderr.strip()}")
        before, now = (dict(_leaves(lockfile.read(str(at)))) for at in (plain, "params.yaml"))
    given = {name: value for name, value in now.items() if before.get(name) != value}
    options = [f"profile={profile}", *(f"{name}={_flow(value)}" for name, value in given.items())]
    return [f"-S {shlex.quote(option)}" for option in options]


def _leaves(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and values of all but what follows from the rest."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            if before or name not in FOLLOWS:
                yield from _leaves(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).split("\n...")[0].strip()


def _describe(folder: Path, name: str) -> None:
    results = tables.results(params := load())
    results["spent"] = epochs.spent(params, results["breakpoints"], tables.learned(params))
    text = frozen.page(
        name,
        results,
        settings=settings(params),
        runs=json.loads((folder / RUNS).read_text(encoding="utf-8")),
        command=" ".join(["dvc exp run", *_overrides(params.profile)]),
        commit=(folder / "commit").read_text(encoding="utf-8").strip(),
        plots=folder / paths.PLOTS,
        folder=folder,
        confidence=params.significance.confidence,
    )
    with replacing(folder / "README.md") as temporary:
        temporary.write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Freeze the study as the name given."""
    if len(arguments) != 1:
        raise KdpruneError("studies: say one name, as in `make publish NAME=desk`")
    print(f"{publish(arguments[0])}: frozen; git add it")
    return 0


if __name__ == "__main__":
    sys.exit(ended(lambda: main(sys.argv[1:])))
