"""Every source gives the same bytes; `auto` tries them in turn; what cannot be is one line."""

import functools
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import some
from data_mirrors import local_folder, mirroring, prepared

from kdprune.data.canonical import EMBEDDED, load
from kdprune.errors import KdpruneError
from kdprune.sources import SOURCES, npm, prepare

FORMS = [
    f"{layout} {shape}"
    for layout in ("binary", "python")
    for shape in ("bare", "folder", "archive")
]


@pytest.fixture
def mirror():
    with mirroring() as server:
        yield server


@pytest.fixture
def run(tmp_path):
    return functools.partial(prepared, tmp_path)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_all_sources_give_the_same_bytes(dataset, mirror, run, tmp_path):
    remote = [name for name in ("authors", "hub", "npm") if (dataset, name) != ("cifar100", "npm")]
    results = {name: run(dataset, name, out=name)[1] for name in remote}
    for form in FORMS:
        folder = tmp_path / form
        folder.mkdir()
        local_folder(folder, dataset, form)
        results[form] = run(dataset, "local", path=folder, out=f"out {form}")[1]
    assert len(results) == len(remote) + 6
    first = results["authors"]
    assert len(first) == 5
    assert all(result == first for result in results.values())


def test_the_registry_names_all_sources():
    assert set(SOURCES) == {"embedded", "local", "authors", "hub", "npm"}


def test_auto_takes_a_local_copy_first(mirror, run, tmp_path):
    local_folder(tmp_path, "cifar10", "python folder")
    assert run("cifar10", "auto", path=tmp_path)[0] == "local"
    assert mirror.requests == []


def test_auto_goes_on_to_the_next_source(mirror, run, capsys):
    for path in list(mirror.files):
        if "uoft-cs" in path:
            del mirror.files[path]
    assert run("cifar100", "auto", out="hundred")[0] == "authors"
    told = capsys.readouterr().err
    assert "404" in told
    assert told.endswith("download: cifar100 came from source authors\n")
    assert run("cifar10", "auto")[0] == "npm"
    assert "cifar10 came from source npm" in capsys.readouterr().err


def test_auto_without_any_source_lists_what_it_tried(mirror, run, tmp_path):
    mirror.files.clear()
    with pytest.raises(KdpruneError, match="found no way to cifar10") as caught:
        run("cifar10", "auto", path=tmp_path / "absent")
    text = str(caught.value)
    assert text.count("HTTP status 404") == 3
    assert "is no folder" in text
    assert "embedded" not in text  # a subset is another data set, never a way out


@pytest.mark.parametrize(
    ("dataset", "source", "reason"),
    [
        ("cifar10", "ftp", "data.source: ftp is unknown; choose embedded, local"),
        ("mnist", "auto", "mnist cannot be had from auto; choose cifar10, cifar100"),
        ("cifar100", "npm", "npm holds no cifar100"),
        ("cifar100", "embedded", "cifar100 cannot be had from embedded; choose cifar10"),
        ("cifar10", "local", "data.path: None is no folder"),
    ],
)
def test_what_cannot_be_is_one_line(dataset, source, reason, tmp_path):
    with pytest.raises(KdpruneError, match=reason):
        prepare(dataset, source, tmp_path / "out", cache=tmp_path)


def test_a_local_folder_without_cifar_says_what_was_looked_for(run, tmp_path):
    with pytest.raises(KdpruneError, match=r"cifar-10-batches-bin/ or cifar-10-binary\.tar\.gz"):
        run("cifar10", "local", path=tmp_path)


def test_a_local_folder_that_lacks_a_batch_names_it(run, tmp_path):
    local_folder(tmp_path, "cifar10", "binary bare")
    (tmp_path / "data_batch_3.bin").unlink()
    with pytest.raises(KdpruneError, match=r"data_batch_3\.bin: cannot be read"):
        run("cifar10", "local", path=tmp_path)


def test_a_local_copy_is_never_deleted(run, tmp_path):
    local_folder(tmp_path, "cifar10", "binary archive")
    archive = tmp_path / "cifar-10-binary.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-9])
    with pytest.raises(KdpruneError, match="is no readable"):
        run("cifar10", "local", path=tmp_path)
    assert archive.is_file()


def test_the_registry_comes_from_the_variable_then_from_npm(monkeypatch, tmp_path):
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://mirror.example/npm/")
    assert npm.registry() == "https://mirror.example/npm"
    monkeypatch.delenv("NPM_CONFIG_REGISTRY")
    monkeypatch.setenv("PATH", str(tmp_path))
    for name, body in (
        ("https://set.example", "echo https://set.example/"),
        (npm.PUBLIC, "exit 1"),
    ):
        (tmp_path / "npm").write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "npm").chmod(0o755)
        assert npm.registry() == name
    (tmp_path / "npm").unlink()
    assert npm.registry() == npm.PUBLIC


def test_the_embedded_subset_is_what_is_pinned(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    assert prepare("cifar10", "embedded", tmp_path / "out") == "embedded"
    data = load(tmp_path / "out")
    assert np.bincount(data.train_labels).tolist() == [400] * 10
    assert np.bincount(data.test_labels).tolist() == [100] * 10
    assert data.classes == EMBEDDED.classes
    size = sum(file.stat().st_size for file in some((root / "data/embedded").rglob("*.*")))
    assert size <= 12e6


def test_a_missing_sheet_says_how_to_get_it_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KdpruneError, match="git checkout data/embedded"):
        prepare("cifar10", "embedded", tmp_path / "out")


def test_preparing_data_needs_no_torch(root):
    code = "import sys, kdprune.data; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


def test_a_pipe_among_the_files_is_not_waited_for(tmp_path):
    local_folder(tmp_path, "cifar10", "binary bare")
    (tmp_path / "data_batch_3.bin").unlink()
    os.mkfifo(tmp_path / "data_batch_3.bin")
    with pytest.raises(KdpruneError, match=r"data_batch_3\.bin: is no regular file"):
        prepared(tmp_path, "cifar10", "local", path=tmp_path)
