"""A folder of one's own images becomes a data set like CIFAR: the same form, the same checks."""

import json
import shutil

import numpy as np
import own_data
import pytest
from conftest import some
from own_data import CLASSES, halves, images
from PIL import Image

from kdprune.cli import predict
from kdprune.config.grid import expand
from kdprune.config.params import validate
from kdprune.data.canonical import load
from kdprune.errors import KdpruneError
from kdprune.sources import folder, pictures
from kdprune.study.settings import settings


def prepared(root, out):
    folder.prepare("mine", root, out, show=False)
    return load(out)


def test_both_halves_are_read_as_they_are(tmp_path):
    data = prepared(halves(tmp_path / "mine"), tmp_path / "out")
    assert data.classes == CLASSES
    assert np.bincount(data.train_labels).tolist() == [6, 6, 6]
    assert np.bincount(data.test_labels).tolist() == [3, 3, 3]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["dataset"] == "mine"
    assert manifest["images"] == {"train": 18, "test": 9}
    pixels = data.train_images.reshape(18, 3, -1).transpose(1, 0, 2).reshape(3, -1) / 255
    assert data.mean == pytest.approx(pixels.mean(1), abs=1e-6)
    assert data.std == pytest.approx(pixels.std(1), abs=1e-6)


def test_one_folder_is_divided_class_by_class(tmp_path):
    root = own_data.make(tmp_path / "mine", count=10)
    data = prepared(root, tmp_path / "out")
    assert np.bincount(data.train_labels).tolist() == [8, 8, 8]
    assert np.bincount(data.test_labels).tolist() == [2, 2, 2]
    every = np.concatenate([data.train_images, data.test_images])
    assert len(np.unique(every.reshape(30, -1), axis=0)) == 30  # each image on one side alone


def test_lossless_images_of_the_right_size_keep_their_pixels(tmp_path):
    for name in CLASSES:
        (tmp_path / "mine" / name).mkdir(parents=True)
        for index, image in enumerate(images(name, 5)):
            Image.fromarray(image).save(tmp_path / "mine" / name / f"{index}.png")
    data = prepared(tmp_path / "mine", tmp_path / "out")
    every = np.concatenate([data.train_images, data.test_images]).transpose(0, 2, 3, 1)
    labels = np.concatenate([data.train_labels, data.test_labels])
    for label, name in enumerate(CLASSES):
        found = {image.tobytes() for image in every[labels == label]}
        assert found == {image.tobytes() for image in images(name, 5)}


def test_names_of_files_change_nothing_and_a_pixel_does(tmp_path):
    root = own_data.make(tmp_path / "mine", count=9)
    prepared(root, tmp_path / "first")
    for index, file in enumerate(sorted(some(root.glob("*/*")), reverse=True)):
        file.rename(file.with_name(f"x{index:03}{file.suffix.upper()}"))
    prepared(root, tmp_path / "second")
    for name in ("manifest.json", "train_images.npy", "test_images.npy", "test_labels.npy"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    changed = next(root.glob("cat/*.PNG"))
    pixels = np.asarray(Image.open(changed)).copy()
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(changed)
    prepared(root, tmp_path / "third")
    sums = [
        json.loads((tmp_path / which / "manifest.json").read_text())["sha256"]
        for which in ("first", "third")
    ]
    assert sums[0] != sums[1]


def test_what_is_no_image_is_passed_over(tmp_path):
    root = own_data.make(tmp_path / "mine", count=4)
    (root / "labels.csv").write_text("cat,1")
    (root / ".cache").mkdir()
    (root / "cat" / "notes.txt").write_text("no image")
    (root / "cat" / "._000-a.png").write_bytes(b"no image")
    (root / "cat" / "more" / "still").mkdir(parents=True)
    Image.new("RGB", (50, 50)).save(root / "cat" / "more" / "still" / "deep.png")
    found = folder.files(root)["all"]
    assert {name: len(held) for name, held in found.items()} == {"cat": 5, "ship": 4, "truck": 4}


def test_predict_sees_what_was_trained_on(tmp_path):
    root = own_data.make(tmp_path / "mine", count=4)
    data = prepared(root, tmp_path / "out")
    known = {image.tobytes() for image in (*data.train_images, *data.test_images)}
    for file in some(root.glob("*/*")):
        assert predict.read(file, 32, 1.0).numpy().tobytes() in known


def test_test_images_among_the_training_images_are_told_of(tmp_path, capsys):
    root = halves(tmp_path / "mine")
    folder.prepare("mine", root, tmp_path / "out", show=False)
    assert capsys.readouterr().err == ""
    shutil.copy(next((root / "train" / "cat").iterdir()), root / "test" / "cat")
    folder.prepare("mine", root, tmp_path / "out", show=False)
    error = capsys.readouterr().err
    assert "1 test images are training images too" in error
    assert error.count("\n") == 1


GREY = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (32, 1))


def modes():
    colour = np.stack([GREY, GREY.T, GREY[::-1, ::-1]], 2)
    image = Image.fromarray(colour)
    clear = np.dstack([colour, np.zeros_like(GREY)])
    grey = np.stack([GREY] * 3, 2)
    # (share of the value + share of white) in whole numbers, as opaque as it is bright
    on_white = np.round((grey.astype(int) ** 2 + 255 * (255 - grey.astype(int))) / 255)
    palette = image.quantize(16)
    high = Image.fromarray(GREY.astype(np.uint16) << 8)
    return {
        "RGB": (image, colour),
        "RGBA": (Image.fromarray(clear), np.full_like(colour, 255)),  # on white
        "L": (Image.fromarray(GREY), grey),
        "LA": (Image.fromarray(np.dstack([GREY, GREY])), on_white),
        "I;16": (high, grey),
        "1": (Image.fromarray(GREY > 127), np.where(grey > 127, 255, 0)),
        "P": (palette, np.asarray(palette.convert("RGB"))),
    }


