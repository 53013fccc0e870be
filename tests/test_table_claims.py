"""Parquet files that contradict themselves or would grow: one line, before an image is read."""

import os
import re

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from test_folder_tables import described, part, png, table

from kdprune.errors import KdpruneError
from kdprune.sources import columns, folder, pictures, tables, unpacking

NAMES = ("cat", "ship", "truck")
PIXELS = np.zeros((32, 32, 3), np.uint8)


@pytest.fixture
def hub(tmp_path):
    for half, begin in (("train", 0), ("test", 6)):
        table(tmp_path / "hub" / f"{half}.parquet", part(begin, begin + 4))
    return tmp_path / "hub"


def labelled(path, labels, names=None, kind=None):
    """Replace a file's labels, and what names its classes."""
    file = pyarrow.parquet.read_table(path)
    file = file.set_column(1, "label", pyarrow.array(labels, kind))
    told = {} if names is None else described("label", names)
    pyarrow.parquet.write_table(file.replace_schema_metadata(told), path)


def refused(hub, tmp_path, said, monkeypatch):
    """Prepare a folder whose images must not be looked at."""

    def looked_at(*_):
        pytest.fail("images were read before what is wrong was told")

    monkeypatch.setattr(pictures, "decode", looked_at)
    with pytest.raises(KdpruneError, match=said) as caught:
        folder.prepare("mine", hub, tmp_path / "out", show=False)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("label", [2**40, 256, -1])
def test_a_label_does_not_say_how_many_classes_are_made(label, hub, tmp_path, monkeypatch):
    for half in ("train", "test"):
        labelled(hub / f"{half}.parquet", [0, 1, label] * 4)
    refused(hub, tmp_path, rf"has a label {label}; labels count from 0", monkeypatch)


def test_words_and_numbers_are_not_mixed(hub, tmp_path, monkeypatch):
    labelled(hub / "train.parquet", [0, 1, 2] * 4)
    labelled(hub / "test.parquet", [*"abc"] * 4)
    said = r"test\.parquet: has words as labels, and .*train\.parquet numbers"
    refused(hub, tmp_path, said, monkeypatch)


@pytest.mark.parametrize("names", [("ship", "cat", "truck"), (*NAMES, "frog")])
def test_files_that_name_other_classes_are_not_joined(names, hub, tmp_path, monkeypatch):
    """Else a label would silently be another class in the one than in the other."""
    labelled(hub / "train.parquet", [0, 1, 2] * 4, NAMES)
    labelled(hub / "test.parquet", [0, 1, 2] * 4, names)
    refused(hub, tmp_path, r"names other classes than .*, or in another order", monkeypatch)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a\x1b[2J", r"its class 'a\\x1b\[2J' is no printable name"),
        ("a\nb", r"its class 'a\\nb' is no printable"),
        ("", "its class '' is no printable"),
        ("x" * 256, "is no printable name of 1 to 255"),
        ("ship", "two classes 'ship'"),
    ],
)
def test_names_of_classes_would_do_as_names_of_folders(name, said, hub, tmp_path, monkeypatch):
    for half in ("train", "test"):
        labelled(hub / f"{half}.parquet", [0, 1, 2] * 4, (name, "ship", "truck"))
    refused(hub, tmp_path, said, monkeypatch)
    for half in ("train", "test"):
        labelled(hub / f"{half}.parquet", [name, "ship", "truck"] * 4)
    if name != "ship":
        refused(hub, tmp_path, "is no printable|has 256 characters", monkeypatch)


@pytest.mark.parametrize("names", ["cst", {"cat": 0, "ship": 1, "truck": 2}, [["cat"], "b", "c"]])
def test_names_are_a_list_of_words(names):
    kind = pyarrow.struct([("bytes", pyarrow.binary())])
    told = described("label", ())
    schema = pyarrow.schema({"image": kind, "label": pyarrow.int64()}, metadata=told)
    assert columns._columns(schema).names == ()
    held = columns.json.loads(told["huggingface"])
    held["info"]["features"]["label"]["names"] = names
    schema = schema.with_metadata({"huggingface": columns.json.dumps(held)})
    with pytest.raises(ValueError, match="other than a list of words"):
        columns._columns(schema)


def test_labels_that_are_lists_are_none(hub, tmp_path, monkeypatch):
    labelled(hub / "train.parquet", [[0], [1], [2]] * 4, NAMES)
    refused(hub, tmp_path, "no column label", monkeypatch)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(hub, tmp_path, monkeypatch):
    (hub / "train.parquet").unlink()
    os.mkfifo(hub / "train.parquet")
    refused(hub, tmp_path, r"train\.parquet: is no regular file", monkeypatch)


def many(path, count, value, **options):
    """A file whose rows share one value."""
    rows = pyarrow.DictionaryArray.from_arrays(
        pyarrow.array(np.zeros(count, np.int32)), pyarrow.array([value], pyarrow.binary())
    )
    held = {"image": pyarrow.StructArray.from_arrays([rows], ["bytes"])}
    held["label"] = pyarrow.array(np.arange(count) % 3)
    pyarrow.parquet.write_table(pyarrow.table(held), path, store_schema=False, **options)


@pytest.mark.parametrize(
    ("count", "value", "said"),
    [
        (10**5, png(PIXELS), "100,000 rows in .* cannot each have an image"),
        (60, bytes(65 << 20), "unpacks to 68,157,4"),
    ],
)
def test_a_small_file_does_not_become_a_large_one(count, value, said, hub, tmp_path, monkeypatch):
    many(hub / "train.parquet", count, value, compression="zstd")
    assert (hub / "train.parquet").stat().st_size < 2**20
    refused(hub, tmp_path, said, monkeypatch)


def test_rows_that_may_share_a_long_value_are_read_one_by_one(hub):
    many(hub / "train.parquet", 3, bytes(4 << 20), compression="none")
    with columns.opened(hub / "train.parquet") as (parquet, told):
        assert unpacking.at_once(parquet, told.read) == 1
        assert [(row, len(held)) for row, held in tables._rows(parquet, told)] == [(0, 3)]
    with columns.opened(hub / "test.parquet") as (parquet, told):
        assert unpacking.at_once(parquet, told.read) == unpacking.ROWS


def test_rows_are_numbered_through_all_parts(hub, monkeypatch):
    """Whatever the parts in which they come: a bad image is named by its row."""
    monkeypatch.setattr(unpacking, "ROWS", 5)
    with columns.opened(hub / "train.parquet") as (parquet, told):
        assert [(row, len(held)) for row, held in tables._rows(parquet, told)] == [
            (0, 5),
            (5, 5),
            (10, 2),
        ]


def test_a_file_that_changes_between_labels_and_images_is_noticed(hub, tmp_path):
    found = {"train": [hub / "train.parquet"]}
    labels, _ = columns.labels(found)
    labels["train"].pop()
    with pytest.raises(KdpruneError, match="has 12 images and 11 labels"):
        tables.read(found, labels, 8, tmp_path)


def test_what_no_file_names_is_told_without_what_steers_a_terminal():
    with pytest.raises(KdpruneError, match=re.escape("has a label a\\x1b, of 1 classes")):
        columns._places(["a\x1b"], {"b": 0}, "x")
