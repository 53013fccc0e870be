"""A study in a folder of its own, whose stages run from the installed package."""

import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
import workspace
import yaml
from conftest import ROOT

from kdprune import home
from kdprune.errors import KdpruneError
from kdprune.study import code, founding, pinned


@pytest.fixture
def study(tmp_path):
    founding.found(tmp_path / "study", images=False)
    return tmp_path / "study"


def dependencies(folder):
    """What the stages of a dvc.yaml depend on, and their commands."""
    described = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"].values()
    stages = [stage.get("do", stage) for stage in described]
    commands = [stage["cmd"] for stage in stages]
    flat = [line for one in commands for line in ([one] if isinstance(one, str) else one)]
    return [dep for stage in stages for dep in stage["deps"]], flat


def test_a_study_names_code_by_its_digests_and_the_packages_stages(study):
    deps, commands = dependencies(study)
    ours, _ = dependencies(ROOT)
    assert len(deps) == len(ours)
    pins = [dep for dep in deps if dep.startswith("code/")]
    assert len(pins) == len([dep for dep in ours if dep.startswith(("kdprune/", "stages/"))]) > 80
    assert not [dep for dep in deps if dep.startswith(("kdprune", "stages"))]
    for pin in pins:
        files = [study / pin] if "${" not in pin else [*(study / pin).parent.glob("*.sha256")]
        assert files
        for file in files:
            assert re.fullmatch(r"[0-9a-f]{64}\n", file.read_text()), file
    assert {line.rpartition(" ")[0] for line in commands} >= {"python -m kdprune.stages"}
    assert all(line.startswith("python -m kdprune.stages ") for line in commands)
    assert "python -m kdprune.stages runner.tidy" in commands


def test_other_code_is_refused_until_it_is_taken_up(study, monkeypatch):
    monkeypatch.chdir(study)
    deps = ["data/x", "code/kdprune/data.sha256", "code/kdprune/device.py.sha256"]
    pinned.check(deps)
    (study / deps[1]).write_text("0" * 64 + "\n")
    said = r"^code/kdprune/data\.sha256: this study was made with kdprune .*--update \.`"
    with pytest.raises(KdpruneError, match=said):
        pinned.check(deps)
    pinned.check([deps[2]])  # what does not depend on it may run
    assert founding.update(study) == ["kdprune/data"]
    pinned.check(deps)
    assert founding.update(study) == []
    with pytest.raises(KdpruneError, match="is no study that `kdprune init` made"):
        founding.update(ROOT)


def test_a_digest_is_of_names_and_contents_and_of_no_compiled_file(tmp_path, monkeypatch):
    part = tmp_path / "kdprune" / "part"
    (part / "__pycache__").mkdir(parents=True)
    (part / "a.py").write_text("1")
    monkeypatch.setattr(home, "PACKAGE", tmp_path / "kdprune")

    def digest():
        pinned.digest.cache_clear()
        return pinned.digest("kdprune/part")

    first = digest()
    (part / "__pycache__" / "a.pyc").write_bytes(b"compiled")
    assert digest() == first
    (part / "a.py").rename(part / "b.py")
    renamed = digest()
    (part / "b.py").write_text("2")
    assert len({first, renamed, digest()}) == 3
    pinned.digest.cache_clear()


def test_nothing_is_founded_upon_what_is_there(tmp_path):
    (tmp_path / "note").touch()
    with pytest.raises(KdpruneError, match=r"is not empty; name a folder that is not there yet"):
        founding.found(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are UTF-8")
def test_a_repository_need_not_have_a_name_in_utf8(tmp_path):
    folder = tmp_path / os.fsdecode(b"g\xff") / "s"
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", folder.parent], check=True)
    assert founding.commit(folder, "A study") is False  # it is in a repository of others


def test_in_a_folder_that_git_ignores_a_study_is_a_repository_of_its_own(tmp_path):
    """DVC refuses a dvc.yaml that git ignores, and nothing else would tell before the work."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("out/\n")
    folder = tmp_path / "out/a study"
    with founding.whole(folder) as staged:
        founding.found(staged, images=False)
        founding.compose(staged)
        assert founding.commit(staged, "A study") is True
    asked = [sys.executable, "-m", "dvc", "stage", "list", "--name-only"]
    told = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert "teach@cifar10-resnet10_24" in told.splitlines()
    held = ["git", "status", "--porcelain"]
    assert subprocess.run(held, cwd=folder, capture_output=True, check=True).stdout == b""


def test_code_of_an_installed_package_is_found_beside_it(tmp_path, monkeypatch):
    """stages/ lies under kdprune/shipped there, and beside the package lie all others."""
    site = tmp_path / "site"
    shutil.copytree(ROOT / "kdprune", site / "kdprune", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copytree(ROOT / "stages", site / "kdprune/shipped/stages")
    (site / "torch").mkdir()
    (site / "torch/__init__.py").write_text("import stages")
    here = code.closure("stages/teach.py", methods=("none",))
    code.imported.cache_clear()
    monkeypatch.setattr(home, "PACKAGE", site / "kdprune")
    assert code.closure("stages/teach.py", methods=("none",)) == here
    code.imported.cache_clear()


@pytest.mark.slow
def test_a_wheel_holds_all_that_a_study_needs(tmp_path):
    """Built from what git has, unpacked elsewhere, and run by DVC; the clone plays no part."""
    clone = workspace.make(tmp_path / "clone")
    site, folder = tmp_path / "site", tmp_path / "study"
    build = "from setuptools.build_meta import build_wheel; print(build_wheel('.'))"
    python(clone, "-c", build)
    (wheel,) = clone.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(site)
    shutil.rmtree(clone)
    made = python(tmp_path, "-m", "kdprune", "init", str(folder), PYTHONPATH=str(site))
    assert "a study" in made.stdout
    profile = workspace.PROFILE.replace("densenet21_12, densenet21_12/resnet10_16", "resnet10_24")
    (folder / "conf/profile/tiny.yaml").write_text(profile)
    config = folder / "conf/config.yaml"
    config.write_text(config.read_text().replace("profile: mini", "profile: tiny"))
    python(folder, "conf/compose.py", PYTHONPATH=str(site))
    teach = ("-m", "dvc", "repro", "teach@cifar10-resnet10_16")
    done = python(folder, *teach, PYTHONPATH=str(site))
    assert "Running stage 'teach@cifar10-resnet10_16'" in done.stdout
    assert "up to date" in python(folder, *teach, PYTHONPATH=str(site)).stdout
    with (site / "kdprune/models/building.py").open("a") as file:
        file.write("# another version\n")
    args = ("-m", "dvc", "repro", "--force", "--single-item", teach[-1])
    refused = python(folder, *args, PYTHONPATH=str(site), status=None)
    assert "kdprune/models of the installed kdprune" in refused.stderr
    python(folder, "-m", "kdprune", "init", "--update", ".", PYTHONPATH=str(site))
    done = python(folder, *teach, PYTHONPATH=str(site))
    assert re.findall(r"Running stage '([^']+)'", done.stdout) == [teach[-1]]


def python(folder, *arguments, status=0, **variables):
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "KDPRUNE_WARM": "0", **variables}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert status is None or done.returncode == status, done.stdout[-2000:] + done.stderr[-2000:]
    return done
