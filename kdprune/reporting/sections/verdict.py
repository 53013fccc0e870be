"""What one paired comparison of two prunings says, in words computed from its row."""

from typing import Any

from kdprune.reporting.document.formats import (
    condition,
    counted,
    dataset,
    distiller,
    fixed,
    is_missing,
    probability,
)

figure = fixed(2)


def verdict(row: dict[str, Any], *, confidence: float) -> tuple[str, str]:
    """Return what one row of kdprune.analysis.significance says: in short, and with figures."""
    alpha = 1 - confidence
    ahead, behind = _order(row)
    n = int(row["n"])
    if is_missing(row["p"]):
        text = f"A test is not possible: {row['reason']}."
        if is_missing(row["mean_difference"]):
            return "undecided.", text
        gap = figure(abs(row["mean_difference"]))
        return "undecided.", (
            f"{_capital(ahead)} is {gap} % per 1e7 parameters ahead of {behind} (n = "
            f"{counted(n, 'pair')}), which shows nothing. {text}"
            if row["mean_difference"]
            else text
        )
    holm = row["p"] if is_missing(row["holm_p"]) else row["holm_p"]
    if holm <= alpha:
        lead = f"{ahead} matches them best"
    elif row["p"] <= alpha:
        lead = f"{ahead} leads, but not safely"
    else:
        lead = f"neither pruning is shown to match them better; {ahead} is ahead in the mean"
    lead += f" (n = {counted(n, 'pair')}, Holm's p = {probability(holm)})."
    return lead, f"{_difference(row, confidence)} {_certainty(row, alpha, holm)}"


def _difference(row: dict[str, Any], confidence: float) -> str:
    ahead, behind = _order(row)
    sign = 1 if row["mean_difference"] > 0 else -1
    ends = sorted(sign * row[name] for name in ("ci_low", "ci_high"))
    return (
        f"At their breakpoints, {ahead} scores {figure(abs(row['mean_difference']))} % per 1e7 "
        f"parameters more than {behind} (mean of n = {counted(int(row['n']), 'pair')}; "
        f"{100 * confidence:g} % CI {figure(ends[0])} to {figure(ends[1])}; paired "
        f"t({int(row['df'])}) = {figure(sign * row['t'])}, p = {probability(row['p'])}, after "
        f"Holm's correction p = {probability(row['holm_p'])})."
    )


def _ratio(row: dict[str, Any]) -> str:
    ahead, behind = _order(row)
    sign = 1 if row["mean_difference"] > 0 else -1
    said = (
        f"as a ratio, {ahead} has {figure(row['ratio'] ** sign)} times the efficiency of {behind}"
    )
    if is_missing(row["log_p"]):  # all ratios are equal: no interval, no test
        return f"{said} in every pair"
    ends = sorted(row[name] ** sign for name in ("ratio_low", "ratio_high"))
    return f"{said} ({figure(ends[0])} to {figure(ends[1])}; p = {probability(row['log_p'])})"


def _certainty(row: dict[str, Any], alpha: float, holm: float) -> str:
    n, level = int(row["n"]), f"{100 * alpha:.3g} %"
    if holm <= alpha:
        said = f"This is significant at the {level} level."
    elif row["p"] <= alpha:
        said = (
            f"Alone this is significant at the {level} level; among all comparisons of these "
            "students it is not."
        )
    else:
        said = (
            "The difference is not significant: these data do not show that one pruning is better, "
            "nor that both are equal."
        )
    floor = 2 / 2**n
    if floor > alpha:
        said += (
            f" Be careful: with {counted(n, 'pair')} an exact test cannot give a p below "
            f"{probability(floor)}, whatever the networks do, and the t-test rests wholly on "
            "normally distributed differences."
        )
    if not is_missing(row["shapiro_p"]) and row["shapiro_p"] <= alpha:
        said += (
            " The differences are not normally distributed (Shapiro-Wilk p = "
            f"{probability(row['shapiro_p'])}): do not lean on the t-test."
        )
    return said


def robust(row: dict[str, Any], *, confidence: float) -> str:
    """Return what the same comparison says under other assumptions."""
    alpha = 1 - confidence
    if is_missing(row["p"]):
        return ""
    parts = [] if is_missing(row["ratio"]) else [_ratio(row)]
    named = {
        "sign_flip_p": "sign-flip test p = {}",
        "cluster_p": "flipping all pairs of a teacher together p = {}",
        "p_without_teacher": "leaving out any one teacher's pairs p ≤ {}",
    }
    parts += [
        text.format(probability(row[name]))
        for name, text in named.items()
        if not is_missing(row[name])
    ]
    if not parts:
        return ""
    said = f"Other views: {'; '.join(parts)}."
    if not is_missing(row["log_p"]) and (row["log_p"] <= alpha) != (row["p"] <= alpha):
        said += " Raw differences and ratios disagree about significance: weigh the verdict so."
    return said


def brief(row: dict[str, Any], *, confidence: float) -> str:
    """Return the same in one sentence or two, for a list."""
    lead, _ = verdict(row, confidence=confidence)
    text = f"{students(row)}, {condition(row['first'])} − {condition(row['second'])}: {lead}"
    if is_missing(row["p"]):
        return f"{text} {_capital(str(row['reason']))}."
    return (
        f"{text} Mean difference {figure(row['mean_difference'])} % per 1e7 parameters "
        f"({100 * confidence:g} % CI {figure(row['ci_low'])} to {figure(row['ci_high'])}), "
        f"n = {counted(int(row['n']), 'pair')}, p = {probability(row['p'])}, after Holm's "
        f"correction p = {probability(row['holm_p'])}."
    )


def students(row: dict[str, Any]) -> str:
    """Return who is compared: "CIFAR-10, students distilled by SimKD"."""
    alone = row["distill"] in ("", "none")
    how = "trained without a teacher" if alone else f"distilled by {distiller(row['distill'])}"
    return f"{dataset(row['dataset'])}, students {how}"


def _order(row: dict[str, Any]) -> tuple[str, str]:
    """Return the condition with the higher mean first."""
    first, second = condition(row["first"]), condition(row["second"])
    gap = row["mean_difference"]
    return (first, second) if not is_missing(gap) and gap > 0 else (second, first)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
