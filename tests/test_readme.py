"""What the README says of results follows from metrics/; its commands and files exist."""

import json
import re
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, some
from PIL import Image

from kdprune.records import IDENTITY
from kdprune.study import comparable

sys.path.insert(0, str(ROOT / "docs"))
from generators import trainings, tuning
from generators.finding import PARAMETERS, STUDIES, compared, counted, finding
from generators.results import answer
from generators.soundness import (
    OVER_ALL_LAYERS,
    OVER_ALL_LAYERS_100,
    RANKED_WITHOUT_DEAD,
    RANKED_WITHOUT_DEAD_100,
    STEM,
    TUNED,
    WITHOUT_DEAD,
    WITHOUT_DEAD_100,
    Condition,
    alike,
    bounded,
    found,
    shown,
)

README = ROOT / "README.md"
START, END = (
    "<!-- results: tests/test_readme.py holds this table against metrics/ -->\n",
    "<!-- /results -->",
)
OF_CIFAR10 = (  # each with a new ratio and the old one
    "weight pruning is {} times ahead in place of {} on CIFAR-10",
    "ten students on CIFAR-10 the lead of weight pruning is {} in place of {} times",
    "it is {} times ahead of channel pruning in place of {},",
    "and {} times ahead of a ranking within layers in place of {}.",
)
OF_CIFAR100 = (
    "and {} times in place of {} on CIFAR-100",
    "on CIFAR-100 {} in place of {} ([condition 1]",
    "CIFAR-100 repeats it: {} in place of {},",
    "and {} in place of {}. There,",
)
FOUND, ENDED = (
    "<!-- finding: tests/test_readme.py holds it against studies/ -->\n",
    "<!-- /finding -->",
)


def results() -> str:
    """The answer and the table of results as the README must hold them."""
    lines = [
        f"**{answer(ROOT).removeprefix(chr(10) + '> ').strip()}**",
        "",
        "| teacher → student | teacher | student as distilled | fine-tuned, not pruned (level 0) "
        "| weight pruning at breakpoint | channel pruning at breakpoint |",
        "|---|---|---|---|---|---|",
        *rows(),
        "",
        f"Accuracies are on {images()} test images, of networks trained once: the 95 % sampling "
        "error of one is about ±3 points.",
        "A level (sparsity, pruning ratio) is the share of convolution and linear weights that is "
        "gone. The breakpoint is the last level",
        "before the first that loses more than a point of validation accuracy. A student counts "
        "its projector and the teacher's classifier, so",
        "it can be larger than its teacher.",
        "",
        *comparison(),
        "",
        f"{dead()} of these students' convolution weights only ever meet zero padding on 32-pixel "
        "images. Weight pruning removes",
        "these at no cost; channel pruning cannot. Fine-tuning the last layer alone cannot bring "
        "back a channel's features. `-S model.stem=cifar`",
        "and `-S prune.finetune.scope=all` take these conditions away; "
        "[one at a time, we did](studies/conditions.md#what-has-been-found).",
    ]
    return "\n".join(lines) + "\n"


def rows() -> list[str]:
    """One line per student, with its teacher and both prunings."""
    found = pd.read_csv(ROOT / "metrics/breakpoints.csv").fillna({"student": "", "distill": ""})
    scored = pd.read_csv(ROOT / "metrics/efficiency.csv").fillna({"student": "", "distill": ""})
    lines = []
    students = found[found.role == "student"]
    for (teacher, student), part in students.groupby(["teacher", "student"], sort=False):
        mine = scored[scored.teacher == teacher]
        cells = []
        for row in (mine[mine.student == ""], mine[mine.student == student]):
            before = row[row.condition.isin(["teacher", "distilled"])].iloc[0]
            cells.append(f"{before.accuracy:.1f} %, {before.params:,.0f} parameters")
        cells.append(f"{part.iloc[0].dense_test_accuracy:.1f} %")
        for method in ("weight", "channel"):
            row = part[part.method == method].iloc[0]
            left, gone = f"{row.nonzero_params:,.0f}", f"{100 * row.level:.0f} % gone"
            cells.append(f"{row.test_accuracy:.1f} %, {left} ({gone})")
        lines.append(f"| {teacher} → {student} | " + " | ".join(cells) + " |")
    return lines


