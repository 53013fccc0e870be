"""Mends what DVC leaves of its own files when it is killed: python -m stages.runner.mend [files].

DVC writes dvc.lock and .dvc/tmp/rwlock in place. Killed meanwhile, it leaves them empty or cut off:
an empty dvc.lock is to DVC a study that has yet to begin, and a broken rwlock stops it. With
`files`, which `kdprune run` asks for, nothing but these two is looked at.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from kdprune.config.yaml_reading import check_merged
from kdprune.errors import KdpruneError, status_of
from kdprune.files import replacing
from kdprune.study.paths import LOCK
from stages.runner import lockfile, pictures, strangers

COPY = Path(".run/dvc.lock")  # as the stage that ran last found it
RWLOCK = Path(".dvc/tmp/rwlock")
PATIENCE = 2.0  # seconds in which another DVC's writing ends


def keep_lock() -> None:
    """Copy dvc.lock, which DVC has just read, with its time; called as a stage begins.

    Raises KdpruneError where it was cut off, with the earlier copy put back: DVC would otherwise
    compute anew what it has lost. A whole one that lacks stages, as another branch's may, is told
    of.
    """
    if "DVC_STAGE" not in os.environ or not LOCK.exists():
        return
    if put_back():
        raise KdpruneError(
            f"{LOCK}: was cut off while DVC wrote it; it was put back from {COPY}: run the command "
            "again"
        )
    if lost := _lost():
        earlier = COPY.with_name("dvc.lock.earlier")
        COPY.replace(earlier)
        _tell(lost, earlier)
    _copy(LOCK, COPY)


def put_back() -> bool:
    """Put the copy of a dvc.lock that was cut off in its place; return whether that was so."""
    if not COPY.exists() or not LOCK.exists() or not _is_cut():
        return False
    time.sleep(PATIENCE)
    if not _is_cut():
        return False
    _copy(COPY, LOCK)
    return True


def free() -> bool:
    """Remove a .dvc/tmp/rwlock that is no JSON; return whether that was so."""
    if not RWLOCK.exists() or not _is_broken():
        return False
    time.sleep(PATIENCE)
    if not _is_broken():
        return False
    RWLOCK.unlink(missing_ok=True)
    return True


def _lost() -> set[str]:
    """Return the stages that dvc.lock lacks and its copy has, unless git has put it back."""
    lost = _entries(COPY).keys() - _entries(LOCK).keys() if COPY.exists() else set()
    return lost if lost and not _is_committed() else set()


def _tell(lost: set[str], earlier: Path) -> None:
    print(
        f"kdprune: {LOCK}: lacks {len(lost)} of the stages that {earlier} has, such as "
        f"{min(lost)}; if you removed none, stop, and `cp -p {earlier} {LOCK}`",
        file=sys.stderr,
    )


def _is_cut() -> bool:
    """Say whether dvc.lock is empty, ends within a line or a stage, or has none of its copy's.

    DVC writes the stages in the order in which it read them; of those, the one that has just run
    may be another. What ends behind a whole stage is as likely a person's doing, and is told of.
    What git has committed is as it should be.
    """
    if not LOCK.read_bytes().endswith(b"\n"):
        return True
    cut, whole = _entries(LOCK), _entries(COPY)
    names = list(cut)
    if names == list(whole) or names != list(whole)[: len(names)]:
        return False
    if sum(cut[name] != whole[name] for name in names[:-1]) > 1:
        return False
    if names and _fields(cut[names[-1]]) == _fields(whole[names[-1]]):
        return False
    return not _is_committed()


def _is_bare() -> bool:
    """Say whether dvc.lock names no stage, which DVC refuses; asked where no copy could mend it."""
    if not LOCK.exists() or lockfile.entries(str(LOCK)):
        return False
    time.sleep(PATIENCE)
    return not lockfile.entries(str(LOCK))


def _is_committed() -> bool:
    """Say whether dvc.lock is what git has, as after `git restore .` or a change of branch."""
    for command in (["ls-files", "--error-unmatch"], ["diff", "--quiet", "HEAD"]):
        asked = ["git", *command, "--", str(LOCK)]
        if subprocess.run(asked, capture_output=True, check=False).returncode:
            return False
    return True


def _is_broken() -> bool:
    try:
        content = RWLOCK.read_bytes()
        json.loads(content or b"{}")
    except ValueError:
        return True
    except FileNotFoundError:
        return False
    return False


def _entries(lock: Path) -> dict[str, str]:
    """Return the text of each stage in a lock file, which may be cut off, and no YAML."""
    text = lock.read_text(errors="replace")
    parts = re.split(r"^  (\S.*):$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _fields(entry: str) -> list[str]:
    """Return the keys of a stage's entry, line by line: all there, unless it was cut off."""
    return re.findall(r"^ *(?:- )?[^\s:]+:", entry, flags=re.MULTILINE)


def _copy(one: Path, other: Path) -> None:
    with replacing(other) as temporary:
        shutil.copy2(one, temporary)


def main() -> int:
    """Mend, and say what was mended; return the exit status."""
    return status_of(_mend_files if sys.argv[1:] == ["files"] else _mend)


def _mend_files() -> None:
    if LOCK.exists():
        check_merged(LOCK.read_bytes(), LOCK)
    if put_back():
        print(f"kdprune: {LOCK}: was cut off; it was put back from {COPY}", file=sys.stderr)
    elif LOCK.exists() and (lost := _lost()):
        _tell(lost, COPY)
    if _is_bare():
        LOCK.unlink()
        print(f"kdprune: {LOCK}: named no stage, as after a kill; it was removed", file=sys.stderr)
    if free():
        print(f"kdprune: {RWLOCK}: was cut off; it was removed", file=sys.stderr)


def _mend() -> None:
    """Mend, and check the parameters, whose keys DVC's shell is given."""
    _mend_files()
    if Path("params.yaml").exists():
        pictures.check()
    if LOCK.exists() and Path("params.yaml").exists() and (others := strangers.drop_other_grids()):
        told = f"{len(others)} results of another grid are no longer named; DVC's cache has them"
        print(f"kdprune: {LOCK}: {told}", file=sys.stderr)
        if LOCK.exists():
            _copy(LOCK, COPY)
        else:
            COPY.unlink(missing_ok=True)
    if LOCK.exists() and (foreign := strangers.drop()):
        told = f"{len(foreign)} results that it names are another machine's, and were made here too"
        print(f"kdprune: {LOCK}: {told}; DVC will take this machine's", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
