"""The paper's paired test beside ours: channel minus weight pruning of distilled students."""

import pandas as pd

from kdprune.analysis.significance import significance
from kdprune.reporting.paper import published
from kdprune.reporting.paper.beside import PAIR, PAPERS, difference, distilled_by

FIGURES = ["n", "mean_difference", "t", "df", "p"]
COMPARED = ["mean_difference", "t"]  # a difference of p-values or of counts of pairs says nothing


def channel_minus_weight(tested: pd.DataFrame, distill: str) -> pd.DataFrame:
    """Return the rows of kdprune.analysis.significance that answer the paper's question."""
    if tested.empty:
        return pd.DataFrame(columns=["dataset", *FIGURES])
    return tested[
        (tested.role == "student")
        & (tested.distill == distill)
        & (tested["first"] == "channel")
        & (tested["second"] == "weight")
    ]


def recomputed(efficiency: pd.DataFrame) -> pd.DataFrame:
    """Return the test on efficiencies in the form of paper.efficiencies(), per data set."""
    if efficiency.empty:
        return pd.DataFrame(columns=["dataset", *FIGURES])
    return channel_minus_weight(significance(efficiency), PAPERS)


def tests(tested: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """Return the paired test, channel minus weight, per data set: ours and the paper's.

    Rows (`source`): "ours"; "paper, printed"; "paper, recomputed" from its Tables 1 and 2; "paper,
    our pairs", recomputed over the pairs that we have too, where these are some of the paper's;
    and, where two pairs at least are the paper's, the differences "ours − printed" and "ours −
    recomputed", of mean_difference and t.
    """
    distill = distilled_by(scored)
    efficiency = published.efficiencies()
    pairs = scored.loc[(scored.role == "student") & (scored.distill == distill), PAIR]
    sources = {
        "ours": channel_minus_weight(tested, distill),
        "paper, printed": published.ttests().assign(n=lambda table: table.df + 1),
        "paper, recomputed": recomputed(efficiency),
        "paper, our pairs": recomputed(efficiency.merge(pairs.drop_duplicates(), on=PAIR)),
    }
    parts = []
    for dataset in dict.fromkeys(scored.dataset):
        rows = {name: _figures(table, dataset) for name, table in sources.items()}
        rows = {name: row for name, row in rows.items() if row}
        same = rows.get("paper, our pairs", {}).get("n") or 0
        if same < 2 or same == rows["paper, recomputed"]["n"]:
            rows.pop("paper, our pairs", None)
        for other in ("printed", "recomputed") if "ours" in rows and same > 1 else ():
            theirs = rows.get(f"paper, {other}")
            if theirs:
                mine = rows["ours"]
                gaps = {name: difference(mine[name], theirs[name]) for name in COMPARED}
                rows[f"ours − {other}"] = gaps
        parts += [{"dataset": dataset, "source": name, **row} for name, row in rows.items()]
    return pd.DataFrame(parts, columns=["dataset", "source", *FIGURES])


def _figures(table: pd.DataFrame, dataset: str) -> dict[str, float | None]:
    rows = table[table.dataset == dataset].to_dict("records")
    return {name: rows[0].get(name) for name in FIGURES} if rows else {}
