"""Figures follow from tables: the same bytes each time, for any grid and any set of methods."""

import re

import numpy as np
import pandas as pd
import pytest
from report_tables import committed_tables, saved, study

from kdprune.reporting import report
from kdprune.reporting.document.formats import condition, short
from kdprune.reporting.figures import curves, frames, style
from kdprune.reporting.figures.canvas import Scale
from kdprune.reporting.figures.looks import KNOWN, looks
from kdprune.reporting.paper import published
from kdprune.reporting.paper.beside import PAIR

ODD = ("weight-kd", "weight-labels", "taylor", "random_channel", "mine")
DRAWN = ("accuracy", "comparisons", "efficiency", "layers", "pairs", "training")


@pytest.fixture(scope="module")
def committed():
    return committed_tables()


def test_the_same_tables_give_the_same_bytes(committed, tmp_path):
    one, two = (saved(committed, tmp_path / turn)[0] for turn in ("one", "two"))
    assert sorted(one) == list(DRAWN)
    assert one == two


def test_a_curve_is_the_mean_over_seeds_and_its_mark_the_breakpoint(committed):
    sweeps = committed["sweeps"]
    one = sweeps[(sweeps.role == "teacher") & (sweeps.method == "weight")]
    one = one[one.teacher == one.teacher.iloc[0]]
    figure = curves.curves(one, committed["breakpoints"], looks(["weight"]))
    (page,) = figure.axes
    wanted = one.groupby("nonzero_params").test_accuracy.mean()
    line = next(item for item in page.lines if len(item.get_xdata()) == len(wanted))
    # pixels are a linear map of the accuracies, y downwards
    pixels = np.sort(line.get_ydata())[::-1]
    assert np.corrcoef(pixels, np.sort(wanted))[0, 1] == pytest.approx(-1)
    ring = next(item for item in page.lines if item.get_markersize() == 7)
    row = committed["breakpoints"].merge(one[["teacher", "role", "method"]].drop_duplicates())
    place = round((1 - row.nonzero_params[0] / row.dense_params[0]) * 10)
    assert ring.get_xdata()[0] == pytest.approx(sorted(line.get_xdata())[place], abs=0.5)


@pytest.mark.parametrize("width", [1060, 380])
def test_students_without_their_teachers_fill_rows_and_each_names_its_teacher(committed, width):
    students = committed["sweeps"].query("role == 'student'")
    figure = curves.curves(students, committed["breakpoints"], looks(["weight"]), width)
    told = " | ".join(text.get_text() for text in figure.axes[0].texts)
    pairs = students[["teacher", "student"]].drop_duplicates()
    assert len(pairs) == 3
    assert all(told.count(student) for student in pairs.student)
    assert all(told.count(name) >= count for name, count in pairs.teacher.value_counts().items())
    beside = [text.get_position() for text in figure.axes[0].texts if "→" in text.get_text()]
    lines = sorted({round(y) for _, y in beside})
    assert len(lines) == (1 if width == 1060 else 2)


def test_of_several_data_sets_each_panel_names_its_own(committed):
    students = committed["sweeps"].query("role == 'student'")
    both = pd.concat([students, students.assign(dataset="cifar100")], ignore_index=True)
    figure = curves.curves(both, committed["breakpoints"], looks(["weight"]), 1060)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert sum(text.startswith("CIFAR-10,") for text in texts) == 3
    assert sum(text.startswith("CIFAR-100,") for text in texts) == 3


def test_intervals_are_those_of_the_test_images():
    """Percent of 1,000 images: the standard error of 50 % is 1.58 points; seeds add theirs."""
    sweeps = pd.DataFrame({"dataset": "d", "test_accuracy": [50.1, 50.0, 12.3]})
    assert frames.images_of(sweeps) == {"d": 1000}
    error = frames.sampled(np.array([50.0, 50.0]), np.array([0.0, 3.0]), 1000)
    assert error == pytest.approx([1.5811, np.hypot(1.5811, 3)], abs=1e-4)


def test_a_breakpoints_interval_becomes_one_of_accuracy_per_parameter(committed):
    rows = frames.relative(
        committed["efficiency"], committed["breakpoints"], committed["sweeps"], "simkd"
    )
    scored = committed["efficiency"].query("role == 'student' and distill == 'simkd'")
    wide = scored.pivot_table("efficiency", PAIR, "condition")
    for row in rows.itertuples():
        own = wide.loc[row.dataset, row.teacher, row.student]
        assert row.value == pytest.approx(own[row.condition] / own.distilled)
        assert row.low <= row.value * (1 + 1e-9)
        assert row.value <= row.high * (1 + 1e-9)


