"""Figures follow from tables: the same bytes each time, whatever part of the grid there is."""

import pandas as pd
import pytest
from conftest import ROOT, some

from kdprune.reporting.figures import drawing, style


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / "metrics" / f"{name}.csv", keep_default_na=False, na_values=["nan"])


@pytest.fixture(scope="module")
def sweeps():
    paths = some(sorted((ROOT / "metrics/sweeps").glob("*.csv")))
    return pd.concat([pd.read_csv(path) for path in paths]).fillna({"student": "", "distill": ""})


def drawn(sweeps, found, scored):
    return {
        "accuracy": drawing.accuracy_curves(sweeps, found),
        "efficiency": drawing.efficiency_points(scored),
        "pairs": drawing.paired_comparison(scored),
    }


def test_the_same_tables_give_the_same_bytes(sweeps, tmp_path):
    for turn in ("one", "two"):
        figures = drawn(sweeps, table("breakpoints"), table("efficiency"))
        for name, figure in figures.items():
            style.save(figure, tmp_path / turn / f"{name}.svg")
    for name in some(figures):
        first, second = (tmp_path / turn / f"{name}.svg" for turn in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()


def test_a_curve_is_the_mean_over_seeds_and_the_ring_its_breakpoint(sweeps):
    found = table("breakpoints")
    one = sweeps[sweeps.teacher == found.teacher[0]]
    one = one[(one.role == "teacher") & (one.method == "weight")]
    figure = drawing.accuracy_curves(one, found)
    (axis,) = figure.axes
    curve = next(line for line in axis.lines if len(line.get_xdata()) == one.level.nunique())
    means = one.groupby("nonzero_params").test_accuracy.mean()
    assert sorted(curve.get_ydata()) == pytest.approx(sorted(means))
    ring = next(line for line in axis.lines if line.get_markersize() == 9)
    row = found[(found.teacher == found.teacher[0]) & (found.role == "teacher")]
    row = row[row.method == "weight"].iloc[0]
    assert ring.get_xdata()[0] == pytest.approx(row.nonzero_params / 1e6)
    assert axis.get_xlabel()
    assert axis.get_ylabel()


@pytest.mark.parametrize("methods", [["weight"], ["channel"], []])
def test_a_partial_grid_is_drawn(sweeps, methods, tmp_path):
    scored, found = table("efficiency"), table("breakpoints")
    scored = scored[scored.condition.isin([*methods, "teacher", "distilled"])]
    part = sweeps[sweeps.method.isin(methods)] if methods else sweeps
    for name, figure in drawn(part, found[found.method.isin(methods)], scored).items():
        style.save(figure, tmp_path / f"{name}.svg")
    teachers = table("efficiency").query("role == 'teacher'")
    style.save(drawing.paired_comparison(teachers), tmp_path / "none.svg")


def test_distillation_methods_are_told_apart_where_there_are_several():
    rows = [("t", "", ""), ("t", "s", "kd"), ("t", "s", "at")]
    several = pd.DataFrame(rows, columns=["teacher", "student", "distill"])
    assert list(drawing.with_network_names(several).network) == ["t", "t → s (kd)", "t → s (at)"]
    assert list(drawing.with_network_names(several[:2]).network) == ["t", "t → s"]