def comparison() -> list[str]:
    """The paired test of the students, in figures and as a ratio."""
    table = pd.read_csv(ROOT / "metrics/significance.csv")
    student = (table.role == "student") & (table["first"] == "channel")
    row = table[student & (table.second == "weight")].iloc[0]
    low, high = sorted((1 / row.ratio_low, 1 / row.ratio_high))
    return [
        f"Weight pruning has {1 / row.ratio:.2f} times the accuracy per parameter of channel "
        f"pruning (95 % interval {low:.2f} to {high:.2f}; p = {row.log_holm_p:.2f} after Holm's "
        "correction, which decides).",
        "The paper's test, on raw differences of accuracy per parameter, gives "
        f"t = {abs(row.t):.2f} and p = {row.p:.2f}.",
        f"n = {row.n:.0f} pairs; each mean is over ten fine-tuning seeds.",
    ]


def images() -> str:
    """How many test images the default run has, in sheets of tiles."""
    pixels = 0
    for path in some((ROOT / "data/embedded/test").glob("*.webp")):
        with Image.open(path) as sheet:
            pixels += sheet.width * sheet.height
    return f"{pixels // 32**2:,}"


def dead() -> str:
    """The range of the students' dead weights."""
    files = some((ROOT / "metrics/distill").glob("*.json"))
    shares = [100 * json.loads(file.read_text())["dead_share"] for file in files]
    return f"{min(shares):.0f} to {max(shares):.0f} %"


def block(text: str, start: str, end: str) -> str:
    """What stands between two marks."""
    return text[text.index(start) + len(start) : text.index(end)]


@pytest.mark.parametrize("name", STUDIES)
def test_the_finding_claims_no_more_than_its_tables(name):
    rows = compared(ROOT / "studies" / name)
    students = rows[rows.role == "student"].set_index("count")
    ahead, pairs = counted(ROOT / "studies" / name)
    parameters, plain, files = (
        students.loc[count] for count in (PARAMETERS, "bytes, float32", "bytes")
    )
    assert parameters.ratio_low > 1
    assert 2 * ahead > pairs == parameters.n
    assert 1 < files.ratio < plain.ratio < parameters.ratio  # "the lead is smaller"


def test_what_is_said_of_all_layers_tuned_follows_from_the_tables():
    page = (ROOT / "studies/conditions.md").read_text()
    said = " ".join(page[page.index("Condition 2, tuning of all layers") :].split())
    head, whole = (ROOT / "studies" / name for name in ("desk-scores", "desk-tuned"))
    levels, dense = [], []
    for study in (head, whole):
        found = pd.read_csv(study / "metrics/breakpoints.csv")
        of_both = found[(found.role == "student") & found.method.isin(["weight", "channel"])]
        levels.append(of_both.set_index([*IDENTITY, "method"]).level)
        dense.append(of_both.dense_test_accuracy.mean())
    later = (levels[1] > levels[0]).groupby("method").sum()
    assert (later.weight, later.channel) == (9, 8)
    assert "By weights nine of ten students break later" in said
    assert "by channels eight" in said
    assert f"loses by it: {dense[0] - dense[1]:.1f} points" in said
    lost = tuning.lost(ROOT / "studies")
    of_efficientnets = lost.index.get_level_values("teacher").str.startswith("efficientnet")
    four, six = lost[of_efficientnets], lost[~of_efficientnets]
    assert (len(four), len(six)) == (4, 6)
    assert f"lose {four.min():.1f} to {four.max():.1f} points, the others {six.max():.1f}" in said


