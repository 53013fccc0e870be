"""Replicates of a pair, trained by several seeds: averaged before any test, or told apart.

A table of several has the column training_seed (kdprune.records.REPLICATE); one without it is
returned as it is. n stays the number of pairs.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from kdprune.records import IDENTITY, REPLICATE

LOGARITHMIC = ("efficiency",)  # averaged by their logarithm: the mean is geometric
COUNTED = ("n_seeds",)  # how many networks a mean is over
ANY = ("censored",)  # an averaged breakpoint is one where any of them is: it may lie higher
KEYS = ("method", "condition", "coding", "count")  # of a row, beside those of its network


def averaged(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table's replicates averaged: a row per pair where there was one per replicate.

    Numbers are arithmetic means; efficiencies geometric ones, which are means of logarithms;
    n_seeds is the sum, and `censored` says whether any is. Of words, the first is kept.
    `normalised` is the share of the data set's highest efficiency, anew.
    """
    if REPLICATE not in table:
        return table
    keys = [*IDENTITY, *(name for name in KEYS if name in table)]
    groups = table.drop(columns=REPLICATE).groupby(keys, sort=False, dropna=False)
    rest = [name for name in table if name not in (*keys, REPLICATE)]
    made = groups.agg({name: _mean(name, table[name]) for name in rest})
    made = made.reset_index()[[name for name in table if name != REPLICATE]]
    if "normalised" in made:
        best = made.groupby("dataset").efficiency.transform("max")
        made["normalised"] = np.where(best > 0, made.efficiency / best.where(best > 0, 1.0), 0.0)
    return made


def apart(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which each replicate is a network of its own, by name.

    For lists and pictures of networks, never for a test: "resnet34 (s2)" is the teacher of seed 2,
    and its student is "resnet18 (s2)".
    """
    if REPLICATE not in table:
        return table
    mark = " (s" + table[REPLICATE].astype(str) + ")"
    student = table.student.where(table.student == "", table.student + mark)
    return table.assign(teacher=table.teacher + mark, student=student).drop(columns=REPLICATE)


def each(*tables: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, ...]]:
    """Yield the rows of each replicate of several tables, together; without any, the tables."""
    if REPLICATE not in tables[0]:
        yield tables
        return
    for name in dict.fromkeys(tables[0][REPLICATE]):
        parts = (table[table[REPLICATE] == name] for table in tables)
        yield tuple(part.drop(columns=REPLICATE) for part in parts)


def count(table: pd.DataFrame) -> int:
    """Return how many trainings a pair has in a table."""
    return int(table[REPLICATE].nunique()) if REPLICATE in table else 1


def _mean(name: str, values: pd.Series) -> object:
    if name in LOGARITHMIC:
        return geometric
    if name in COUNTED:
        return "sum"
    if name in ANY:
        return lambda part: bool(part.astype(bool).any())
    return "mean" if pd.api.types.is_numeric_dtype(values) else "first"


def geometric(values: pd.Series) -> float:
    """Return the geometric mean of efficiencies, 0 where one is 0."""
    with np.errstate(divide="ignore"):
        return float(np.exp(np.log(values.to_numpy(float)).mean()))
