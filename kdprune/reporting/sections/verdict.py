"""What one paired comparison of two prunings says, in words computed from its row."""

from collections.abc import Mapping, Sequence
from typing import Any

from kdprune.reporting.document.formats import (
    capital,
    condition,
    dataset,
    distiller,
    is_missing,
    listed,
    points,
    probability,
    short,
)
from kdprune.reporting.headline import Headline, decided


def sentence(headline: Headline, *, confidence: float, where: str = "", by_bytes: str = "") -> str:
    """Return the verdict in one sentence that needs no statistics, and ends with `by_bytes`."""
    ahead, behind, n = condition(headline.ahead), condition(headline.behind), headline.n
    before = f"{where}: " if where else ""
    if n == 0:
        return f"{before}No {headline.unit} was pruned both ways, so there is no verdict."
    if n == 1:
        return (
            f"{before}Undecided: in the only {headline.unit}, {ahead} kept "
            f"{short(headline.ratio)} times the accuracy per parameter of {behind}."
        )
    told = f"{before}{capital(ahead)} kept more accuracy per parameter than {behind}"
    if 2 * headline.wins > n:
        told += f" in {headline.wins} of {n} {headline.unit}s"
    else:
        told += f" on average, yet only in {headline.wins} of {n} {headline.unit}s"
    if is_missing(headline.p):
        return f"{told}, which no test can weigh."
    told += "" if decided(headline, confidence) else ": too little to call it better"
    return f"{told}{by_bytes}."


def together(
    found: Sequence[Headline], confidence: float, by_bytes: Mapping[str, str] | None = None
) -> list[str]:
    """Return a sentence a data set, or one for all where the same pruning wins safely on each.

    `by_bytes` has, by data set, how the sentence goes on (weighed.leads).
    """
    told_of = by_bytes or {}
    alike = len({told_of.get(item.dataset, "") for item in found}) == 1
    winners = {(item.ahead, item.behind) for item in found}
    safe = all(decided(item, confidence) and 2 * item.wins > item.n for item in found)
    if len(found) > 1 and len(winners) == 1 and safe and alike:
        ahead, behind = map(condition, next(iter(winners)))
        each = [f"{item.wins} of {item.count} on {dataset(item.dataset)}" for item in found]
        told = f"{capital(ahead)} kept more accuracy per parameter than {behind}"
        return [f"{told} in {listed(each)}{told_of.get(found[0].dataset, '')}."]
    several = len(found) > 1
    return [
        sentence(
            item,
            confidence=confidence,
            where=dataset(item.dataset) if several else "",
            by_bytes=told_of.get(item.dataset, ""),
        )
        for item in found
    ]


def evidence(headline: Headline, *, confidence: float) -> str:
    """Return the statistics of the comparison in words."""
    row, alpha = headline.row, 1 - confidence
    ahead, behind = condition(headline.ahead), condition(headline.behind)
    pairs = headline.count
    if is_missing(row["p"]):
        said = f"A test is not possible: {row['reason']}."
        ratio = f"{capital(ahead)} has {short(headline.ratio)} times the accuracy per parameter of "
        known = not is_missing(headline.ratio) and headline.n
        return f"{ratio}{behind} (n = {pairs}). {said}" if known else said
    told = [_ratio(headline, confidence)]
    if not is_missing(row["log_holm_p"]):
        told.append(
            "It is tested on logarithms, since efficiencies span orders of magnitude: after Holm's "
            f"correction for all comparisons of these {headline.role}s p = "
            f"{probability(row['log_holm_p'])}, which decides."
        )
    return " ".join([*told, _certainty(headline, alpha), papers_test(headline, alpha)])


def papers_test(headline: Headline, alpha: float) -> str:
    """Return what the paper's own test says: paired, of the raw differences."""
    row = headline.row
    said = (
        f"As the paper tests it, on raw differences: paired t({int(row['df'])}) = "
        f"{short(abs(row['t']))}, p = {probability(row['p'])}, and p = "
        f"{probability(row['holm_p'])} after Holm's correction."
    )
    if not is_missing(row["shapiro_p"]) and row["shapiro_p"] <= alpha:
        said += (
            " These differences are not normally distributed (Shapiro-Wilk p = "
            f"{probability(row['shapiro_p'])}), so do not rely on that test here."
        )
    return said


