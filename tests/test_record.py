"""A stage's runs are recorded beside its results: what made them, how long, how they ended."""

import json
import subprocess
import sys

import pytest
import workspace

import kdprune.device  # noqa: F401 - as every stage that computes does
from kdprune import errors
from kdprune.errors import KdpruneError
from stages.runner import record


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda name: json.loads((tmp_path / ".run/log" / f"{name}.json").read_text())


def test_what_made_a_result_is_kept(log):
    with record.recorded("prune", "net-weight"):
        (begun,) = log("prune-net-weight")
        assert begun["ended"] == "not yet, or killed"
    (run,) = log("prune-net-weight")
    assert run["ended"] == "ok"
    assert run["seconds"] >= 0
    assert run["versions"]["torch"]
    assert run["versions"]["python"].startswith(f"{sys.version_info.major}.")
    assert run["threads"] >= 1
    assert run["device"] in ("cpu", "cuda", "mps")
    assert not run["resumed"]


def test_a_failure_is_kept_and_goes_on(log):
    with pytest.raises(KdpruneError), record.recorded("efficiency", ""):
        raise KdpruneError("metrics: are\nmissing")
    with record.recorded("efficiency", ""):
        pass
    assert [run["ended"] for run in log("efficiency")] == [
        "KdpruneError: metrics: are missing",
        "ok",
    ]


def test_a_damaged_record_and_a_full_disk_stop_nothing(log, tmp_path, monkeypatch, capsys):
    (tmp_path / ".run/log").mkdir(parents=True)
    (tmp_path / ".run/log/report.json").write_text("{")
    with record.recorded("report", ""):
        pass
    assert len(log("report")) == 1

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record, "write_json", full)
    with record.recorded("report", ""):
        pass
    assert capsys.readouterr().err.count("no record kept (No space left on device)") == 2


def test_the_list_does_not_grow_for_ever(log):
    for _ in range(record.KEPT + 2):
        with record.recorded("report", ""):
            pass
    assert len(log("report")) == record.KEPT


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "x", "models/a"), "cannot write models/a: No space left on device; make room"),
        (OSError(30, "x", "plots"), "cannot write plots: Read-only file system; make it writable"),
        (OSError(13, "x", "plots"), "cannot write plots: Permission denied; see to its perm"),
    ],
)
def test_a_disks_fault_is_one_line(error, told, capsys):
    def work():
        raise error

    assert errors.status_of(work) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"kdprune: {told}")
    assert line.endswith("and run the command again\n")
    assert line.count("\n") == 1


def test_other_errors_are_not_hidden():
    def work():
        raise OSError(9, "bad handle")

    with pytest.raises(OSError, match="bad handle"):
        errors.status_of(work)


@pytest.mark.slow
def test_a_real_stage_leaves_its_record(tmp_path):
    folder = workspace.make(tmp_path / "project")
    workspace.python(folder, "-m", "stages", "download", "cifar10", KDPRUNE_WARM="0")
    (run,) = json.loads((folder / ".run/log/download-cifar10.json").read_text())
    assert run["ended"] == "ok"
    shown = subprocess.run(
        ["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert not shown.stdout


@pytest.mark.parametrize("damaged", ['{"seconds": NaN}', '{"seconds": 1e999}', r'"\ud800"'])
def test_a_run_that_cannot_be_written_again_stops_nothing(damaged, log, tmp_path):
    (tmp_path / ".run/log").mkdir(parents=True)
    (tmp_path / ".run/log/download-cifar10.json").write_text(f'[{damaged}, {{"ended": "ok"}}]')
    with record.recorded("download", "cifar10"):
        pass
    assert [run["ended"] for run in log("download-cifar10")] == ["ok", "ok"]
