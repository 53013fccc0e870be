"""Images of one's own never get into git by running an experiment."""

import shutil

import pytest
import workspace
import yaml
from conftest import ROOT

from kdprune.config.grid import expand
from kdprune.errors import KdpruneError
from stages.runner import pictures


@pytest.fixture
def project(tmp_path, monkeypatch, values):
    """A repository whose study is on images of its own, wherever `place` puts them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".gitignore").write_bytes((ROOT / ".gitignore").read_bytes())
    workspace.git(tmp_path, "init", "-q")

    def at(path, *, used=True):
        values["folders"] = {"mine": {"path": str(path)}}
        values["datasets"] = ["mine"] if used else ["cifar10"]
        study = {
            "datasets": values["datasets"],
            "pairs": values["pairs"],
            "distill": values["distill"]["method"],
            "prune": values["prune"]["method"],
            "roles": values["prune"]["roles"],
        }
        values["grid"] = expand(**study, folders=values["folders"])
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
        picture = tmp_path / path / "train/cat/a b é.png"
        picture.parent.mkdir(parents=True)
        picture.write_bytes(b"png")
        return picture

    return at


@pytest.mark.parametrize("place", ["pictures", "docs/../pictures"])
def test_a_folder_that_git_would_take_is_refused(place, project, tmp_path):
    (tmp_path / "docs").mkdir()
    project(place)
    said = rf"folders\.mine\.path: {place} lies in .* commit pictures/train/cat/a b .*data/ under"
    with pytest.raises(KdpruneError, match=said):
        pictures.check()
    project(tmp_path / "absolute")
    with pytest.raises(KdpruneError, match=r"folders\.mine\.path: /"):
        pictures.check()


def test_what_git_ignores_has_or_never_sees_is_taken(project, tmp_path):
    project("data/my-images")
    pictures.check()
    project("committed")
    workspace.git(tmp_path, "add", "committed")
    pictures.check()
    project(tmp_path.parent / f"{tmp_path.name} outside")
    pictures.check()
    project("of no study", used=False)
    pictures.check()


def test_a_folder_that_is_not_there_is_told_of_before_dvc_does(project, tmp_path):
    picture = project(tmp_path.parent / f"{tmp_path.name} gone")
    shutil.rmtree(picture.parents[2])
    with pytest.raises(KdpruneError, match=r"folders\.mine\.path: /.* gone is not there"):
        pictures.check()


def test_without_git_nothing_is_asked(project, tmp_path, monkeypatch):
    project("pictures")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    pictures.check()
