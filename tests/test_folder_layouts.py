"""Folders as people have them: halves by many names, what is passed over, what is asked for."""

import json
import os
import shutil
import unicodedata

import own_data
import pytest
from own_data import CLASSES, halves
from test_folder_data import prepared

from kdprune.errors import KdpruneError
from kdprune.sources import folder


def renamed(root, train, test):
    halves(root)
    for old, new in (("train", train), ("test", test)):
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / f"_{old}")
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / f"_{old}").rename(root / new)
    return root


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Train", "Test"),
        ("training", "testing"),
        ("TRAIN", "test"),
        ("seg_train", "seg_test"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("train2017", "test2017"),
        ("training_set", "test_set"),
    ],
)
def test_halves_are_known_by_many_names(tmp_path, train, test):
    found = folder.files(renamed(tmp_path / "mine", train, test))
    assert {
        half: {name: len(held) for name, held in named.items()} for half, named in found.items()
    } == {
        "train": dict.fromkeys(CLASSES, 6),
        "test": dict.fromkeys(CLASSES, 3),
    }


def flat_halves(root, train="train", test="test"):
    """train/*.png and test/*.png, with no folders of classes in them."""
    for half in (train, test):
        (root / half).mkdir(parents=True)
        for index, image in enumerate(sorted((root / "cat").glob("*.png"))):
            shutil.copy(image, root / half / f"{index}.png")
    for name in CLASSES:
        shutil.rmtree(root / name)


def twice(root):
    renamed(root.parent / "more", "train", "test")
    for name in ("train", "test"):
        (root.parent / "more" / name).rename(root / name)
    shutil.copytree(root / "train", root / "Train")


def val_only(root):
    for half in ("train", "val"):
        shutil.copytree(root / "cat", root / half / "cat")
    for name in CLASSES:
        shutil.rmtree(root / name)


def training_alone(root):
    (root / "Training").mkdir()
    for name in CLASSES:
        (root / name).rename(root / "Training" / name)


def linked(root):
    (root / "cat").rename(root.parent / "cats")
    (root / "cat").symlink_to(root.parent / "cats")


def linked_within(root):
    (root / "cat" / "more").symlink_to(root / "ship")


def circle(root):
    (root / "cat" / "again").symlink_to(root)


def pipe(root):
    os.mkfifo(root / "cat" / "pipe.png")


def gone(root):
    (root / "cat" / "gone.png").symlink_to(root / "nowhere.png")


def no_utf8_class(root):
    os.mkdir(os.fsencode(root) + b"/caf\xe9")


def no_utf8_file(root):
    shutil.copy(next((root / "cat").glob("*.png")), os.fsencode(root) + b"/cat/caf\xe9.png")


def both_forms(root):
    for form in ("NFC", "NFD"):
        shutil.copytree(root / "cat", root / unicodedata.normalize(form, "café"))


def escape(root):
    shutil.copytree(root / "cat", root / "cat\x1b[2J")


REFUSED = {
    flat_halves: r"mine: train/ holds no folders of classes; put",
    twice: r"mine: it is unclear which of Train/, train/, test/ to train and to test on",
    val_only: r"mine: has train/ and val/ and no test/; name val/ test/",
    training_alone: r"mine: has Training/CLASS and no test/CLASS; add test/",
    linked: r"mine/cat: is a link to a folder, behind which DVC",
    linked_within: r"mine/cat/more: is a link to a folder",
    circle: r"mine/cat/again: is a link to a folder",
    pipe: r"mine/cat/pipe\.png: cannot be read \(it is no regular file\)",
    gone: r"mine/cat/gone\.png: cannot be read \(No such file",
    no_utf8_class: r"mine/caf\\udce9: its name is no UTF-8",
    no_utf8_file: r"mine/cat/caf\\udce9\.png: its name is no UTF-8",
    both_forms: r"mine: has two folders 'cafe\\u0301' and 'caf\\xe9', whose names look the same",
    escape: r"mine/cat\\x1b\[2J: its name has unprintable characters",
}


