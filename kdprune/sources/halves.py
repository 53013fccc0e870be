"""Which folders of one's own are halves (or thirds) of a data set, and which are classes."""

import re
import unicodedata
from pathlib import Path

from kdprune.errors import KdpruneError
from kdprune.sources.walking import Passed, listing

WORDS = {
    "train": {"train", "training", "trainset", "traindata"},
    "test": {"test", "testing", "testset", "testdata"},
    "val": {"val", "valid", "validate", "validation", "dev", "eval", "holdout"},
}


def of(root: Path, inside: list[Path], passed: Passed) -> dict[str, list[Path]] | None:
    """Return the folders of the classes by half, or None: `inside` are classes.

    Halves are "train", "test" and, where there is one beside them, "val"; where "val" stands for
    "test", as in ImageNet, it is returned as that. They are told by their names (Train, training,
    seg_train, train2017, …) and by the folders in them. Raises KdpruneError, asking, where the
    names leave it open.
    """
    halves: dict[str, Named] = {role: [] for role in WORDS}
    for folder in inside:
        role, rest = role_of(folder.name)
        if role:
            halves[role].append((rest, folder))
    train, test, val = halves["train"], halves["test"], halves["val"]
    if _alike(train, val) and not test:
        passed.instead.append(f"{val[0][1].name}/")
        test, val = val, []
    if not _alike(train, test):
        _ask_for_other(root, train, test)
        return None
    chosen = {"train": train, "test": test}
    if _alike(train, val):
        chosen["val"] = val
    if many := [item for named in chosen.values() if len(named) > 1 for item in named]:
        which = ", ".join(f"{folder.name}/" for _, folder in many)
        raise KdpruneError(
            f"{root}: it is unclear which of {which} to take; name one train, one test and, where "
            "there is one, one val, and move the others away"
        )
    folders = {role: _inner(named[0][1], passed) for role, named in chosen.items()}
    held = {role: listing(folder, passed, loose=True)[0] for role, folder in folders.items()}
    if not held.get("val", True):  # images without classes: nothing to validate on
        del held["val"]
    if empty := [role for role, inner in held.items() if not inner]:
        raise KdpruneError(
            f"{root}: {folders[empty[0]].name}/ holds no folders of classes; put the images of "
            "each class into train/CLASS and test/CLASS (are these two classes, rename them)"
        )
    used = {chosen[role][0][1] for role in held}
    passed.beside += [folder.name for folder in inside if folder not in used]
    return held


Named = list[tuple[str, Path]]  # what else a folder's name says, and the folder


def _alike(train: Named, other: Named) -> bool:
    """Tell whether names say the same but for the half: train2017 and val2017."""
    return bool({rest for rest, _ in train} & {rest for rest, _ in other})


def role_of(name: str) -> tuple[str | None, str]:
    """Return which half a folder's name says, if any, and the rest of the name."""
    words = re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", name).casefold())
    for role, known in WORDS.items():
        if said := [word for word in words if word in known]:
            return role, " ".join(word for word in words if word != said[0])
    return None, ""


def _inner(folder: Path, passed: Passed) -> Path:
    """Descend where a half holds but itself, as some archives unpack: seg_train/seg_train."""
    inside = listing(folder, Passed())[0]
    if len(inside) != 1 or inside[0].name != folder.name:
        return folder
    listing(folder, passed, loose=True)  # to note what lies beside it
    return inside[0]


def _ask_for_other(root: Path, train: Named, test: Named) -> None:
    """Raise KdpruneError where one half with classes in it stands alone."""
    for named, other in ((train, "test"), (test, "train")):
        for _, folder in named:
            if _has_folders(folder):
                raise KdpruneError(
                    f"{root}: has {folder.name}/CLASS and no {other}/CLASS; add {other}/, or let "
                    f"{root} itself hold the folders of the classes"
                )


def _has_folders(folder: Path) -> bool:
    return bool(listing(folder, Passed())[0])
