"""The order of instances in dvc.lock: that of a serial run, in whatever order they ended."""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kdprune.files import replacing
from kdprune.records import read_json

TRIES = 3
ENTRY = re.compile(r"^  (\S.*):$", flags=re.MULTILINE)  # an instance in dvc.lock


def names_of(lock: Path) -> list[str]:
    """Return the instances in a lock file, in its order; none where there is no file."""
    text = lock.read_text(encoding="utf-8") if lock.exists() else ""
    return ENTRY.findall(text)


def order_before(lock: Path, kept: Path) -> list[str]:
    """Return the order that a lock file had before the run that was cut short, else its own.

    A driver that was killed has left its instances behind the others, in the order in which they
    ended. Where they are committed, or the file is another branch's, its own order holds.
    """
    now = names_of(lock)
    with contextlib.suppress(OSError, ValueError):
        held = read_json(kept)
        if isinstance(held, list) and held == now[: len(held)] and not _is_committed(lock):
            return [str(name) for name in held]
    kept.parent.mkdir(parents=True, exist_ok=True)
    with replacing(kept) as temporary:
        temporary.write_text(json.dumps(now), encoding="utf-8")
    return now


def _is_committed(lock: Path) -> bool:
    differs = ["git", "diff", "--quiet", "HEAD", "--", lock.name]
    tracked = ["git", "ls-files", "--error-unmatch", lock.name]
    return not any(
        subprocess.run(command, cwd=lock.parent, capture_output=True).returncode
        for command in (tracked, differs)
    )


def in_order(lock: Path, before: Sequence[str]) -> None:
    """Give a lock file the order of a serial run: what it had `before`, then DVC's own order.

    DVC appends an instance when it ends, and those that run side by side end in any order.
    """
    if not lock.exists():  # nothing has ended well
        return
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--dry", "--force"]
    for _ in range(TRIES):  # on a busy machine DVC may find one of its own files in use
        told = subprocess.run(command, cwd=lock.parent, capture_output=True, text=True)
        serial = re.findall(r"^Running stage '([^']+)'", told.stdout, flags=re.MULTILINE)
        if told.returncode == 0:
            break
    else:
        print(f"kdprune: dvc.lock is in another order: {told.stderr[-200:]}", file=sys.stderr)
    text = lock.read_text(encoding="utf-8")
    head, *parts = ENTRY.split(text)
    entries = dict(zip(parts[::2], parts[1::2], strict=True))
    known = [name for name in dict.fromkeys([*before, *serial]) if name in entries]
    order = dict.fromkeys([*known, *entries])
    whole = head + "".join(f"  {name}:{entries[name]}" for name in order)
    if whole != text:
        with replacing(lock) as temporary:
            temporary.write_text(whole, encoding="utf-8")
