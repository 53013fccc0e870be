"""Parquet files as the Hugging Face Hub has them are a data set like a folder of images."""

import io
import json
import shutil

import numpy as np
import own_data
import pyarrow
import pyarrow.parquet
import pytest
from conftest import ROOT
from own_data import CLASSES, halves, images
from PIL import Image
from test_folder_data import prepared

from kdprune.data.canonical import load
from kdprune.errors import KdpruneError
from kdprune.sources import folder

KIND = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def described(column, names):
    """The schema's metadata, by which `datasets` tells the names of classes."""
    features = {"image": {"_type": "Image"}, column: {"names": list(names), "_type": "ClassLabel"}}
    return {"huggingface": json.dumps({"info": {"features": features}})}


def table(path, parts, *, column="label", names=CLASSES, kind=None, more=None):
    """Write {class: images} as a parquet file whose labels are places in `names`."""
    rows = [
        ({"bytes": png(one), "path": None}, name) for name, held in parts.items() for one in held
    ]
    labels = [list(names).index(name) if names else name for _, name in rows]
    columns = {"image": pyarrow.array([one for one, _ in rows], KIND)}
    columns[column] = pyarrow.array(labels, kind)
    made = pyarrow.table({**columns, **(more or {})})
    if names:
        made = made.replace_schema_metadata(described(column, names))
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(made, path)


def part(begin, end):
    return {name: images(name, 12)[begin:end] for name in CLASSES}