def test_at_equal_levels_the_tuning_of_all_layers_narrows_the_gap():
    studies, page = ROOT / "studies", (ROOT / "studies/conditions.md").read_text()
    said = " ".join(page.split())
    (a, b), (c, d), (e, f) = (
        [f"{tuning.gap(studies, name, level):.1f}" for name in (tuning.HEAD, tuning.ALL)]
        for level in (0.1, 0.2, 0.3)
    )
    assert f"from {a} to {b} points where 10 % are gone, from {c} to {d} at 20 %" in said
    assert f"and from {e} to {f} at 30 %" in said
    strict = tuning.from_the_head(studies)
    assert f"ratio is {strict.ratio:.2f} ({strict.low:.2f} to {strict.high:.2f})" in said
    assert strict.low < 1  # "no lead that is sure"
    teachers = Condition("desk-tuned-teachers", "desk", "teacher", "")
    whole, head = (found(studies, teachers, before=before) for before in (False, True))
    assert (
        f"{shown(whole).rstrip(')')}; p = {whole.log_p:.3f}) in place of {head.ratio:.2f}" in said
    )


def test_at_equal_levels_the_stem_narrows_the_gap_and_its_ratios_are_bounds():
    studies, page = ROOT / "studies", (ROOT / "studies/conditions.md").read_text()
    gaps, ratios = [], []
    broken = pd.read_csv(studies / "desk-stem/metrics/breakpoints.csv")
    for name in ("desk", "desk-stem"):
        sweeps = comparable.sweeps(studies / name)
        ours = sweeps[(sweeps.role == "teacher") & sweeps.teacher.isin(broken.teacher)]
        means = ours.groupby(["teacher", "level", "method"]).test_accuracy.mean()
        both = [means.xs(method, level="method") for method in ("weight", "channel")]
        gaps.append((both[0] - both[1]).xs(0.2, level="level").mean())
        tables = alike(studies / "desk", studies / "desk-stem")
        scored = tables[studies / name]["efficiency"].query("role == 'teacher'")
        wide = scored.pivot_table("efficiency", "teacher", "condition").loc[
            list(means.index.levels[0])
        ]
        ratios.append(wide.weight / wide.channel)
    assert f"{gaps[1]:.1f} in place of {gaps[0]:.1f} points" in " ".join(page.split())
    assert (ratios[1] > ratios[0]).sum() == len(ratios[0]) == 6  # "all six ratios rise"
    stem = found(studies, STEM)
    assert f"| ≥ {stem.ratio:.2f} |" in page  # most of its curves never broke: no interval
    assert bounded(stem, 2) == f"≥ {shown(stem)}"
    assert bounded(stem, 0) == shown(stem)


def test_the_interval_of_the_pairs_share_is_the_exact_one():
    """Of 10 pairs, 2 trainings each: F = 6.93 gives 29 to 93 % (by hand, from tables of F)."""
    row = trainings.components(ROOT / "studies").loc[(trainings.RATIO, trainings.EFFICIENCY)]
    low, high = trainings.between(row)
    within = row.training + row.tuning / 10
    assert 1 + 2 * row.pair / within == pytest.approx(6.93, abs=0.01)
    assert (low, high) == (pytest.approx(29.3, abs=0.3), pytest.approx(93.0, abs=0.3))
    assert f"{low:.0f} to {high:.0f} % of the variance" in (ROOT / "docs/method.md").read_text()


