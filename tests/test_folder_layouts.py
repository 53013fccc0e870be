"""Folders as people have them: halves by many names, what is passed over, what is asked for."""

import json
import os
import shutil
import unicodedata

import numpy as np
import own_data
import pytest
from conftest import some
from own_data import CLASSES, halves
from test_folder_data import prepared, with_folder

from kdprune.cli import predict
from kdprune.config.params import validate
from kdprune.data.tensors import load_tensors
from kdprune.errors import KdpruneError
from kdprune.planning.images import sizes
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


def two_to_validate_on(root):
    for half in ("train", "val", "valid"):
        for name in CLASSES:
            shutil.copytree(root / name, root / half / name)


def wrapped(root):
    inner = own_data.make(root.parent / "inner", count=5)
    for name in CLASSES:
        shutil.rmtree(root / name)
    inner.rename(root / "dataset")


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


def itself(root):
    (root / "cat" / "self.png").symlink_to("self.png")


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
    twice: r"mine: it is unclear which of Train/, train/ to take; name one train",
    two_to_validate_on: r"mine: it is unclear which of val/, valid/ to take; name one train",
    wrapped: r"mine: has one class only \(dataset\); .* is .*mine/dataset the data set\?",
    training_alone: r"mine: has Training/CLASS and no test/CLASS; add test/",
    linked: r"mine/cat: is a link to a folder, behind which DVC",
    linked_within: r"mine/cat/more: is a link to a folder",
    circle: r"mine/cat/again: is a link to a folder",
    pipe: r"mine/cat/pipe\.png: cannot be read \(it is no regular file\)",
    gone: r"mine/cat/gone\.png: cannot be read \(No such file",
    itself: r"mine/cat/self\.png: cannot be read \(Too many levels of symbolic links\)",
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
    shutil.copytree(root / "test", root / "more")
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


def thirds(root, names=("train", "val", "test")):
    """root/HALF/CLASS of six, two and three images, each image once."""
    halves(root, train=8)
    (root / "train").rename(root / "_")
    for name in CLASSES:
        files = sorted((root / "_" / name).iterdir())
        for half, part in ((names[0], files[:6]), (names[1], files[6:])):
            (root / half / name).mkdir(parents=True)
            for file in part:
                file.rename(root / half / name / file.name)
    shutil.rmtree(root / "_")
    if names[2] != "test":
        (root / "test").rename(root / names[2])
    return root


@pytest.mark.parametrize("val", ["val", "Valid", "validation"])
def test_a_folder_to_validate_on_is_validated_on(tmp_path, val, capsys):
    root = thirds(tmp_path / "mine", ("train", val, "test"))
    data = prepared(root, tmp_path / "out")
    assert capsys.readouterr().err == ""  # nothing is passed over
    assert np.bincount(data.train_labels).tolist() == [6, 6, 6]
    assert np.bincount(data.val_labels).tolist() == [2, 2, 2]
    assert np.bincount(data.test_labels).tolist() == [3, 3, 3]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["images"] == {"train": 18, "val": 6, "test": 9}
    pixels = data.train_images.reshape(18, 3, -1).transpose(1, 0, 2).reshape(3, -1) / 255
    assert data.mean == pytest.approx(pixels.mean(1), abs=1e-6)  # of what is trained on alone
    tensors = load_tensors(tmp_path / "out", validation=0.5, validation_seed=0)
    for split in ("train", "val", "test"):  # whatever the share says
        assert np.array_equal(tensors[f"{split}_images"], getattr(data, f"{split}_images"))
        assert np.array_equal(tensors[f"{split}_labels"], getattr(data, f"{split}_labels"))


def test_validation_images_are_those_of_their_folder_and_sized_like_the_tests(tmp_path):
    root = thirds(tmp_path / "mine")
    folder.prepare("mine", root, tmp_path / "out", size=28, crop=0.875, show=False)
    tensors = load_tensors(tmp_path / "out", validation=0.5, validation_seed=0)
    assert tensors["train_images"].shape[2:] == (32, 32)
    assert tensors["val_images"].shape == (6, 3, 28, 28)
    known = [predict.read(file, 28, 0.875).tolist() for file in sorted(some(root.glob("val/*/*")))]
    assert sorted(known) == sorted(tensors["val_images"].tolist())


def test_train_and_val_alone_are_to_train_and_to_test_on(tmp_path, capsys):
    root = thirds(tmp_path / "mine")
    shutil.rmtree(root / "test")
    data = prepared(root, tmp_path / "out")
    assert "val/ is tested on, as there is no test;" in capsys.readouterr().err
    assert (len(data.train_labels), len(data.test_labels), data.val_images) == (18, 6, None)
    (root / "val").rename(root / "test")
    folder.prepare("mine", root, tmp_path / "again", show=False)
    assert (tmp_path / "out" / "manifest.json").read_bytes() == (
        tmp_path / "again" / "manifest.json"
    ).read_bytes()


def test_one_training_image_suffices_where_validation_has_its_own(tmp_path):
    root = thirds(tmp_path / "mine")
    for file in sorted(some(root.glob("train/cat/*")))[1:]:
        file.unlink()
    assert np.bincount(prepared(root, tmp_path / "out").train_labels).tolist() == [1, 6, 6]
    shutil.rmtree(root / "val")
    with pytest.raises(KdpruneError, match="train/cat: holds 1 images; a class needs 2"):
        folder.prepare("mine", root, tmp_path / "out", show=False)


def test_images_of_two_splits_are_told(tmp_path, capsys):
    root = thirds(tmp_path / "mine")
    for number, (half, other) in enumerate((("train", "val"), ("val", "test"))):
        file = sorted(some((root / half / "cat").iterdir()))[number]
        shutil.copy(file, root / other / "cat" / f"again{file.name}")
    prepared(root, tmp_path / "out")
    told = capsys.readouterr().err
    assert "1 validation images are training images too" in told
    assert "1 test images are validation images too" in told
    assert told.count("too (") == 2


@pytest.mark.parametrize("half", ["train", "val", "test"])
def test_classes_that_differ_between_splits_are_named(tmp_path, half):
    root = thirds(tmp_path / "mine")
    for name in ("cow", "dog", "eel", "fox"):
        shutil.copytree(root / half / "cat", root / half / name)
    told = f"classes cow, dog, eel, … are in {half}/ but not in "
    with pytest.raises(KdpruneError, match=told) as caught:
        folder.prepare("mine", root, tmp_path / "out", show=False)
    assert "\n" not in str(caught.value)
    for name in ("cow", "dog", "eel", "fox"):
        shutil.rmtree(root / half / name)
    for file in (root / half / "cat").iterdir():
        file.unlink()
    with pytest.raises(KdpruneError, match=f"mine/{half}/cat: holds 0 images"):
        folder.prepare("mine", root, tmp_path / "out", show=False)


def test_a_plan_counts_the_validation_images_that_there_are(tmp_path, values):
    thirds(tmp_path / "mine")
    folder.prepare("mine", tmp_path / "mine", tmp_path / "data" / "mine", show=False)
    counted, classes = sizes(validate(with_folder(values)), "mine", tmp_path)
    assert (counted.train, counted.val, counted.test, classes) == (18, 6, 9, 3)


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
