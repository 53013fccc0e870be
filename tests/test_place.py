"""A run tells which instance of how many it is at, how far the study is, and how long it takes."""

import io
import shutil
import sys

import pytest
import yaml
from conftest import ROOT

from kdprune import progress
from kdprune.config.grid import expand
from kdprune.records import write_json
from kdprune.terminal import styled
from stages.runner import lockfile, outlook, place

TEACHERS = ["teach@cifar10-resnet10_24", "teach@cifar10-densenet21_16"]
STUDENT = "distill@cifar10-resnet10_24-resnet10_16-simkd"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def record(folder, name, *runs):
    rows = [{"ended": ended, "resumed": went_on, "seconds": s} for ended, went_on, s in runs]
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{name}.json", rows)


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The committed study, recorded with today's code, and a file for every output: up to date."""
    for name in ("params.yaml", "dvc.yaml", "dvc.lock", ".dvcignore"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("kdprune", "stages"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    held, code = lockfile.read("dvc.lock"), {}
    for name, described in lockfile.stages(lockfile.read("params.yaml")).items():
        entry = held["stages"].get(name, {"outs": [], "params": {}})
        known = {item["path"]: item["md5"] for item in entry.get("deps", [])}
        for path in (path for path in described["deps"] if path.startswith(("kdprune", "stages"))):
            code.setdefault(path, lockfile.md5(tmp_path / path))
        now = {path: code.get(path, known.get(path)) for path in described["deps"]}
        entry["deps"] = [{"path": path, "md5": md5} for path, md5 in now.items()]
        held["stages"][name] = entry
        for item in entry.get("outs", []):
            (tmp_path / item["path"]).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / item["path"]).touch()
    (tmp_path / "dvc.lock").write_text(dumped(held))
    return tmp_path


def change(path, *keys, value):
    """Change one value of a YAML file."""
    at = values = lockfile.read(str(path))
    for key in keys[:-1]:
        at = at[key]
    at[keys[-1]] = value
    path.write_text(dumped(values))


def dumped(values):
    return yaml.dump(values, sort_keys=False, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper))


def left(finished=""):
    names, count = outlook.left(
        yaml.safe_load((place.lockfile.Path("params.yaml")).read_text()), finished
    )
    assert count == 16
    return names


def test_what_is_to_run_follows_from_the_lock_file(study):
    assert left() == []
    change(study / "params.yaml", "distill", "simkd", "factor", value=4)
    after_distilling = left()
    assert len([name for name in after_distilling if name.startswith("distill@")]) == 3
    assert len([name for name in after_distilling if name.startswith("prune@")]) == 6  # of students
    assert not [name for name in after_distilling if name.startswith("teach@")]
    change(study / "params.yaml", "teach", "epochs", value=2)
    assert len(left()) == 15  # all but the download
    assert TEACHERS[0] not in left(TEACHERS[0])
    assert STUDENT in left(TEACHERS[0])  # its lock file's entry is of another teacher


def test_another_teacher_in_the_lock_file_makes_its_students_stale(study):
    """As after a teacher that ran: its new hash stands there, its students' of the old one."""
    lock = study / "dvc.lock"
    held = lockfile.read("dvc.lock")
    held["stages"][TEACHERS[0]]["outs"][0]["md5"] = "0" * 32
    lock.write_text(dumped(held))
    names = left()
    assert TEACHERS[0] not in names
    assert STUDENT in names
    assert "prune@cifar10-resnet10_24-weight" in names
    assert "prune@cifar10-densenet21_16-weight" not in names


def test_a_missing_output_is_to_be_made(study):
    (study / "models/teachers/cifar10-densenet21_16.safetensors").unlink()
    assert TEACHERS[1] in left()
    assert "distill@cifar10-densenet21_16-resnet10_16-simkd" in left()


def test_time_is_told_from_records_and_operations(tmp_path, monkeypatch):
    works = {"teach@a": 10.0, "teach@b": 30.0, "distill@c": 5.0, "prune@d": 1.0}
    monkeypatch.setattr(outlook, "operations", lambda: works)
    record(tmp_path, "teach-a", ("ok", False, 20), ("ok", True, 5), ("Error: x", False, 7))
    assert outlook.seconds(["teach@a"], tmp_path) == 20  # its own last whole run
    assert outlook.seconds(["teach@b"], tmp_path, works) == 60  # at the pace of its kind
    assert outlook.seconds(["distill@c"], tmp_path, works) == 10  # at that of all
    record(tmp_path, "distill-e", ("ok", False, 7))
    works.pop("distill@c")
    assert outlook.seconds(["distill@c"], tmp_path, [*works, "distill@e"]) == 7  # as its like
    assert outlook.seconds(["sparsify@f"], tmp_path, works) is None
    assert outlook.seconds(["download@g"], tmp_path) == outlook.DOWNLOAD