def test_what_is_said_of_three_trainings_follows_from_their_tables():
    studies = ROOT / "studies"
    page, method = (
        " ".join((ROOT / name).read_text().split())
        for name in ("studies/conditions.md", "docs/method.md")
    )
    scored = pd.read_csv(studies / "desk-seeds/metrics/efficiency.csv")
    wide = scored[scored.role == "student"].pivot_table(
        "efficiency", ["student", "training_seed"], "condition"
    )
    ratios = wide.weight / wide.channel
    assert (len(ratios), (ratios > 1).all()) == (9, True)
    ends = f"{ratios.min():.2f} to {ratios.max():.2f}"
    assert f"ahead in all nine, by {ends}" in page
    assert f"ratios from {ends}" in method
    *two, last = (f"{one:.2f}" for one in ratios.loc["resnet10_16"])
    assert f"resnet10_16 of resnet14_24 has {', '.join(two)} and {last}" in page
    found = pd.read_csv(studies / "desk-seeds/metrics/breakpoints.csv")
    levels = found[found.student == "resnet10_16"].set_index("method").level
    assert (levels.weight.tolist(), levels.channel.tolist()) == ([0.3, 0.4, 0.5], [0, 0, 0])
    rows = [
        of(studies).loc[(trainings.RATIO, trainings.EFFICIENCY)]
        for of in (trainings.components, trainings.seeded)
    ]
    shares = [
        [round(row[f"share_{part}"]) for part in ("pair", "training", "tuning")] for row in rows
    ]
    (pair, training, tune), three = shares
    assert f"had said {pair}, {training} and {tune} %" in page
    said = "{} % lies between pairs, {} % between trainings of a pair and {} % between tunings"
    assert said.format(*three) in page
    low, high = trainings.between(rows[1])
    assert f"{low:.0f} to {high:.0f} % of the variance of a training's mean may lie" in method
    mini = pd.read_csv(studies / "mini-seeds/metrics/variance.csv").set_index(
        ["role", "method", "quantity"]
    )
    few = mini.loc[("student", trainings.RATIO, trainings.EFFICIENCY)]
    moved = [f"{100 * few[part] ** 0.5:.1f} %" for part in ("training", "pair")]
    assert f"{moved[0]} from training to training, and {moved[1]} from pair to pair" in method
    tested = pd.read_csv(studies / "desk-seeds/metrics/significance.csv")
    row = tested[(tested["first"] == "channel") & (tested.second == "weight")].iloc[0]
    said = f"{1 / row.ratio:.2f}, {1 / row.ratio_high:.2f} to {1 / row.ratio_low:.2f}"
    assert f"({said}, p = {row.log_p:.2f})" in page


def test_the_first_of_three_trainings_is_that_of_desk_to_the_last_digit():
    again, first = ROOT / "studies/desk-seeds/metrics/sweeps", ROOT / "studies/desk/metrics/sweeps"
    files = sorted(again.glob("*-s1-*.csv"))
    assert len(files) == 6
    for file in files:
        ours, theirs = pd.read_csv(file), pd.read_csv(first / file.name.replace("-s1-", "-"))
        assert ours.drop(columns="training_seed").equals(theirs)
    assert sum(len(pd.read_csv(file)) for file in files) == 600


def test_dead_weights_are_a_small_part_of_the_lead():
    for one in (WITHOUT_DEAD, WITHOUT_DEAD_100):
        before, after = (found(ROOT / "studies", one, before=then).ratio for then in (True, False))
        assert 1 / 7 < 1 - np.log(after) / np.log(before) < 1 / 5  # "a sixth of its logarithm"


def test_what_is_said_of_one_network_at_80_percent_follows_from_its_sweeps():
    sweeps = comparable.sweeps(ROOT / "studies/desk-scores").query("student == 'resnet14_16'")
    means = sweeps.groupby(["method", "level"]).test_accuracy.mean().round(1)
    page = " ".join((ROOT / "studies/conditions.md").read_text().split())
    assert (
        f"resnet14_16, of {means['weight', 0.0]} %, keeps {means['global_weight', 0.8]} %" in page
    )
    assert f"and {means['weight', 0.8]} % by a ranking within layers" in page


def test_at_its_breakpoints_weight_pruning_stays_ahead_without_either_condition():
    for condition in (WITHOUT_DEAD, WITHOUT_DEAD_100, STEM, TUNED):
        for before in (False, True):
            assert found(ROOT / "studies", condition, before=before).ratio_low > 1


def pages_on_dead_weights():
    """What is said of dead weights, as one line."""
    pages = (ROOT / "studies/conditions.md", ROOT / "docs/method.md")
    return " ".join(" ".join(page.read_text().split()) for page in pages)


