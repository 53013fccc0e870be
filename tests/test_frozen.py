"""The page of a frozen study says what its tests say, and no more."""

import pandas as pd
import pytest

from kdprune.reporting import frozen

ROW = {
    **{"dataset": "cifar10", "role": "student", "distill": "simkd", "first": "channel"},
    **{"second": "random", "ratio": 1.06, "ratio_low": 1.01, "ratio_high": 1.11, "n": 10},
    **{"log_p": 0.028, "log_holm_p": 0.095, "log_cluster_p": 0.062, "p": 0.03, "reason": ""},
}


@pytest.mark.parametrize(("holm", "ahead"), [(0.095, False), (0.03, True), (None, True)])
def test_holms_p_decides_as_in_the_report(holm, ahead):
    said = frozen._answer(ROW | {"log_holm_p": holm}, 0.95)
    assert ("neither pruning is shown to be ahead" in said.lead) != ahead
    assert "p = 0.028, after Holm's correction" in said.text


def test_what_could_not_be_tested_is_named_where_others_could():
    row = ROW | {"log_p": None, "log_holm_p": None, "reason": "all differences are equal"}
    assert "channel pruning and random weight pruning: no test" in frozen._answer(row, 0.95).lead
    assert frozen._answer(row | {"n": 1}, 0.95).lead == (
        "CIFAR-10, students distilled by SimKD: no test is possible."
    )


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ([], False),
        ([("student", "kd", "distilled")], False),  # its row is of weight pruning after it
        ([("student", "kd", "weight")], True),
        ([("teacher", "", "magnitude")], True),
        ([("teacher", "", "lamp")], False),
    ],
)
def test_table_3_is_shown_where_another_of_its_systems_ran(more, shown):
    own = [("student", "simkd", name) for name in ("distilled", "weight", "channel")]
    scored = pd.DataFrame([*own, *more], columns=["role", "distill", "condition"])
    assert frozen._compares(scored) == shown