def test_an_instance_is_told_of_in_a_line(study, monkeypatch):
    stage, key = TEACHERS[1].split("@")
    change(study / "params.yaml", "teach", "epochs", value=2)
    record(study / ".run/log", "teach-cifar10-resnet10_24", ("ok", False, 20))
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    with place.shown(stage, key):
        assert file.getvalue() == ""  # a log file is told of what has ended
    assert file.getvalue() == (
        "teach 2 of 2: cifar10-densenet21_16 done in 0 s  study: 2 of 16 instances done\n"
    )
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with place.shown(stage, key):
        assert "teach 2 of 2" in terminal.getvalue()
        assert "1 of 16 instances done" in terminal.getvalue()
    assert "\x1b[32m done in 0 s" in terminal.getvalue()


def test_a_failed_instance_is_not_called_done(study, capsys):
    with pytest.raises(ValueError, match="of the test"), place.shown(*STUDENT.split("@")):
        raise ValueError("of the test")
    assert capsys.readouterr().err == ""


def test_telling_never_stops_a_stage(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with place.shown("teach", "nobody"):  # no parameters at all
        pass
    (tmp_path / "params.yaml").write_text("grid: [")
    for stage, key in (("teach", "nobody"), ("report", ""), ("measure", "x")):
        with place.shown(stage, key):
            pass
    assert capsys.readouterr().err == ""
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"grid": {"teachers": {"a": {}}}}))
    with place.shown("teach", "a"):
        pass
    assert capsys.readouterr().err == "teach 1 of 1: a done in 0 s\n"


def test_the_place_follows_from_the_grid(tmp_path, monkeypatch):
    grid = expand(
        datasets=["cifar10", "cifar100"],
        pairs=["a/b", "c/b"],
        distill="simkd",
        prune="both",
        roles=["teacher", "student"],
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"grid": grid}, sort_keys=False))
    for stage, key, said in (
        ("download", "cifar100", "download 2 of 2: cifar100"),
        ("teach", "cifar100-c", "teach 4 of 4: cifar100-c"),
        ("distill", "cifar10-c-b-simkd", "distill 2 of 4: cifar10-c-b-simkd"),
        ("prune", "cifar10-a-channel", "prune 2 of 16: cifar10-a-channel"),
    ):
        assert place.where(stage, key) == said


def test_styles_are_for_terminals(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert styled("yes", "done", Terminal()) == "\x1b[32myes\x1b[0m"
    assert styled("yes", "done", io.StringIO()) == "yes"
    assert styled("a\x1bb", "", Terminal()) == r"a\x1bb"
    monkeypatch.setenv("NO_COLOR", "1")
    assert styled("yes", "done", Terminal()) == "yes"


def test_a_log_file_gets_a_line_now_and_then(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    bar = progress.Progress("a", epochs=10, rows=[], images=100)
    for epoch in range(1, 11):
        now[0] += 10
        bar.epoch(epoch, loss=1.0, accuracy=50.0)
    bar.close()
    told = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in told] == [
        f"a: epoch {epoch}/10" for epoch in (1, 4, 7, 10)
    ]


DAMAGED = ("NaN", "Infinity", "-5", "1e999", "1e300", "9" * 400, "null", "[]")


@pytest.mark.parametrize("seconds", DAMAGED)
def test_damaged_seconds_are_known_of_none(seconds, tmp_path):
    (tmp_path / "teach-a.json").write_text(
        f'[{{"ended": "ok", "resumed": false, "seconds": {seconds}}}]'
    )
    assert outlook.timed("teach@a", tmp_path) is None


def test_no_fault_of_telling_stops_a_stage(study, monkeypatch, capsys):
    change(study / "params.yaml", "teach", "epochs", value=2)
    monkeypatch.setattr(outlook, "seconds", lambda *_: float("nan"))
    with place.shown(*TEACHERS[1].split("@")):
        pass
    assert capsys.readouterr().err == "teach 2 of 2: cifar10-densenet21_16 done in 0 s\n"
    for grid in (5, {"teachers": None}, {"teachers": 5}, []):
        (study / "params.yaml").write_text(yaml.safe_dump({"grid": grid}))
        assert place.where("teach", "a") == ""
    change(study / "params.yaml", "grid", value={"teachers": {"a": {}}})
    monkeypatch.setattr(sys, "stderr", Closed())
    with place.shown("teach", "a"):
        pass


class Closed(io.StringIO):
    def write(self, _):
        raise BrokenPipeError