def same(first, second):
    for name in ("manifest.json", "train_images.npy", "test_images.npy", "test_labels.npy"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_parquet_files_give_the_bytes_of_the_same_images_in_folders(tmp_path):
    hub, plain = tmp_path / "hub", tmp_path / "plain"
    table(hub / "data" / "train-00000-of-00002.parquet", part(0, 3))
    table(hub / "data" / "train-00001-of-00002.parquet", part(3, 6))
    table(hub / "data" / "test-00000-of-00001.parquet", part(6, 9))
    (hub / "README.md").write_text("x")
    for half, begin, end in (("train", 0, 6), ("test", 6, 9)):
        for name, held in part(begin, end).items():
            (plain / half / name).mkdir(parents=True)
            for at, pixels in enumerate(held):
                Image.fromarray(pixels).save(plain / half / name / f"{at}.png")
    assert prepared(hub, tmp_path / "a").classes == CLASSES
    prepared(plain, tmp_path / "b")
    same(tmp_path / "a", tmp_path / "b")


def test_the_order_of_classes_is_the_files(tmp_path):
    names = ("truck", "cat", "ship")
    for half in ("train", "test"):
        table(tmp_path / "hub" / f"{half}.parquet", part(0, 4), names=names, column="fine_label",
              more={"coarse_label": pyarrow.array([0] * 12)})  # fmt: skip
    data = prepared(tmp_path / "hub", tmp_path / "out")
    assert data.classes == names
    known = {one.tobytes() for one in images("truck", 12)}
    first = data.train_images[data.train_labels == 0].transpose(0, 2, 3, 1)
    assert {one.tobytes() for one in first} <= known


def test_words_and_numbers_without_names_are_classes(tmp_path):
    table(tmp_path / "words" / "all.parquet", part(0, 10), names=())
    data = prepared(tmp_path / "words", tmp_path / "a")
    assert data.classes == CLASSES
    assert np.bincount(data.test_labels).tolist() == [2, 2, 2]  # a fifth, as of one folder
    numbered = {str(at): held for at, held in enumerate(part(0, 10).values())}
    table(tmp_path / "numbers" / "x.parquet", numbered, names=("0", "1", "2"))
    file = tmp_path / "numbers" / "x.parquet"
    bare = pyarrow.parquet.read_table(file).replace_schema_metadata(None)
    pyarrow.parquet.write_table(bare, file)
    assert prepared(tmp_path / "numbers", tmp_path / "b").classes == ("0", "1", "2")


def test_a_validation_file_is_validated_on_or_stands_for_the_test(tmp_path, capsys):
    hub = tmp_path / "hub"
    table(hub / "train.parquet", part(0, 6))
    table(hub / "validation.parquet", part(6, 8))
    data = prepared(hub, tmp_path / "a")
    assert "validation.parquet is tested on" in capsys.readouterr().err
    assert (data.val_images, len(data.test_labels)) == (None, 6)
    table(hub / "test.parquet", part(8, 12))
    data = prepared(hub, tmp_path / "b")
    assert [len(data.train_labels), len(data.val_labels), len(data.test_labels)] == [18, 6, 12]


def test_a_parquet_file_among_images_is_passed_over(tmp_path, capsys):
    root = halves(tmp_path / "mine")
    prepared(root, tmp_path / "a")
    table(root / "train" / "cat" / "train.parquet", part(0, 3))
    table(root / "index.parquet", part(0, 3))
    prepared(root, tmp_path / "b")
    same(tmp_path / "a", tmp_path / "b")
    assert "passed over 2 files of other endings" in capsys.readouterr().err


def unlabelled(hub):
    table(hub / "test.parquet", part(6, 9))
    file = pyarrow.parquet.read_table(hub / "test.parquet")
    none = file.set_column(1, "label", pyarrow.array([-1] * 9))
    pyarrow.parquet.write_table(none, hub / "test.parquet")


def pointer(hub):
    (hub / "test.parquet").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")


def no_test(hub):
    (hub / "test.parquet").unlink()


def several(hub):
    shutil.copytree(hub, hub / "again")


def damaged(hub):
    file = pyarrow.parquet.read_table(hub / "test.parquet")
    rows = [{"bytes": b"no image", "path": None}] * 9
    pyarrow.parquet.write_table(
        file.set_column(0, "image", pyarrow.array(rows, KIND)), hub / "test.parquet"
    )


def no_labels(hub):
    file = pyarrow.parquet.read_table(hub / "test.parquet").drop_columns(["label"])
    pyarrow.parquet.write_table(file, hub / "test.parquet")


def no_bytes(hub):
    file = pyarrow.parquet.read_table(hub / "test.parquet")
    rows = [{"bytes": None, "path": "x.png"}] * 9
    pyarrow.parquet.write_table(
        file.set_column(0, "image", pyarrow.array(rows, KIND)), hub / "test.parquet"
    )


def one_class(hub):
    for half in ("train", "test"):
        table(hub / f"{half}.parquet", {"cat": images("cat", 4)}, names=("cat",))


def a_class_less(hub):
    table(hub / "test.parquet", {name: images(name, 4) for name in CLASSES[:2]})


REFUSED = {
    unlabelled: r"test\.parquet: has a label -1, of 3 classes",
    pointer: r"test\.parquet: holds no labelled images \(it is a pointer of Git LFS",
    no_test: r"hub: has parquet files of train alone",
    several: r"hub: holds several data sets \(\., again\)",
    damaged: r"test\.parquet, row 0: cannot be read \(no image",
    no_labels: r"test\.parquet: holds no labelled images \(it has no column label",
    no_bytes: r"test\.parquet: .*row 0 has no bytes",
    one_class: r"hub: has one class only \(cat\)",
    a_class_less: r"hub.*: holds 0 images; a class needs 1",
}


@pytest.mark.parametrize("spoil", REFUSED, ids=lambda spoil: spoil.__name__)
def test_what_cannot_be_used_is_one_line(tmp_path, spoil):
    hub = tmp_path / "hub"
    table(hub / "train.parquet", part(0, 6))
    table(hub / "test.parquet", part(6, 9))
    spoil(hub)
    with pytest.raises(KdpruneError, match=REFUSED[spoil]) as caught:
        folder.prepare("mine", hub, tmp_path / "out", show=False)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_images_of_any_size_are_read_as_files_are(tmp_path):
    """The same file is the same pixels, in a folder or in a table."""
    root = own_data.make(tmp_path / "plain", count=6)
    rows = [
        (file.read_bytes(), name) for name in CLASSES for file in sorted((root / name).iterdir())
    ]
    made = pyarrow.table(
        {
            "image": pyarrow.array([{"bytes": one, "path": None} for one, _ in rows], KIND),
            "label": [name for _, name in rows],
        }
    )
    (tmp_path / "hub").mkdir()
    pyarrow.parquet.write_table(made, tmp_path / "hub" / "all.parquet")
    prepared(root, tmp_path / "a")
    prepared(tmp_path / "hub", tmp_path / "b")
    same(tmp_path / "a", tmp_path / "b")


def test_the_pages_script_writes_a_data_set_of_torchvision(tmp_path):
    """Fashion-MNIST in miniature: its own files, and what the page makes of them."""
    raw = tmp_path / "torchvision" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (30, 28, 28), np.uint8)
    labels = np.arange(30, dtype=np.uint8) % 10
    for half in ("train", "t10k"):
        for kind, array in (("images-idx3", pixels), ("labels-idx1", labels)):
            shape = b"".join(side.to_bytes(4, "big") for side in array.shape)
            head = bytes([0, 0, 8, array.ndim])
            (raw / f"{half}-{kind}-ubyte").write_bytes(head + shape + array.tobytes())
    page = (ROOT / "docs" / "bring-your-own.md").read_text()
    script = page.partition("```python\nfrom pathlib import Path\n\nfrom torchvision")[2]
    script = "from pathlib import Path\n\nfrom torchvision" + script.partition("```")[0]
    assert "/data/" in script
    exec(script.replace("/data/", f"{tmp_path}/"), {})
    folder.prepare("mine", tmp_path / "fashion", tmp_path / "out", size=28, show=False)
    data = load(tmp_path / "out")
    assert len(data.classes) == 10
    assert "T-shirt-top" in data.classes
    grey = data.train_images[:, 0]
    assert {one.tobytes() for one in grey} == {one.tobytes() for one in pixels}
    place = data.classes.index("T-shirt-top")
    assert {one.tobytes() for one in grey[data.train_labels == place]} == {
        one.tobytes() for one in pixels[labels == 0]
    }
