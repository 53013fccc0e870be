"""One comparison under several conditions, by parameters and by bytes."""

import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from kdprune.analysis import power
from kdprune.analysis.conditions import by_bytes, conditions
from kdprune.cli import parser
from kdprune.errors import KdpruneError
from kdprune.study import comparable

WHO = {"dataset": "cifar10", "role": "student", "distill": "simkd"}
RATIOS = [2.0, 4.0, 8.0]  # of channel to weight


@pytest.fixture
def scored():
    rows = []
    for number, ratio in enumerate(RATIOS):
        pair = {**WHO, "teacher": f"t{number}", "student": "s", "accuracy": 50.0, "params": 100}
        pair |= {"accuracy_sd": 1.0, "n_seeds": 10, "normalised": 0.5}
        rows += [
            {**pair, "condition": "channel", "efficiency": 100.0 * ratio},
            {**pair, "condition": "weight", "efficiency": 100.0},
            {**pair, "condition": "distilled", "efficiency": 10.0},
        ]
    return pd.DataFrame(rows)


@pytest.fixture
def measured():
    """Weight pruning's files are half as large as channel pruning's; one curve broke at once."""
    sizes = {"none": 4e6, "channel": 2e6, "weight": 1e6}
    rows = [
        {
            **WHO,
            "teacher": f"t{number}",
            "student": "s",
            "method": method,
            "batch": batch,
            "level": 0,
        }
        | {"dense_bytes": 9e6, "zstd_bytes": size, "sparse_bytes": size + 1}
        | {"params": 100, "nonzero_params": 50, "macs": 1000}
        for number in range(len(RATIOS))
        for method, size in sizes.items()
        for batch in (1, 256)
        if (number, method) != (2, "weight")
    ]
    return pd.DataFrame(rows)


def test_a_table_of_another_study_is_one_line(tmp_path):
    folder = tmp_path / "s"
    shutil.copytree(ROOT / "studies/mini-seeds", folder)
    shutil.copy(ROOT / "metrics/measure.csv", folder / "metrics/measure.csv")
    with pytest.raises(KdpruneError, match="measured: has no column training_seed"):
        comparable.read(folder)


def test_the_ratio_is_the_geometric_mean_over_pairs(scored):
    tables = {"efficiency": scored}
    (row,) = conditions({"a": tables}).to_dict("records")
    assert (row["study"], row["count"], row["n"]) == ("a", "parameters", 3)
    assert row["ratio"] == pytest.approx(4.0)
    logs = np.log(RATIOS)
    t = logs.mean() / (logs.std(ddof=1) / np.sqrt(3))
    assert t == pytest.approx(3.4641, abs=1e-4)
    assert row["log_p"] == pytest.approx(0.0742, abs=1e-4)  # t(2), two-sided
    assert row["tells"] == pytest.approx(power.told(3, logs.std(ddof=1)))


def test_bytes_turn_the_order_round(scored, measured, monkeypatch):
    who = scored[["dataset", "role", "teacher", "student", "distill"]]
    broken = who.assign(method=scored.condition, level=0.4)
    broken.loc[(broken.teacher == "t2") & (broken.method == "weight"), "level"] = 0.0
    table = by_bytes(scored, measured, broken)
    wide = table.pivot_table("efficiency", "teacher", "condition")
    assert wide.channel.tolist() == [25.0, 25.0, 25.0]  # 50 % on 2 MB
    assert wide.weight.tolist() == [50.0, 50.0, 12.5]  # the last has the unpruned network's 4 MB
    tables = {"efficiency": scored, "measured": measured, "breakpoints": broken}
    monkeypatch.setattr("kdprune.analysis.conditions.by_number", lambda tables: {})
    rows = conditions({"a": tables})
    assert rows["count"].tolist() == ["parameters", "bytes"]
    assert rows.ratio[1] == pytest.approx((0.5 * 0.5 * 2) ** (1 / 3))


def test_what_was_pruned_and_not_measured_has_no_bytes(scored, measured):
    """Where another clone pruned it: the bytes of the unpruned network are not its own."""
    rows = by_bytes(scored, measured, None)
    assert len(rows) == 5  # one weight curve was not measured
    who = scored[["dataset", "role", "teacher", "student", "distill"]]
    broken = who.assign(method=scored.condition, level=0.4)
    pd.testing.assert_frame_equal(by_bytes(scored, measured, broken), rows)


def test_the_command_prints_a_row_each(scored, measured, tmp_path, capsys):
    for name, tables in {"one": (scored, measured), "two": (scored, measured.iloc[:0])}.items():
        folder = tmp_path / name / "metrics"
        folder.mkdir(parents=True)
        tables[0].to_csv(folder / "efficiency.csv", index=False)
        if len(tables[1]):
            tables[1].to_csv(folder / "measure.csv", index=False)
    arguments = ["compare", str(tmp_path / "one"), str(tmp_path / "two")]
    given = parser().parse_args(arguments)
    assert given.run(given) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 3
    assert "4.00" in lines[2]
    given = parser().parse_args([*arguments, "--first", "random"])
    with pytest.raises(KdpruneError, match="no study holds both random and weight"):
        given.run(given)