def _ratio(headline: Headline, confidence: float) -> str:
    ahead, behind = condition(headline.ahead), condition(headline.behind)
    if is_missing(headline.ratio):
        return f"{capital(ahead)} is ahead of {behind} in the mean; a ratio does not exist."
    said = (
        f"Over {headline.count}, {ahead} has {short(headline.ratio)} times the "
        f"accuracy per parameter of {behind}"
    )
    if is_missing(headline.low):
        return f"{said}, the same in every pair."
    return (
        f"{said} ({100 * confidence:g} % interval {short(headline.low)} to {short(headline.high)}, "
        f"p = {probability(headline.row['log_p'])})."
    )


def _certainty(headline: Headline, alpha: float) -> str:
    row, n = headline.row, headline.n
    alone = row["p"] if is_missing(row["log_p"]) else row["log_p"]
    if headline.p <= alpha:
        said = f"The difference is significant at the {100 * alpha:.3g} % level."
    elif alone <= alpha:
        said = (
            f"Alone, the difference is significant at the {100 * alpha:.3g} % level. Among all "
            f"comparisons of these {headline.role}s it is not."
        )
    else:
        said = (
            "The difference is not significant. These data do not show that one pruning is better, "
            "and they do not show that both are equal."
        )
    if 2 / 2**n > alpha:
        said += (
            f" With {headline.count}, a test that assumes nothing about the distribution "
            f"cannot give a p below {probability(2 / 2**n)}. The t-test can, because it assumes "
            "normally distributed differences."
        )
    return said


def robust(headline: Headline, *, confidence: float) -> str:
    """Return what the same comparison says under other assumptions."""
    row, alpha = headline.row, 1 - confidence
    if is_missing(row["p"]):
        return ""
    named = {
        "sign_flip_p": "a sign-flip test gives p = {}",
        "log_cluster_p": "flipping the ratios of all pairs of a teacher together gives p = {}",
        "p_without_teacher": "leaving out any one teacher gives p = {} at most",
    }
    parts = [
        text.format(probability(row[name]))
        for name, text in named.items()
        if not is_missing(row[name]) and (headline.role == "student" or "teacher" not in text)
    ]
    said = f"Under other assumptions, {'; '.join(parts)}." if parts else ""
    if is_missing(row["log_p"]) or (row["log_p"] <= alpha) == (row["p"] <= alpha):
        return said
    raw, log = ("not ", "") if row["log_p"] <= alpha else ("", " not")
    both = f"The raw difference is {raw}significant, the ratio is{log}"
    return f"{said} {both}; treat the result as uncertain.".strip()


def brief(headline: Headline, *, confidence: float) -> str:
    """Return the same in two sentences, for a list."""
    row = headline.row
    said = sentence(headline, confidence=confidence, where=students(row))
    if is_missing(row["p"]):
        return f"{said} {capital(str(row['reason']))}."
    return (
        f"{said} Ratio {short(headline.ratio)} ({short(headline.low)} to {short(headline.high)}), "
        f"n = {headline.count}, p = {probability(headline.p)} after Holm's correction."
    )


def students(row: Any) -> str:
    """Return who is compared: "CIFAR-10, students distilled by SimKD", or its teachers."""
    if row["role"] == "teacher":
        return f"{dataset(row['dataset'])}, teachers"
    alone = row["distill"] in ("", "none")
    how = "trained without a teacher" if alone else f"distilled by {distiller(row['distill'])}"
    return f"{dataset(row['dataset'])}, students {how}"


def cost(gap: float) -> str:
    """Say what pruning does to test accuracy: "costs 0.33 points of test accuracy"."""
    text = points(gap).lstrip("+−")
    if not any(digit in text for digit in "123456789"):
        return "leaves test accuracy as it is"
    return f"{'costs' if gap < 0 else 'adds'} {text} points of test accuracy"
