"""Studies cut down to the networks and levels that they share."""

import pandas as pd
import pytest
import yaml
from conftest import ROOT

from kdprune.analysis import alike
from kdprune.cli import parser
from kdprune.errors import KdpruneError

RULE = {"rule": "tolerance", "tolerance": 1.0, "slope_ratio": 1.0}
RULE |= {"resamples": 2000, "confidence": 0.95, "seed": 0}
STAYS = {"weight": 0.3, "channel": 0.1}  # the highest level that loses nothing


def sweep(teachers, levels, stays=STAYS):
    """Curves of `teachers` that keep 80 % up to a level, and 50 % beyond it."""
    rows = [
        {"dataset": "cifar10", "role": "teacher", "teacher": teacher, "student": "", "distill": ""}
        | {"method": method, "seed": seed, "level": level, "ratio": level, "sparsity": level}
        | {"params": 1000, "nonzero_params": round(1000 * (1 - level)), "macs": 10}
        | {"val_accuracy": 80.0 if level <= last else 50.0}
        | {"test_accuracy": 80.0 + number * (method == "weight")}  # pairs differ, or no test is one
        for number, teacher in enumerate(teachers)
        for method, last in stays.items()
        for seed in range(2)
        for level in levels
    ]
    return pd.DataFrame(rows)


FINE = sweep("abc", [0.0, 0.1, 0.2, 0.3, 0.4])
COARSE = sweep("bcd", [0.0, 0.2, 0.4])


def test_what_all_have_is_left_and_breakpoints_are_those_of_it():
    cut = alike.shared({"fine": FINE, "coarse": COARSE})
    for table in cut.values():
        assert sorted(table.teacher.unique()) == ["b", "c"]
        assert sorted(table.level.unique()) == [0.0, 0.2, 0.4]
    held = alike.located(cut["fine"], RULE)
    assert set(held["breakpoints"].set_index(["teacher", "method"]).level.items()) == {
        (("b", "weight"), 0.2),
        (("b", "channel"), 0.0),
        (("c", "weight"), 0.2),
        (("c", "channel"), 0.0),
    }
    scored = held["efficiency"].set_index(["teacher", "condition"]).efficiency
    assert scored["b", "weight"] == pytest.approx(81.0 / (800 / 1e7))
    assert scored["b", "channel"] == pytest.approx(80.0 / (1000 / 1e7))


@pytest.mark.parametrize("other", [sweep("d", [0.0, 0.2]), sweep("b", [0.0, 0.9])])
def test_studies_with_nothing_in_common_are_one_line(other):
    with pytest.raises(KdpruneError, match="share no network at any level above 0"):
        alike.shared({"fine": FINE, "other": other})


@pytest.fixture
def folders(tmp_path):
    for name, table in {"fine": FINE, "coarse": COARSE}.items():
        held = tmp_path / name / "metrics" / "sweeps"
        held.mkdir(parents=True)
        table.to_csv(held / "all.csv", index=False)
        scored = alike.located(table, RULE)["efficiency"].assign(accuracy_sd=1.0, normalised=0.5)
        scored.to_csv(tmp_path / name / "metrics" / "efficiency.csv", index=False)
        (tmp_path / name / "params.yaml").write_text(yaml.safe_dump({"breakpoints": RULE}))
    return tmp_path


def test_the_command_tells_what_is_compared(folders, capsys):
    given = parser().parse_args(["compare", "--alike", str(folders / "fine"), f"{folders}/coarse"])
    assert given.run(given) == 0
    first, _, _, *rows = capsys.readouterr().out.splitlines()
    assert first.startswith("2 networks and the levels 0, 0.2, 0.4 are in all")
    assert [row.split()[-7] for row in rows] == ["0.79", "0.80"]  # 800 of 1000 parameters


def test_the_whole_studies_differ_where_their_levels_do(folders, capsys):
    given = parser().parse_args(["compare", str(folders / "fine"), str(folders / "coarse")])
    assert given.run(given) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split()[-7] for row in rows] == ["0.77", "0.79"]  # 700 of 900, 800 of 1000


@pytest.mark.parametrize("content", ["", "breakpoints: 3", "breakpoints: {rule: other}", "[", None])
def test_a_study_without_a_rule_is_one_line(folders, content):
    path = folders / "coarse" / "params.yaml"
    path.unlink() if content is None else path.write_text(content)
    given = parser().parse_args(["compare", "--alike", str(folders / "fine"), f"{folders}/coarse"])
    with pytest.raises(KdpruneError, match=r"params\.yaml: holds no rule of breakpoints"):
        given.run(given)


def test_alike_alone_changes_nothing_of_a_study_with_itself(capsys):
    desk = str(ROOT / "studies" / "desk")
    told = []
    for words in (["compare", desk], ["compare", "--alike", desk]):
        given = parser().parse_args(words)
        assert given.run(given) == 0
        told.append([line for line in capsys.readouterr().out.splitlines() if "parameters" in line])
    assert told[0] == told[1] != []


@pytest.mark.parametrize("column", ["level", "teacher", "val_accuracy", "seed"])
def test_sweeps_that_are_no_sweeps_are_one_line(folders, column):
    path = folders / "coarse/metrics/sweeps/all.csv"
    COARSE.drop(columns=column).to_csv(path, index=False)
    given = parser().parse_args(["compare", "--alike", str(folders / "fine"), f"{folders}/coarse"])
    with pytest.raises(KdpruneError, match=rf"coarse: sweeps.*{column}"):
        given.run(given)
