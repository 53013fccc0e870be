"""What is left of the finding under the conditions that may decide it, from studies/."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from kdprune.analysis import reached
from kdprune.analysis.conditions import conditions
from kdprune.study import comparable

FIRST, SECOND = "weight", "channel"
AS_IT_IS = "as the paper has it"
PARAMETERS, REACHED = "parameters", reached.COUNT
DATA = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}


class Condition(NamedTuple):
    """A study that differs from another in one thing, or other prunings of the same study."""

    study: str
    against: str  # the same networks, as the paper has it
    role: str
    label: str
    first: str = FIRST
    second: str = SECOND
    count: str = PARAMETERS
    dataset: str = "cifar10"


ANSWER = Condition("desk", "desk", "student", AS_IT_IS)
OVER_ALL_LAYERS = Condition(
    "desk-scores",
    "desk-scores",
    "student",
    "weights ranked over all layers, against channels",
    first="global_weight",
)
WITHOUT_DEAD = Condition(
    "desk-reached", "desk-reached", "student", "dead weights not counted", count=REACHED
)
RANKED_WITHOUT_DEAD = WITHOUT_DEAD._replace(
    label="weights ranked over all layers, dead weights not counted", first="global_weight"
)
WITHOUT_DEAD_100 = WITHOUT_DEAD._replace(dataset="cifar100")
OVER_ALL_LAYERS_100 = OVER_ALL_LAYERS._replace(
    study="desk-reached", against="desk-reached", dataset="cifar100"
)
RANKED_WITHOUT_DEAD_100 = RANKED_WITHOUT_DEAD._replace(dataset="cifar100")
STEM = Condition(
    "desk-stem",
    "desk",
    "teacher",
    "stem for small images: at most {dead:.0f} % of the weights dead",
)
TUNED = Condition(
    "desk-tuned",
    "desk-scores",
    "student",
    "all layers tuned after pruning, two epochs, one seed",
)
CONDITIONS = (
    STEM,
    WITHOUT_DEAD,
    TUNED,
    OVER_ALL_LAYERS,
    RANKED_WITHOUT_DEAD,
    Condition(
        "desk-scores",
        "desk-scores",
        "student",
        "weights by LAMP, against channels",
        first="lamp",
    ),
    Condition(
        "desk-scores",
        "desk-scores",
        "student",
        "weights by chance, against channels by chance",
        first="random",
        second="random_channel",
    ),
    WITHOUT_DEAD_100,
    OVER_ALL_LAYERS_100,
    RANKED_WITHOUT_DEAD_100,
)


def table(root: Path) -> str:
    """Return the table of the conditions as a part of a page."""
    return "\n".join(["", *lines(root), "", ""])


def lines(root: Path) -> list[str]:
    """Return a table of the conditions that may decide, each against the faithful setting."""
    each: list[str] = []
    for condition in CONDITIONS:
        each += [row for row in compared(root / "studies", condition) if row not in each]
    return [
        "| weight against channel pruning | networks | levels | never broke "
        "| ratio per parameter | per byte of plain numbers | p, uncorrected | ahead |",
        "|---|---|---|---|---|---|---|---|",
        *each,
    ]


def ranked(studies: Path) -> str:
    """Say how far weight pruning is ahead where weights are ranked over all layers."""
    whole, reachable = [], []
    for counting_all, without_dead in (
        (OVER_ALL_LAYERS, RANKED_WITHOUT_DEAD),
        (OVER_ALL_LAYERS_100, RANKED_WITHOUT_DEAD_100),
    ):
        data = DATA[counting_all.dataset]
        within, channels, fewer, few = (
            found(studies, one._replace(second=second))
            for one in (counting_all, without_dead)
            for second in (FIRST, SECOND)
        )
        whole.append(f"{shown(within)} and {shown(channels)} times on {data}")
        reachable.append(f"{fewer.ratio:.2f} and {few.ratio:.2f} times on {data}")
    return (
        "The largest effect is where weights are ranked. Over all layers, their pruning keeps more "
        f"than within each, and more than channel pruning: {', '.join(whole)}. A part of this is "
        f"weights that no image reaches. Where these are not counted, it is {', '.join(reachable)}."
    )


def explained(studies: Path) -> list[str]:
    """Say what is left of the lead without each condition that may favour weight pruning."""
    without_dead, hundred, stem, tuned = (
        f"{found(studies, one).ratio:.2f} in place of {found(studies, one, before=True).ratio:.2f}"
        for one in (WITHOUT_DEAD, WITHOUT_DEAD_100, STEM, TUNED)
    )
    return [
        f"Where dead weights are not counted, weight pruning is ahead by {without_dead} times on "
        f"CIFAR-10, and by {hundred} times on CIFAR-100 (ten students each).",
        f"With a stem that leaves hardly any, by {stem} times (six teachers, CIFAR-10).",
        f"With all layers tuned, by {tuned} times (ten students, CIFAR-10). Tuning costs these "
        f"{price(studies):.1f} points before anything is pruned.",
    ]


def again(studies: Path) -> str:
    """Say why the conditions have another ratio for the ten students than the answer."""
    first, second = found(studies, ANSWER), found(studies, WITHOUT_DEAD, before=True)
    return (
        "On CIFAR-10 these ten students were trained a second time. Their ratio is "
        f"{second.ratio:.2f}, and that of the first training, above, {first.ratio:.2f}. "
        "[A table](studies/conditions.md#what-has-been-found) sets all conditions side by side, "
        "with other rules that choose which weights and channels go; it says what was not run."
    )


def found(studies: Path, condition: Condition, *, before: bool = False) -> pd.Series:
    """Return the comparison of a condition's two prunings by what it counts.

    Or, with `before`, that of the same networks at the same levels as the paper has them.
    """
    folders = [studies / condition.against, studies / condition.study]
    held = alike(*dict.fromkeys(folders))
    if before:
        condition = as_it_is(condition)
    return tested(condition, held[folders[0 if before else 1]]).loc[condition.count]


def as_it_is(condition: Condition) -> Condition:
    """Return what a condition is held against."""
    return condition._replace(label=AS_IT_IS, first=FIRST, second=SECOND, count=PARAMETERS)


def price(studies: Path) -> float:
    """Return how many points of test accuracy the tuning of all layers costs unpruned networks."""
    means = []
    for name in (TUNED.against, TUNED.study):
        broken = pd.read_csv(studies / name / "metrics/breakpoints.csv")
        ours = (broken.role == TUNED.role) & broken.method.isin([FIRST, SECOND])
        means.append(broken[ours].dense_test_accuracy.mean())
    return float(means[0] - means[1])


def compared(studies: Path, condition: Condition) -> list[str]:
    """Return two rows: the networks that a condition was tried on, as the paper has it and so."""
    folders = [studies / condition.against, studies / condition.study]
    held = alike(*dict.fromkeys(folders))
    label = condition.label.format(dead=dead(folders[1]))
    return [
        weighed(as_it_is(condition), held[folders[0]]),
        weighed(condition._replace(label=label), held[folders[1]]),
    ]


@cache
def alike(*folders: Path) -> Mapping[Path, dict[str, pd.DataFrame]]:
    """Return the tables of what all of the studies have; seconds, for breakpoints are anew."""
    return comparable.by_what_all_have(folders)


def dead(folder: Path) -> float:
    """Return the largest share of a teacher's weights that only meet zero padding, in percent."""
    files = sorted((folder / "metrics/teach").glob("*.json"))
    return max(100 * json.loads(file.read_text(encoding="utf-8"))["dead_share"] for file in files)


