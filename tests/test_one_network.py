"""A study of one network under many prunings: nothing can be tested, and that is said once."""

import pandas as pd
import pytest

from kdprune.analysis.significance import significance
from kdprune.records import IDENTITY
from kdprune.reporting import frozen, headline
from kdprune.reporting.document.formats import capital, condition
from kdprune.reporting.sections import answer

METHODS = ("weight", "lamp", "ssl", "channel", "random")
WHO = dict.fromkeys(IDENTITY, "") | {"dataset": "cifar10", "role": "teacher", "teacher": "one"}


@pytest.fixture
def scored() -> pd.DataFrame:
    rows = [
        {**WHO, "condition": name, "params": 100, "accuracy": 50.0, "efficiency": 10.0 + at}
        for at, name in enumerate(("teacher", *METHODS))
    ]
    return pd.DataFrame(rows)


def test_the_reason_is_said_once(scored):
    compared = headline.contrasts(significance(scored))
    assert len(compared) == 10  # of five prunings, two by two
    assert compared.log_p.isna().all()
    said = answer._further(compared.to_dict("records")[1:], scored, 0.95)
    assert said == [
        "CIFAR-10, teachers: 9 comparisons have no test. 1 pair: a paired test needs at least two. "
        "The ratios stand in the table of every comparison."
    ]
    (alone,) = answer._further(compared.to_dict("records")[:1], scored, 0.95)
    assert "in the only teacher" in alone


def test_accuracy_by_level_stands_in_place_of_a_test():
    rows = [
        {**WHO, "method": method, "level": level, "seed": seed, "test_accuracy": 80 - level - seed}
        for method in METHODS
        for level in (0.0, 0.5)
        for seed in (0, 1)
    ]
    table = frozen._levels(pd.DataFrame(rows))
    assert "n = 2 seeds of the tuning" in table.caption
    assert [[cell.text for cell in row[2:]] for row in table.rows] == [
        [condition(method), "79.50", "79.00"] for method in METHODS
    ]


def test_names_keep_their_capitals():
    assert capital(condition("lamp")) == "LAMP pruning"
    assert capital(condition("ssl")) == "SSL"
    assert capital(condition("weight")) == "Weight pruning"