@pytest.mark.parametrize("spoil", REFUSED, ids=lambda spoil: spoil.__name__)
def test_what_is_ambiguous_or_unfit_is_one_line(tmp_path, spoil):
    root = own_data.make(tmp_path / "mine", count=5)
    spoil(root)
    with pytest.raises(KdpruneError, match=REFUSED[spoil]) as caught:
        folder.prepare("mine", root, tmp_path / "out", show=False)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("train", "test"), [("Train", "Test"), ("training", "testing")])
def test_halves_of_no_classes_are_never_classes(tmp_path, train, test):
    root = own_data.make(tmp_path / "mine", count=5)
    flat_halves(root, train, test)
    with pytest.raises(KdpruneError, match=f"{train}/ holds no folders of classes"):
        folder.files(root)


def test_a_train_among_vehicles_is_a_class(tmp_path):
    root = own_data.make(tmp_path / "mine", count=5)
    (root / "cat").rename(root / "train")
    assert set(folder.files(root)["all"]) == {"train", "ship", "truck"}


def test_hidden_and_system_folders_are_passed_over_at_every_depth_and_said(tmp_path, capsys):
    root = halves(tmp_path / "mine")
    prepared(root, tmp_path / "first")
    assert capsys.readouterr().err == ""
    image = next((root / "train" / "ship").glob("*.png"))
    deep = root / "train" / "cat" / "deep"
    for place in (root, root / "train", root / "test", root / "train" / "cat", deep):
        for name in (".ipynb_checkpoints", ".Trash-0", "@eaDir", "__MACOSX"):
            (place / name / "in").mkdir(parents=True)
            shutil.copy(image, place / name / "in" / "x.png")
        for name in ("Thumbs.db", ".DS_Store", "._x.png"):
            (place / name).write_bytes(b"x")
    (root / "train" / "cat" / "notes.txt").write_text("x")
    shutil.copy(image, root / "train" / "loose.png")
    shutil.copytree(root / "test", root / "val")
    prepared(root, tmp_path / "second")
    for name in ("manifest.json", "train_images.npy", "test_images.npy"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("mine: ")[2].partition(":")[0] for line in lines] == [
        "passed over 35 hidden or system files and folders",
        "passed over 1 files of other endings than .png, .jpg, .jpeg, .webp, .bmp, .gif, .tif, "
        ".tiff, .ppm, .pgm",
        "passed over 1 images outside of any class's folder",
        "passed over 1 folders beside those to train and to test on",
    ]


def test_a_class_in_either_form_of_unicode_is_one(tmp_path):
    root = halves(tmp_path / "mine")
    for half, form in (("train", "NFC"), ("test", "NFD")):
        (root / half / "cat").rename(root / half / unicodedata.normalize(form, "café"))
    data = prepared(root, tmp_path / "out")
    assert data.classes == ("café", "ship", "truck")


def test_the_order_of_labels_is_said_where_it_is_not_the_numbers(tmp_path, capsys):
    root = own_data.make(tmp_path / "mine", count=5)
    for name, new in zip(CLASSES, ("class10", "class2", "class1"), strict=True):
        (root / name).rename(root / new)
    assert prepared(root, tmp_path / "out").classes == ("class1", "class10", "class2")
    assert (
        "character by character, not by number: class1, class10, class2" in capsys.readouterr().err
    )


def test_all_bad_files_are_counted_and_the_first_named(tmp_path):
    root = own_data.make(tmp_path / "mine", count=8)
    bad = sorted((root / "ship").iterdir())[:5]
    for file in bad:
        file.write_bytes(b"no image")
    with pytest.raises(KdpruneError, match=r"mine: 5 of 24 images cannot be used") as caught:
        folder.prepare("mine", root, tmp_path / "out", show=False)
    assert [file.name in str(caught.value) for file in bad] == [True, True, True, False, False]


def test_linked_files_are_read(tmp_path):
    """DVC sees their contents: `dvc status` told of a change behind such a link."""
    root = halves(tmp_path / "mine")
    prepared(root, tmp_path / "first")
    file = next((root / "train" / "cat").iterdir())
    file.rename(tmp_path / file.name)
    file.symlink_to(tmp_path / file.name)
    prepared(root, tmp_path / "second")
    sums = [json.loads((tmp_path / n / "manifest.json").read_text()) for n in ("first", "second")]
    assert sums[0] == sums[1]