def weighed(condition: Condition, tables: dict[str, pd.DataFrame]) -> str:
    """Return a row: the ratio of the networks' efficiencies by parameters and by bytes."""
    rows = tested(condition, tables)
    by_parameters, by_bytes = rows.loc[condition.count], rows.loc["bytes, float32"]
    levels = sorted(tables["sweeps"].level.unique())
    broken = tables["breakpoints"].query("dataset == @condition.dataset")
    endless = broken[broken.censored.astype(bool)].groupby("method").size()
    kinds = zip((FIRST, SECOND), (condition.first, condition.second), strict=True)
    never = ", ".join(f"{kind} {endless.get(name, 0)}" for kind, name in kinds)
    networks = f"{by_parameters.n} {condition.role}s, {DATA[condition.dataset]}"
    cells = [condition.label, networks, f"{levels[0]:g} to {levels[-1]:g}, {len(levels)}", never]
    cells += [shown(by_parameters), shown(by_bytes) if condition.count == PARAMETERS else "–"]
    cells += [probability(by_parameters.log_p), ahead(by_parameters)]
    return f"| {' | '.join(cells)} |"


def tested(condition: Condition, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the comparison of a condition's two prunings, a row per count."""
    both = {"first": condition.first, "second": condition.second}
    rows = conditions({condition.label: tables}, **both)
    ours = (rows.role == condition.role) & (rows.dataset == condition.dataset)
    return rows[ours].set_index("count")


def ahead(row: pd.Series) -> str:
    """Say which pruning is ahead; where all break at the first step, none can be."""
    if pd.isna(row.ratio_low):
        return "–"
    return FIRST if row.ratio_low > 1 else SECOND if row.ratio_high < 1 else "neither, surely"


def shown(row: pd.Series) -> str:
    """Return a ratio with its interval; where all pairs break at the first step, there is none."""
    if pd.isna(row.ratio_low):
        return "all break at the first step"
    return f"{row.ratio:.2f} ({row.ratio_low:.2f} to {row.ratio_high:.2f})"


def probability(p: float) -> str:
    """Return p in three digits, or five where it is small; a dash where there is no test."""
    if pd.isna(p):
        return "–"
    return "< 0.00001" if p < 0.00001 else f"{p:.5f}" if p < 0.001 else f"{p:.3f}"
