"""A study of one network under many prunings: nothing can be tested, and that is said once."""

import pandas as pd
import pytest
from conftest import ROOT

from kdprune.analysis.significance import significance
from kdprune.records import IDENTITY
from kdprune.reporting import frozen, headline
from kdprune.reporting.document.formats import capital, condition
from kdprune.reporting.figures import curves, looks, style
from kdprune.reporting.sections import further

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
    said = further.further(compared.to_dict("records")[1:], scored, 0.95)
    assert said == [
        "CIFAR-10, teachers: 9 comparisons have no test. 1 pair: a paired test needs at least two. "
        "The ratios stand in the table of every comparison."
    ]
    (alone,) = further.further(compared.to_dict("records")[:1], scored, 0.95)
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


def test_nine_prunings_have_colours_of_their_own_also_on_dark_pages():
    known = looks.looks([*METHODS, "global_weight", "taylor", "random_channel", "magnitude"])
    colours = [item.colour for item in known.values()]
    assert len(set(colours)) == len(colours) == 9
    page = (ROOT / "conf/plots_page.py").read_text()
    for colour in looks.COLOURS:
        assert f'"{colour}": "{style.DARK[colour]}"' in page


def test_one_networks_curves_fill_the_picture():
    rows = [
        {**WHO, "method": method, "level": level, "seed": seed, "test_accuracy": 80 - 40 * level}
        | {"nonzero_params": 100 * (1 - level), "val_right": ""}
        for method in METHODS
        for level in (0.0, 0.5)
        for seed in (0, 1)
    ]
    ends = {"level_low": 0.5, "level_high": 0.5, "dense_params": 100, "nonzero_params": 50}
    broken = [
        {**WHO, "method": name, "level": 0.5, "test_accuracy": 60, **ends} for name in METHODS
    ]
    alone = curves.curves(pd.DataFrame(rows), pd.DataFrame(broken), looks.looks(METHODS))
    twice = [*rows, *({**row, "teacher": "two"} for row in rows)]
    several = curves.curves(pd.DataFrame(twice), pd.DataFrame(broken), looks.looks(METHODS))
    assert alone.get_figheight() > several.get_figheight()
