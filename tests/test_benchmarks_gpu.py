"""What runs studies on a lent GPU: the order of instances, and a small one on whatever is here."""

import importlib.util
import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from workspace import ROOT

from kdprune.errors import KdpruneError
from kdprune.sources import prepare

GRID = {
    "teachers": {"cifar10-a": {"dataset": "cifar10", "teacher": "a"}},
    "students": {"cifar10-a-b-kd": {"dataset": "cifar10", "teacher": "a"}},
    "sweeps": {
        "cifar10-a-weight": {
            "checkpoint": "models/teachers/cifar10-a.safetensors",
            "tutor": "models/teachers/cifar10-a.safetensors",
        }
    },
}


def module(name: str):
    """A file of benchmarks/gpu, which is no package."""
    place = ROOT / "benchmarks" / "gpu" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, place)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_trainings_go_first_and_wait_for_what_they_read(tmp_path):
    instances = module("instances")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"grid": GRID}))
    listed = list(instances.listed(tmp_path))
    assert [item.stage for item in listed] == ["teach", "distill", "prune"]
    assert [item.stage for item in instances.ready(listed)] == ["teach"]
    teacher = tmp_path / listed[0].gives
    teacher.parent.mkdir(parents=True)
    teacher.write_bytes(bytes(10))
    assert [item.stage for item in instances.ready(listed[1:])] == ["distill", "prune"]


def test_networks_are_handed_back_as_they_come_in_archives_of_a_size(tmp_path, monkeypatch):
    instances = module("instances")
    monkeypatch.setattr(instances, "LARGEST", 40_000)
    for name, size in (("a", 15_000), ("b", 15_000), ("c", 15_000)):
        item = instances.Instance(tmp_path, "teach", name, (), f"{name}.safetensors")
        (tmp_path / item.gives).write_bytes(bytes(size))
        instances.keep(item, tmp_path)
    held = []
    for number in (0, 1):
        with tarfile.open(tmp_path / f"networks-{number}.tar") as archive:
            held.append([Path(name).name for name in archive.getnames()])
    assert held == [["a.safetensors", "b.safetensors"], ["c.safetensors"]]


def test_a_study_of_anothers_networks_trains_none(tmp_path):
    instances = module("instances")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"grid": GRID}))
    (tmp_path / "models").symlink_to(tmp_path)
    assert [item.stage for item in instances.listed(tmp_path)] == ["prune"]


def test_a_yardstick_is_met_within_half_a_point(tmp_path, capsys):
    yardstick = module("yardstick")
    teach, prune = tmp_path / "results/teach/x", tmp_path / "results/prune/x"
    for folder in (teach, prune):
        folder.mkdir(parents=True)
    (teach / "training.json").write_text(json.dumps({"test_accuracy": 91.7}))
    rows = [(0.488, 91.3), (0.79, 89.0), (0.893, 85.3)]
    lines = ["level,test_accuracy", *(f"{level},{value}" for level, value in rows)]
    (prune / "sweep.csv").write_text("\n".join(lines))
    assert yardstick.main(tmp_path) == 0
    (prune / "sweep.csv").write_text("\n".join([*lines[:-1], "0.893,84.5"]))
    assert yardstick.main(tmp_path) == 1
    assert "kept 0.107: 84.50 % (n = 1), published 85.01 %: missed" in capsys.readouterr().out


def test_the_page_of_yardsticks_holds_what_was_seen(capsys):
    seen = ROOT / "benchmarks/gpu/seen/yardstick"
    assert module("yardstick").main(seen) == 0
    told = [line.split(": ")[1].split(" %")[0] for line in capsys.readouterr().out.splitlines()]
    dense, *kept = told
    page = (ROOT / "docs/reference/yardsticks.md").read_text()
    assert f"| {dense} dense, then {', –, '.join(kept)}; n = 1 |" in page


def test_a_replicates_student_waits_for_its_own_teacher(tmp_path):
    instances = module("instances")
    students = {"cifar10-a-b-kd-s2": {**GRID["students"]["cifar10-a-b-kd"], "training_seed": "2"}}
    grid = {**GRID, "teachers": {"cifar10-a-s2": {}}, "students": students}
    teacher, student = instances.trainings(tmp_path, grid)
    assert student.needs == (teacher.gives,)


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08damaged"])
def test_a_damaged_archive_is_refused_in_a_line(tmp_path, content):
    (tmp_path / "made.tar.gz").write_bytes(content)
    with pytest.raises(KdpruneError, match=r"made\.tar\.gz: is no whole archive"):
        module("taken").take("s", [tmp_path / "made.tar.gz"], tmp_path)


@pytest.mark.slow
def test_a_small_study_is_run_and_handed_back(tmp_path, monkeypatch):
    work, out = tmp_path / "work", tmp_path / "out"
    (work / "small").mkdir(parents=True)
    settings = ["pairs=[resnet10_16/none]", "teach.epochs=1", "prune.method=weight"]
    settings += ["prune.levels=[0.0,0.5]", "prune.seeds=1", "prune.roles=[teacher]"]
    composed = [sys.executable, "conf/compose.py", "-o", work / "small" / "params.yaml"]
    subprocess.run([*composed, *settings], cwd=ROOT, check=True)
    monkeypatch.chdir(ROOT)
    prepare("cifar10", "embedded", tmp_path / "data" / "cifar10", path=None, cache=tmp_path)
    command = [sys.executable, "benchmarks/gpu", work, "--out", out, "--checks", "--jobs", "2"]
    command += ["--data", tmp_path / "data"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "2 of 2 instances are done" in done.stdout
    with tarfile.open(out / "made.tar.gz") as archive:
        assert "small/results/prune/cifar10-resnet10_16-weight/sweep.csv" in archive.getnames()
    with tarfile.open(out / "networks-0.tar") as archive:
        assert archive.getnames() == ["small/models/teachers/cifar10-resnet10_16.safetensors"]
    clone = tmp_path / "clone"
    clone.mkdir()
    shutil.copy(work / "small/params.yaml", clone)
    archives = [out / "networks-0.tar", out / "made.tar.gz"]
    taken = module("taken").take("small", archives, clone)
    assert [item.stage for item in taken] == ["teach", "prune"]
    for item in taken:
        assert (clone / item.gives).read_bytes() == (work / "small" / item.gives).read_bytes()


def test_archives_from_elsewhere_decide_no_path(tmp_path):
    names = ["s/../../out", "/s/models/a", "s/models/../../out", "s/conf/x", "other/models/b"]
    with tarfile.open(tmp_path / "made.tar", "w") as archive:
        for name in [*names, "s/models/teachers/fine"]:
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
        link = tarfile.TarInfo("s/models/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(link)
    study = tmp_path / "deep/study"
    study.mkdir(parents=True)
    (study / "params.yaml").write_text(yaml.safe_dump({"grid": GRID}))
    module("taken").take("s", [tmp_path / "made.tar"], study)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()}
    assert files == {"made.tar", "deep/study/params.yaml", "deep/study/models/teachers/fine"}
