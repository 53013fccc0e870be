"""Where a slot lies on its node: folders of ours alone, found again by the study's later runs.

`kdprune-UID` of the temporary folder holds one folder for each study, with a folder for each slot
and one that its slots share for unfinished work.
"""

import os
import shutil
import stat
import tempfile
from pathlib import Path

import filelock

from kdprune.errors import KdpruneError
from kdprune.running import slot


class Place:
    """A slot's folder, locked while this process lives."""

    def __init__(self, folder: Path, held: filelock.BaseFileLock) -> None:
        self.folder, self.clone, self._held = folder, folder / "study", held

    def fill(self, bundled: bytes, settings: str) -> None:
        """Make the clone, or bring one that a run has left to the bundle's commit."""
        file = self.folder / "study.bundle"
        file.write_bytes(bundled)
        try:
            slot.clone(file, self.clone, settings)
        except (KdpruneError, OSError):
            if not self.clone.exists():
                raise
            shutil.rmtree(self.clone)  # a kill has left half a clone
            slot.clone(file, self.clone, settings)
        finally:
            file.unlink(missing_ok=True)

    def variables(self) -> dict[str, str]:
        """Return what lets later runs go on from what a kill leaves of this one."""
        shared = os.environ.get("KDPRUNE_UNFINISHED") or str(self.folder.parent / "unfinished")
        return {"KDPRUNE_UNFINISHED": shared}

    def clear(self) -> None:
        """Remove the clone; what is unfinished lies beside it."""
        shutil.rmtree(self.clone, ignore_errors=True)


def claim(study: str) -> Place:
    """Take the first folder of a study's slots that no living process has."""
    base = _own(Path(tempfile.gettempdir()) / f"kdprune-{os.getuid()}")
    above = _own(base / study)
    number = 1
    while True:
        folder = _own(above / f"slot-{number}")
        held = filelock.FileLock(folder / "lock", timeout=0, mode=0o600)
        try:
            return Place(folder, held.acquire().lock)  # it ends with us, however we end
        except filelock.Timeout:
            number += 1


def _own(folder: Path) -> Path:
    """Make a folder that nobody else reads; refuse one that another user has put there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise KdpruneError(f"{folder}: is another user's; set TMPDIR to another folder")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder
