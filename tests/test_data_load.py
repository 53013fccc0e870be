"""A folder of arrays that is damaged or foreign is refused in one line."""

import json
import pickle

import numpy as np
import pytest
from data_files import small

from kdprune.data.canonical import load
from kdprune.errors import KdpruneError
from kdprune.sources.writing import write


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "set", *small("cifar10"), where="test")
    return tmp_path / "set"


def damage_array(name, change):
    return lambda folder: np.save(folder / name, change(np.load(folder / name)))


class Hostile:
    """Creates a file when it is unpickled."""

    def __reduce__(self):
        return open, ("PWNED", "w")


def damage_manifest(change):
    def apply(folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps(change(manifest)))

    return apply


def truncate(name, keep):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:keep])


@pytest.mark.parametrize(
    "damage",
    [
        truncate("train_images.npy", 1000),
        truncate("train_images.npy", -1),
        truncate("test_labels.npy", 0),
        truncate("manifest.json", 40),
        lambda folder: (folder / "train_labels.npy").unlink(),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "manifest.json").write_bytes(b"\xff\xfe"),
        lambda folder: (folder / "test_images.npy").write_bytes(pickle.dumps([1])),
        lambda folder: np.save(folder / "test_labels.npy", np.array([{}]), allow_pickle=True),
        damage_array("train_images.npy", lambda images: images.astype(np.float32)),
        damage_array("train_images.npy", lambda images: images[:-1]),
        damage_array("train_images.npy", lambda images: images.transpose(0, 2, 3, 1)),
        damage_array("train_labels.npy", lambda labels: labels.astype(np.int32)),
        damage_array("train_labels.npy", lambda labels: np.where(labels == 9, 10, labels)),
        damage_array("test_labels.npy", lambda labels: np.where(labels == 4, 5, labels)),
        damage_array("test_labels.npy", lambda labels: labels - 1),
        damage_manifest(lambda manifest: []),
        damage_manifest(lambda manifest: manifest | {"images": [1]}),
        damage_manifest(lambda manifest: manifest | {"images": {}}),
        damage_manifest(lambda manifest: manifest | {"mean": None}),
        damage_manifest(lambda manifest: {"images": manifest["images"]}),
    ],
)
def test_a_damaged_folder_is_one_line(damage, folder):
    damage(folder)
    with pytest.raises(KdpruneError, match="is no complete data set") as caught:
        load(folder)
    assert str(folder) in str(caught.value)


def test_an_array_is_never_unpickled(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    np.save(folder / "test_labels.npy", np.array([Hostile()]), allow_pickle=True)
    with pytest.raises(KdpruneError, match="is no complete data set"):
        load(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["set"]