@pytest.mark.parametrize(
    ("log", "low", "high", "wanted"),
    [(False, 0, 100, 25), (True, 1, 10_000, 10)],
)
def test_a_scale_maps_values_to_pixels(log, low, high, wanted):
    scale = Scale(low, high, 200, 600, log=log)
    assert [scale(low), scale(wanted), scale(high), scale(high * 2)] == [200, 300, 600, 600]
    assert all(low <= tick <= high for tick in scale.ticks())
    assert len(scale.ticks(100)) <= 5


def test_a_condition_looks_the_same_whatever_else_there_is():
    several, every = looks(["channel", "weight"]), looks([*KNOWN, *ODD, "distilled", "teacher"])
    for name in ("channel", "weight"):
        assert several[name] == every[name]
    pruned = [look for name, look in every.items() if name not in ("distilled", "teacher")]
    assert len({(look.colour, look.marker, str(look.dash)) for look in pruned}) == len(pruned)
    assert len({look.marker for look in pruned}) == len(pruned)  # colour is never alone
    assert looks([*ODD])["mine"].marker != looks([*ODD])["taylor"].marker


def brightness(colour: str) -> float:
    """Relative luminance of a colour, by WCAG 2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((brightness(one), brightness(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_colour_stands_out_on_light_and_on_dark_pages():
    marks = {look.colour for look in looks([*KNOWN, "distilled"]).values()}
    assert marks <= set(style.DARK)
    for colour in marks | {style.INK, style.SOFT}:
        least = 4.5 if colour in (style.INK, style.SOFT) else 3  # text, and graphics
        assert contrast(colour, "#ffffff") >= least
        assert contrast(style.DARK[colour], style.DARK[style.PAPER]) >= least


def test_a_picture_follows_the_reader_to_dark(committed, tmp_path):
    svg = saved(committed, tmp_path / "all")[0]["pairs"]
    light, dark = svg.split("@media(prefers-color-scheme:dark)")
    painted = set(re.findall(r"(?:fill|stroke):(#[0-9a-f]{6})", light))
    assert painted
    assert painted <= set(style.DARK)
    turned = set(re.findall(r"(?:fill|stroke):(#[0-9a-f]{6})", dark))
    assert turned == {style.DARK[colour] for colour in painted}


@pytest.mark.parametrize("methods", [["weight"], ["channel"], []])
def test_a_partial_grid_is_drawn(committed, methods, tmp_path):
    kept = [*methods, "teacher", "distilled"]
    tested = committed["significance"]
    part = committed | {
        "efficiency": committed["efficiency"].query("condition in @kept"),
        "breakpoints": committed["breakpoints"].query("method in @methods"),
        "sweeps": committed["sweeps"].query("method in @methods"),
        "significance": tested[tested["first"].isin(kept) & tested.second.isin(kept)],
    }
    assert set(saved(part, tmp_path / "part")[0]) == set(DRAWN)


def test_any_set_of_methods_is_drawn_and_told(tmp_path):
    pairs = published.breakpoints().query("dataset == 'cifar10'").drop_duplicates(PAIR).head(3)
    tables = study(pairs, methods=ODD, spread=1)
    svgs, drawn = saved(tables, tmp_path / "odd")
    for name in ODD:
        assert condition(name) in svgs["pairs"]
        assert condition(name) in svgs["accuracy"]
    assert condition("weight-kd") == "weight pruning, tuned by KD"
    report.write(tmp_path / "r.md", tmp_path / "r.html", **tables, figures=drawn)
    told = (tmp_path / "r.md").read_text().split("## ")[1]
    assert "kept more accuracy per parameter than" in told
    assert "**3 pairs**" in told


def test_a_comparison_of_two_prunings_names_the_one_ahead_first(committed, tmp_path):
    """The table says channel ÷ weight 0.874 (0.495 to 1.54); the figure says its inverse."""
    row = committed["significance"].query("role == 'student' and second == 'weight'").iloc[0]
    svg = saved(committed, tmp_path / "all")[0]["comparisons"]
    assert row.ratio < 1
    said = f"{short(1 / row.ratio)}× ({short(1 / row.ratio_high)} to {short(1 / row.ratio_low)})"
    assert said in svg
    assert "weight pruning ÷ channel pruning" in svg
    assert "channel pruning ÷ distilled, unpruned" in svg
