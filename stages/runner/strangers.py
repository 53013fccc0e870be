"""Lets DVC find this machine's own results where dvc.lock names another machine's.

Rounding differs from processor to processor, and so do networks and the hashes that dvc.lock holds.
Where an instance's inputs are those of the lock, DVC looks for the lock's outputs alone, and trains
anew where they are not here, though its run-cache may hold this machine's own for the same inputs.
It asks the run-cache where the lock has no entry: such entries go.
"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdprune.files import replacing
from kdprune.study.paths import LOCK
from stages.runner import lockfile

CONFIGURED = (".dvc/config", ".dvc/config.local")
EXPENSIVE = ("models/", "results/")
ENTRY = re.compile(r"^  (\S.*):$", flags=re.MULTILINE)


def drop() -> list[str]:
    """Drop from dvc.lock what is another machine's and was made here too; return the names."""
    locked = lockfile.entries(str(LOCK))
    cache = _cache()
    absent = [name for name, entry in locked.items() if not _cached(cache, entry)]
    ours = {_inputs(lockfile.read(str(path))) for path in cache.glob("runs/*/*/*") if absent}
    foreign = [name for name in absent if _inputs(locked[name]) in ours]
    _without(foreign)
    return foreign


def drop_other_grids() -> list[str]:
    """Drop from dvc.lock what today's grid does not name; return the names.

    DVC keeps such entries for ever. Its run-cache has what they stand for.
    """
    locked = lockfile.entries(str(LOCK))
    named = lockfile.stages(lockfile.read("params.yaml"))
    others = [name for name in locked if name not in named]
    _without(others)
    return others


def _without(names: list[str]) -> None:
    """Write dvc.lock without the entries of `names`, the others as they are.

    Without any entry it is removed: DVC refuses a lock file that names none.
    """
    if not names:
        return
    head, *parts = ENTRY.split(LOCK.read_text(encoding="utf-8"))
    entries = zip(parts[::2], parts[1::2], strict=True)
    kept = "".join(f"  {name}:{text}" for name, text in entries if name not in names)
    if not kept:
        LOCK.unlink()
        return
    with replacing(LOCK) as temporary:
        temporary.write_text(head + kept, encoding="utf-8")


def _cache() -> Path:
    """Return DVC's cache; DVC itself is asked only where a configuration names another."""
    texts = [path.read_text() for path in map(Path, CONFIGURED) if path.is_file()]
    if not any("[cache]" in text for text in texts):
        return Path(".dvc/cache")
    command = [sys.executable, "-m", "dvc", "cache", "dir"]
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def _cached(cache: Path, entry: Mapping[str, Any]) -> bool:
    """Say whether the cache has all outputs that DVC keeps there; tables in git are not asked."""
    kept = [out for out in entry.get("outs", []) if str(out["path"]).startswith(EXPENSIVE)]
    digests = [str(out["md5"]) for out in kept]
    return all((cache / "files" / "md5" / item[:2] / item[2:]).exists() for item in digests)


def _inputs(entry: Mapping[str, Any]) -> str:
    """Return all that an entry's outputs follow from, as DVC records it."""
    deps = sorted((dep["path"], str(dep.get("md5"))) for dep in entry.get("deps", []))
    return json.dumps([entry.get("cmd"), deps, entry.get("params", {})], sort_keys=True)
