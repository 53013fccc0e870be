"""What is in a folder of one's own: folders, images, and what is passed over, counted."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from kdprune.errors import KdpruneError
from kdprune.sources.pictures import shown

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
SYSTEM = {
    "@eadir",  # Synology
    "__macosx",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "#recycle",
    "#snapshot",
    "__pycache__",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
}
NAMED = 3  # of many


@dataclass
class Passed:
    """What was passed over, by name: of each kind, some are named and all are counted."""

    hidden: list[str] = field(default_factory=list)  # and system files and folders
    foreign: list[str] = field(default_factory=list)  # files of other endings
    loose: list[str] = field(default_factory=list)  # images outside of any class's folder
    beside: list[str] = field(default_factory=list)  # folders beside train/ and test/
    instead: list[str] = field(default_factory=list)  # what is named val and is tested on

    def said(self) -> list[str]:
        """Return a line for each kind of which there is any."""
        kinds = (
            (self.hidden, "hidden or system files and folders"),
            (self.foreign, "files of other endings than " + ", ".join(SUFFIXES)),
            (self.loose, "images outside of any class's folder"),
            (self.beside, "folders beside those to train and to test on"),
        )
        lines = [
            f"passed over {len(names)} {kind}: {some(names)}" for names, kind in kinds if names
        ]
        told = "is tested on, as there is no test; a share of train is validated on"
        return lines + [f"{shown(name)} {told}" for name in self.instead]


def some(names: list[str]) -> str:
    """Return the few most frequent of `names`."""
    most = [shown(name) for name, _ in Counter(names).most_common(NAMED)]
    return ", ".join(most) + (", …" if len(set(names)) > NAMED else "")


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is the system's or a program's, and not the owner's."""
    return name.startswith(".") or name.casefold() in SYSTEM


def listing(folder: Path, passed: Passed, *, loose: bool = False) -> tuple[list[Path], list[Path]]:
    """Return the folders and the image files in `folder`, by name; note the others in `passed`.

    `loose`: images here belong to no class, and are noted too. Raises KdpruneError for names that
    are no UTF-8, for which DVC ends in an error of its own, and for links to folders: DVC does not
    look behind them, so that changed images would count as unchanged.
    """
    try:
        with os.scandir(folder) as inside:
            entries = sorted(inside, key=lambda entry: entry.name)
    except OSError as error:
        raise KdpruneError(f"{shown(folder)}: cannot be read ({error.strerror})") from None
    folders, images = [], []
    for entry in entries:
        if is_hidden(entry.name):
            passed.hidden.append(entry.name)
        elif not entry.name.isascii() and not _is_text(entry.name):
            raise KdpruneError(
                f"{shown(entry.path)}: its name is no UTF-8; rename it, by convmv for example"
            )
        elif (is_folder := _is_folder(entry)) and entry.is_symlink():
            raise KdpruneError(
                f"{shown(entry.path)}: is a link to a folder, behind which DVC would not see "
                "changes; put the folder itself there, or links to its files"
            )
        elif is_folder:
            folders.append(Path(entry.path))
        elif not entry.name.lower().endswith(SUFFIXES):
            passed.foreign.append(entry.name)
        elif loose:
            passed.loose.append(entry.name)
        else:
            images.append(Path(entry.path))
    return folders, images


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle: an image of it cannot be read, which is told
        return False


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
