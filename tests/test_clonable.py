"""A study that clones could not run is refused before anything is sent to other machines."""

import subprocess

import pytest
import yaml

from kdprune.__main__ import main
from kdprune.config.params import load
from kdprune.errors import KdpruneError
from kdprune.running import clonable


@pytest.fixture
def folder(tmp_path, values, monkeypatch):
    """A study that is a repository, with a folder that git ignores."""
    place = tmp_path / "a study"
    place.mkdir()
    subprocess.run(["git", "init", "-q", place], check=True)
    (place / ".gitignore").write_text("photos\n*.pth\n")
    write(place, values)
    monkeypatch.chdir(place)
    return place


def write(place, values):
    (place / "params.yaml").write_text(yaml.safe_dump(values))
    (place / "dvc.yaml").write_text("stages: {}\n")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("photos", False),
        ("../photos", False),
        ("kept/../../x", False),
        ("kept", True),
        ("/x", True),
    ],
)
def test_images_must_be_where_a_clone_finds_them(path, found, folder, values):
    write(folder, values | {"folders": {"mine": {"path": path}}})
    if found:
        return clonable.require("--ray", load())
    with pytest.raises(KdpruneError, match=rf"--ray: folders\.mine\.path = {path}: is not in a"):
        clonable.require("--ray", load())


@pytest.mark.parametrize("path", ["w.pth", "../w.pth", "w.safetensors", "~/w.pth"])
def test_weights_must_be_where_a_clone_finds_them(path, folder, values):
    given = {"path": path, "sha256": "0" * 64}
    values["architectures"]["resnet10_24"]["weights"] = given
    write(folder, values)
    if path in ("w.safetensors", "~/w.pth"):
        return clonable.require("--ray", load())
    with pytest.raises(KdpruneError, match=r"architectures\.resnet10_24\.weights\.path = "):
        clonable.require("--slurm", load())


@pytest.mark.parametrize("option", ["--slurm", "--ray"])
def test_a_study_within_a_repository_is_refused(option, folder, values, monkeypatch, capsys):
    within = folder / "within"
    within.mkdir()
    write(within, values)
    monkeypatch.chdir(within)
    monkeypatch.setattr("kdprune.running.on_ray.require", lambda: None)
    given = ["--slurm", "job.sh"] if option == "--slurm" else ["--ray", "local"]
    assert main(["run", *given]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{option}: this study is a folder of the repository {folder}" in line
    assert not (within / "job.sh").exists()


def test_without_a_repository_there_is_nothing_to_clone(tmp_path, values, monkeypatch):
    write(tmp_path, values)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KdpruneError, match="--slurm: tasks clone this study, and here is no git"):
        clonable.require("--slurm", load())
