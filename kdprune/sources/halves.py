"""Which folders of one's own are halves of a data set, and which are classes."""

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
    """Return the folders of the classes under "train" and "test", or None: `inside` are classes.

    Halves are told by their names (Train, training, seg_train, train2017, …) and by the folders
    in them. Raises KdpruneError, asking, where the names leave it open.
    """
    halves: dict[str, list[tuple[str, Path]]] = {role: [] for role in WORDS}
    for folder in inside:
        role, rest = role_of(folder.name)
        if role:
            halves[role].append((rest, folder))
    train, test, val = halves["train"], halves["test"], halves["val"]
    alike = {rest for rest, _ in train} & {rest for rest, _ in test}
    if not (train and test and alike):
        _ask_for_test(root, train, test, val)
        return None
    if len(train) > 1 or len(test) > 1:
        which = ", ".join(f"{folder.name}/" for _, folder in (*train, *test))
        raise KdpruneError(
            f"{root}: it is unclear which of {which} to train and to test on; name one train and "
            "one test, and move the others away"
        )
    chosen = {"train": _inner(train[0][1], passed), "test": _inner(test[0][1], passed)}
    held = {role: listing(folder, passed, loose=True)[0] for role, folder in chosen.items()}
    if empty := [role for role, inner in held.items() if not inner]:
        raise KdpruneError(
            f"{root}: {chosen[empty[0]].name}/ holds no folders of classes; put the images of each "
            "class into train/CLASS and test/CLASS (are these two classes, rename them)"
        )
    used = {train[0][1], test[0][1]}
    passed.beside += [folder.name for folder in inside if folder not in used]
    return held


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


def _ask_for_test(
    root: Path,
    train: list[tuple[str, Path]],
    test: list[tuple[str, Path]],
    val: list[tuple[str, Path]],
) -> None:
    """Raise KdpruneError where one half with classes in it, or train and val, stand alone."""
    for rests, half, other in ((train, "train", "test"), (test, "test", "train")):
        for rest, folder in rests:
            beside = [each for other_rest, each in val if other_rest == rest]
            if half == "train" and beside:
                raise KdpruneError(
                    f"{root}: has {folder.name}/ and {beside[0].name}/ and no test/; name "
                    f"{beside[0].name}/ test/ (validation images are drawn from train/), or rename "
                    "them where they are classes"
                )
            if _has_folders(folder):
                raise KdpruneError(
                    f"{root}: has {folder.name}/CLASS and no {other}/CLASS; add {other}/, or let "
                    f"{root} itself hold the folders of the classes"
                )


def _has_folders(folder: Path) -> bool:
    return bool(listing(folder, Passed())[0])
