"""What is left of the finding under the conditions that may decide it, from studies/."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from generators import tuning
from kdprune.analysis import reached
from kdprune.analysis.conditions import conditions
from kdprune.study import comparable

FIRST, SECOND = "weight", "channel"
AS_IT_IS = "as `desk` has it"
PARAMETERS, REACHED = "parameters", reached.COUNT
DATA = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}


class Condition(NamedTuple):
    """A study that differs from another in one thing, or other prunings of the same study."""

    study: str
    against: str  # what it differs from, in one thing
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
    "trained anew with a stem for small images: at most {dead:.0f} % of the weights dead",
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
        folder = studies / counting_all.study
        bound = endless(counting_all, alike(folder)[folder], counting_all.first)
        least = "at least " * bool(bound)
        whole.append(f"{least}{shown(within)} and {shown(channels)} times on {data}")
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
    head, whole = (tuning.gap(studies, name, 0.2) for name in (tuning.HEAD, tuning.ALL))
    strict, lost = tuning.from_the_head(studies), tuning.lost(studies)
    return [
        "Dead weights are a small part of the lead. Where they are not counted, it is "
        f"{without_dead} times on CIFAR-10, and {hundred} times on CIFAR-100 (ten students each). "
        f"With a stem that leaves hardly any, it is at least {stem} times (six teachers, trained "
        "anew; CIFAR-10, levels to 40 %).",
        f"With all layers tuned, the ratio at the breakpoints is {tuned} times (ten students, "
        "CIFAR-10). But at equal levels the gap in accuracy narrows: where 20 % of the weights are "
        f"gone, from {head:.1f} to {whole:.1f} points. The tuning costs unpruned students "
        f"up to {lost.max():.1f} points, and breakpoints are counted from there. "
        f"Counted from what they had before it, the ratio is {strict.ratio:.2f} ({strict.low:.2f} "
        f"to {strict.high:.2f}): no lead that is sure.",
    ]


def again(studies: Path) -> str:
    """Say why the conditions have another ratio for the ten students than the answer."""
    first, second = found(studies, ANSWER), found(studies, WITHOUT_DEAD, before=True)
    return (
        "On CIFAR-10 these ten students were trained a second time. Their ratio is "
        f"{second.ratio:.2f}, and that of the first training, above, {first.ratio:.2f}. "
        "[A table](studies/conditions.md#what-has-been-found) sets all conditions side by side, "
        "with other rules that choose which weights and channels go. Both conditions at once were "
        "not tried."
    )


def found(studies: Path, condition: Condition, *, before: bool = False) -> pd.Series:
    """Return the comparison of a condition's two prunings by what it counts.

    Or, with `before`, that of what it is held against, at the same levels.
    """
    folders = [studies / condition.against, studies / condition.study]
    held = alike(*dict.fromkeys(folders))
    if before:
        condition = as_it_is(condition)
    return tested(condition, held[folders[0 if before else 1]]).loc[condition.count]


def as_it_is(condition: Condition) -> Condition:
    """Return what a condition is held against."""
    return condition._replace(label=AS_IT_IS, first=FIRST, second=SECOND, count=PARAMETERS)


def compared(studies: Path, condition: Condition) -> list[str]:
    """Return two rows: the networks that a condition was tried on, as `desk` has it and so."""
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
    ends = [endless(condition, tables, method) for method in (condition.first, condition.second)]
    never = f"{FIRST} {ends[0]}, {SECOND} {ends[1]}"
    networks = f"{by_parameters.n} {condition.role}s, {DATA[condition.dataset]}"
    cells = [condition.label, networks, f"{levels[0]:g} to {levels[-1]:g}, {len(levels)}", never]
    cells.append(bounded(by_parameters, ends[0]))
    cells.append(bounded(by_bytes, ends[0]) if condition.count == PARAMETERS else "–")
    many = 2 * ends[0] >= by_parameters.n
    cells += ["–" if many else probability(by_parameters.log_p), ahead(by_parameters)]
    return f"| {' | '.join(cells)} |"


def endless(condition: Condition, tables: dict[str, pd.DataFrame], method: str) -> int:
    """Return how many curves of a pruning never broke on the levels that were swept."""
    broken = tables["breakpoints"]
    ours = (broken.dataset == condition.dataset) & (broken.role == condition.role)
    return int(broken[ours & (broken.method == method)].censored.astype(bool).sum())


def bounded(row: pd.Series, censored: int) -> str:
    """Return a ratio with its interval; with curves of the first that never broke, a bound.

    Where half of them or more did not, the grid's end makes the spread: there is no interval.
    """
    if 2 * censored >= row.n:
        return f"≥ {row.ratio:.2f}"
    return f"≥ {shown(row)}" if censored else shown(row)


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
