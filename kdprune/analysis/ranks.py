"""Do several methods differ over the same cases? Ranks, Friedman's test, Nemenyi's comparisons."""

import numpy as np
import pandas as pd
from scipy import stats


def mean_ranks(table: pd.DataFrame) -> pd.Series:
    """Return each column's mean rank over the complete rows of `table`; the highest value ranks 1.

    Equal values share their mean rank.
    """
    return table.dropna().rank(axis=1, ascending=False).mean()


def friedman(table: pd.DataFrame) -> tuple[float, float] | str:
    """Return Friedman's statistic and p over complete rows (cases) and columns (methods).

    M. Friedman, JASA 32(200), 1937. Where it is not defined, a reason is returned instead.
    """
    complete = table.dropna()
    n, k = complete.shape
    if k < 3:
        return f"it needs three methods, here are {k}"
    if n < 2:
        return f"it needs two pairs with all methods, here {'is' if n == 1 else 'are'} {n}"
    if complete.eq(complete.iloc[:, 0], axis=0).all(axis=None):
        return "all methods are equal in every pair"
    result = stats.friedmanchisquare(*complete.to_numpy().T)
    return float(result.statistic), float(result.pvalue)


def nemenyi(table: pd.DataFrame) -> pd.DataFrame:
    """Return Nemenyi's p for every two columns of `table`, over its complete rows.

    The difference of mean ranks over sqrt(k (k + 1) / (6 n)), times sqrt(2), against the
    studentized range with infinite degrees of freedom (J. Demsar, JMLR 7, 2006).
    """
    ranks = mean_ranks(table)
    n, k = len(table.dropna()), len(ranks)
    gaps = np.abs(ranks.to_numpy()[:, None] - ranks.to_numpy()[None])
    scaled = gaps / np.sqrt(k * (k + 1) / (6 * n)) * np.sqrt(2)
    p = stats.studentized_range.sf(scaled, k, np.inf)
    return pd.DataFrame(np.clip(p, 0, 1), index=ranks.index, columns=ranks.index)


def critical_difference(n: int, k: int, alpha: float) -> float:
    """Return the difference of mean ranks of k methods over n cases that Nemenyi calls real."""
    critical = stats.studentized_range.ppf(1 - alpha, k, np.inf) / np.sqrt(2)
    return float(critical * np.sqrt(k * (k + 1) / (6 * n)))