@pytest.mark.parametrize("mode", some(modes()))
def test_every_kind_of_pixel_becomes_rgb(tmp_path, mode):
    image, expected = modes()[mode]
    assert image.mode == mode
    image.save(tmp_path / "image.png")
    assert np.array_equal(pictures.read(tmp_path / "image.png"), expected)


def test_the_middle_is_kept_and_the_shape_too(tmp_path):
    for wide in (True, False):
        pixels = np.zeros((100, 300), np.uint8)
        pixels[:, 100:150], pixels[:, 150:200] = 100, 200  # the square in the middle, in two halves
        pixels = pixels if wide else pixels.T
        Image.fromarray(pixels).save(tmp_path / "oblong.png")
        found = pictures.read(tmp_path / "oblong.png")[..., 0]
        found = found if wide else found.T
        assert (found[:, 2:14] == 100).all()
        assert (found[:, 18:30] == 200).all()


def one_class(root):
    shutil.rmtree(root / "ship")
    shutil.rmtree(root / "truck")


def no_class(root):
    for name in CLASSES:
        shutil.rmtree(root / name)


def few(root):
    for file in sorted((root / "ship").iterdir())[2:]:
        file.unlink()


def only_train(root):
    (root / "train").mkdir()
    for name in CLASSES:
        (root / name).rename(root / "train" / name)


def unreadable(root):
    (root / "cat" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno image")


def cut_off(root):
    image = next((root / "ship").glob("*.jpg"))
    image.write_bytes(image.read_bytes()[:-200])


def many(root):
    for index in range(254):
        shutil.copytree(root / "cat", root / f"class{index}")


REFUSED = {
    one_class: r"mine: has one class only \(cat\); 2 to 256",
    no_class: r"mine: has 0 classes",
    few: r"mine/ship: holds 2 images; a class needs 3 or more here",
    only_train: r"mine: has train/CLASS and no test/CLASS; add test/",
    unreadable: r"mine/cat/broken\.png: cannot be read",
    cut_off: r"mine/ship/001-b\.jpg: cannot be read",
    many: r"mine: has 257 classes; 2 to 256",
}


@pytest.mark.parametrize("spoil", REFUSED, ids=lambda spoil: spoil.__name__)
def test_a_bad_folder_is_refused_in_one_line(tmp_path, spoil):
    root = own_data.make(tmp_path / "mine", count=4)
    spoil(root)
    with pytest.raises(KdpruneError, match=REFUSED[spoil]) as caught:
        folder.prepare("mine", root, tmp_path / "out", show=False)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("half", "other"), [("train", "test"), ("test", "train")])
def test_a_class_of_one_half_is_refused(tmp_path, half, other):
    root = halves(tmp_path / "mine")
    shutil.copytree(root / half / "cat", root / half / "cow")
    with pytest.raises(KdpruneError, match=f"class cow is in {half}/ but not in {other}/"):
        folder.prepare("mine", root, tmp_path / "out", show=False)


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(KdpruneError, match="gone: is no folder"):
        folder.prepare("mine", tmp_path / "gone", tmp_path / "out", show=False)


def with_folder(values, path="/data/mine", name="mine"):
    """Parameters of a study of one's own images."""
    values["datasets"], values["folders"] = [name], {name: {"path": path}}
    values["grid"] = expand(
        datasets=[name],
        pairs=values["pairs"],
        distill=values["distill"]["method"],
        prune=values["prune"]["method"],
        roles=values["prune"]["roles"],
        folders=values["folders"],
    )
    return values


def test_a_named_folder_is_a_data_set(values):
    params = validate(with_folder(values))
    assert params.grid["datasets"] == {"mine": {"images": "/data/mine"}}
    assert all(item["dataset"] == "mine" for item in some(params.grid["sweeps"].values()))


@pytest.mark.parametrize(
    ("path", "name", "said"),
    [
        ("~/mine", "mine", r"folders\.mine\.path = '~/mine': write the whole path"),
        ("", "mine", r"folders\.mine\.path = '': .*at least 1"),
        ("data/mine/", "mine", r"folders\.mine\.path = 'data/mine/': is where .* data/mine;"),
        ("./data/cifar10/x", "mine", r"folders\.mine\.path.* writes data/cifar10"),
        ("data", "mine", r"folders\.mine\.path = 'data': is where"),
        ("/data/mine", "cifar10", r"folders\.cifar10: cifar10 is built in"),
        ("/data/mine", "embedded", r"folders\.embedded: embedded is built in"),
        ("/data/mine", "my-own", r"my-own"),
    ],
)
def test_a_folder_that_cannot_be_is_refused(values, path, name, said):
    with pytest.raises(KdpruneError, match=said) as caught:
        validate(with_folder(values, path, name))
    assert "\n" not in str(caught.value)


def test_an_unknown_data_set_is_told_of_the_known_ones(values):
    with_folder(values)
    values["datasets"] = ["mnie"]
    with pytest.raises(KdpruneError, match=r"datasets\.0 = 'mnie': .*datasets\.yaml.*\(mine\)"):
        validate(values)


def test_the_report_says_which_images_were_studied(values):
    assert settings(validate(values))["images"] == values["data"]["source"]
    assert settings(validate(with_folder(values)))["images"] == "own folder mine"