@pytest.mark.parametrize(
    ("within", "ranked", "alone", "words"),
    [
        (WITHOUT_DEAD, OVER_ALL_LAYERS, RANKED_WITHOUT_DEAD, OF_CIFAR10),
        (WITHOUT_DEAD_100, OVER_ALL_LAYERS_100, RANKED_WITHOUT_DEAD_100, OF_CIFAR100),
    ],
)
def test_what_is_said_without_dead_weights_follows_from_the_tables(within, ranked, alone, words):
    studies = ROOT / "studies"
    paper, reached = found(studies, within, before=True), found(studies, within)
    both = {
        second: [found(studies, one._replace(second=second)) for one in (alone, ranked)]
        for second in ("channel", "weight")
    }
    pairs = [(reached, paper), (reached, paper), both["channel"], both["weight"]]
    for said, (new, old) in zip(words, pairs, strict=True):
        text = said.format(f"{new.ratio:.2f}", f"{old.ratio:.2f}")
        assert text in pages_on_dead_weights()


def test_a_processor_finds_the_breakpoints_of_a_card():
    names = ("desk-reached", "desk-scores", "desk-cifar100")
    again, *cards = (
        pd.read_csv(ROOT / "studies" / name / "metrics/breakpoints.csv").fillna({"student": ""})
        for name in names
    )
    both = again.merge(pd.concat(cards), on=[*IDENTITY, "method"], suffixes=("", "_card"))
    assert both.groupby("dataset").size().to_dict() == {"cifar10": 30, "cifar100": 20}
    assert (both.level == both.level_card).all()
    assert (both.test_accuracy - both.test_accuracy_card).abs().max() < 0.0125


def test_what_is_said_of_shares_of_dead_weights_follows_from_the_tables():
    study, page = ROOT / "studies/desk-reached", pages_on_dead_weights()
    left = pd.concat(pd.read_csv(file) for file in (study / "metrics/layers").glob("*.csv"))
    at = ["dataset", "teacher", "student", "method", "level"]
    shares = left.groupby(at)[["nonzero_params", "reached_params"]].sum().reset_index()
    shares["dead"] = 100 * (1 - shares.reached_params / shares.nonzero_params)
    broken = pd.read_csv(study / "metrics/breakpoints.csv")
    over_all = broken[broken.method == "global_weight"]
    ends = over_all[at].merge(shares, on=at).dead
    assert f"Of what it leaves, {ends.min():.0f} to {ends.max():.0f} % are dead" in page
    whole = shares[shares.level == 0].groupby("dataset").dead.agg(["min", "max"])
    ten, hundred = (
        f"{whole['min'][name]:.0f} to {whole['max'][name]:.0f} %"
        for name in ("cifar10", "cifar100")
    )
    assert f"weights {ten} are dead on CIFAR-10, and {hundred} on CIFAR-100" in page
    levels = 100 * over_all[over_all.dataset == "cifar100"].level
    assert f"There, {levels.min():.0f} to {levels.max():.0f} % of the weights go" in page


def test_the_finding_is_that_of_the_published_study():
    held = block(README.read_text(), FOUND, ENDED)
    assert held == finding(ROOT), "write it anew: python tests/test_readme.py"


@pytest.mark.usefixtures("committed_results")
def test_the_results_are_those_of_the_metrics():
    held = block(README.read_text(), START, END)
    assert held == results(), "write it anew: python tests/test_readme.py"


def test_what_it_names_exists():
    text = README.read_text()
    for target in some(re.findall(r"\]\((?!http)([^)#]+)\)", text)):
        assert (ROOT / target).exists(), target
    tree = text[text.index("## The tree") :]
    for name in some(re.findall(r"^([a-z.]+/?) ", tree, re.MULTILINE)):
        assert (ROOT / name).exists() or name == "models/", name
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for key in some(re.findall(r"^\| [a-z ]+ \| `([a-z.]+)`", text, re.MULTILINE)):
        value = params
        for part in key.split("."):
            assert part in value, key
            value = value[part]


if __name__ == "__main__":
    text = README.read_text()
    for start, end, written in ((FOUND, ENDED, finding(ROOT)), (START, END, results())):
        text = text.replace(start + block(text, start, end) + end, start + written + end)
    README.write_text(text)
