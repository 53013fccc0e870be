"""The list of experiments fits a terminal, whatever it lists."""

import pytest

from stages.runner import differences, experiments
from stages.runner.experiments import WIDTH, table

FIGURES = {"pairs": 3, "channel": 51.19, "channel_left": 83.5, "weight": 51.27}
FIGURES |= {"weight_left": 73.6, "ratio": 0.874, "p": 0.60971234567}


def state(name, parameters, *, datasets=("cifar10",), error=None):
    metrics = {f"metrics/summary/{one}.json": {"data": FIGURES} for one in datasets}
    params = {"params.yaml": {"data": {**parameters, "grid": {"teachers": {"x": "y"}}}}}
    data = None if error else {"params": params, "metrics": metrics}
    return {"rev": "0123456789abcdef", "name": name, "data": data, "error": error}


def listed(*runs, base=("cifar10",), before=None):
    held = [{"revs": [run], "executor": how, "name": run["name"]} for run, how in runs]
    one = state("main", before or {"teach": {"epochs": 8}}, datasets=base)
    return list(table([{**one, "experiments": held}]))


def test_a_run_has_a_line_per_data_set_and_what_it_changed():
    run = state("more", {"teach": {"epochs": 9}, "new": 1.50}, datasets=("cifar10", "cifar100"))
    head, main, *rest = listed((run, None))
    assert head.split() == ["experiment", "data", "set", *experiments.FIGURES]
    figures = ["51.19", "83.5", "51.27", "73.6", "0.874", "0.609712"]
    assert main.split() == ["main", "cifar10", *figures]
    assert [line.split() for line in rest] == [
        ["-", "more", "cifar10", *figures],
        ["cifar100", *figures],
        ["new=1.5"],
        ["teach.epochs=9"],
    ]


def test_what_has_no_results_says_why():
    queued = state("later", {"teach": {"epochs": 9}}, datasets=())
    failed = state("bad", {}, error={"msg": "broken"})
    lines = listed((queued, {"state": "queued"}), (failed, None))
    assert [line.split() for line in lines[2:]] == [
        ["-", "later", "queued"],
        ["teach.epochs=9"],
        ["-", "bad", "failed"],
    ]


def test_nothing_is_wider_than_a_terminal():
    long = {"architectures": {"n" * 60: {"kwargs": [*range(100)]}}, "a": "word " * 60}
    lines = listed((state("name" * 30, long, datasets=["set" * 30]), None), base=["d" * 50])
    assert max(map(len, lines)) <= WIDTH
    cells = [line for line in lines if "51.19" in line]
    assert len({line.index("51.19") for line in cells}) == 1  # the columns stand


def test_a_fault_of_dvc_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # no repository
    with pytest.raises(experiments.KdpruneError, match="dvc exp show: "):
        experiments.main()
    assert capsys.readouterr().out == ""


def test_differences_leave_the_grid_out_and_fit():
    grid = {"grid.teachers.one.dataset": {"old": "a", "new": "b"}}
    both, one = {"old": ["weight", "channel"] * 9, "new": "weight"}, {"old": 0.874, "new": 0.51}
    told = {
        "params": {"params.yaml": {"prune.method": both, **grid}},
        "metrics": {
            "metrics/summary/cifar10.json": {"ratio": {**one, "diff": -0.364}, "p" * 80: one}
        },
    }
    lines = list(differences.lines(told))
    assert max(map(len, lines)) <= WIDTH
    assert not any("grid" in line for line in lines)
    assert lines[0] == "params.yaml"
    assert lines[1].split()[0] == "prune.method"
    assert lines[1].split()[-2:] == ["weight", "–"]
    assert lines[-1].split() == ["ratio", "0.874", "0.51", "-0.364"]
    assert list(differences.lines({"params": {"params.yaml": grid}})) == []


def test_differences_of_other_than_two_are_refused():
    with pytest.raises(experiments.KdpruneError, match="name two"):
        differences.main(["HEAD"])
