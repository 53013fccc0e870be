"""What a reader would stumble over in the figures: cut names, a panel too many, no finding."""

import pandas as pd
import pytest

from kdprune.reporting.figures import canvas, dots, training
from kdprune.reporting.figures.looks import looks
from kdprune.reporting.sections import explore

LONG = "efficientnet_slim_b5"


@pytest.mark.parametrize("width", [380, 700, 1060])
def test_no_name_is_cut_at_the_edge(width):
    who = {
        "dataset": "cifar10",
        "role": "student",
        "teacher": LONG,
        "student": LONG.replace("5", "4"),
    }
    rows = [{**who, "distill": "simkd", "condition": name} for name in ("distilled", "weight")]
    scored = pd.DataFrame(rows).assign(efficiency=[1000.0, 2000.0])
    (page,) = dots.dots(scored, looks(scored.condition), width).axes
    names = [text for text in page.texts if "→" in text.get_text()]
    assert len(names) == 1
    for text in names:
        long = canvas.length(text.get_text(), 8.5)
        left = text.get_position()[0] - (long if text.get_horizontalalignment() == "right" else 0)
        assert 0 <= left <= left + long <= width


def test_many_trainings_of_a_kind_share_a_panel():
    curve = pd.DataFrame({"epoch": [1, 2], "val_accuracy": [10.0, 20.0]})
    names = [f"cifar10-t{at}" for at in range(3)]
    names += [f"cifar10-t{at}-s-simkd-s{at}" for at in range(training.MANY)]
    many = training._panels(dict.fromkeys(names, curve))
    assert {title: len(own) for title, own in many.items()} == {
        ("CIFAR-10", "teachers, n = 3"): 3,
        ("CIFAR-10", f"students by SimKD, n = {training.MANY}"): training.MANY,
    }
    few = training._panels(dict.fromkeys(names[2:4], curve))
    assert list(few) == [("t2", "teacher"), ("t0 (s0)", "→ s, by SimKD")]


def test_the_chart_of_all_networks_states_who_is_unbeaten():
    rows = pd.DataFrame(
        [
            ("CIFAR-10", "weight pruning", 0.0, 4.0, 60.0),
            ("CIFAR-10", "channel pruning", 0.0, 4.0, 60.0),  # the same network: counted once
            ("CIFAR-10", "weight pruning", 50.0, 1.0, 50.0),
            ("CIFAR-10", "channel pruning", 50.0, 2.0, 40.0),  # larger, and worse
        ],
        columns=["set", "pruning", "level", "params", "accuracy"],
    )
    assert explore.unbeaten(rows) == (
        "No other network is both smaller and more accurate than these 2 networks: "
        "1 by weight pruning and 1 unpruned."
    )
