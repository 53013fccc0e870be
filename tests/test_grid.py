"""The grid holds one instance per training and sweep, named readably, and nothing twice."""

import pytest

from kdprune.config.grid import expand, names
from kdprune.errors import KdpruneError, nearest

PAIRS = ["resnet101/resnet50", "resnet101/resnet18", "densenet161/densenet169"]


def grid(**changes):
    study = {
        "datasets": ["cifar10", "cifar100"],
        "pairs": PAIRS,
        "distill": "simkd",
        "prune": "both",
        "roles": ["teacher", "student"],
    }
    return expand(**(study | changes))


def test_counts_follow_from_the_study():
    instances = grid()
    assert len(instances["teachers"]) == 2 * 2  # resnet101 teaches twice, and is trained once
    assert len(instances["students"]) == 2 * 3
    assert len(instances["sweeps"]) == 2 * (4 + 6)


def test_names_are_readable_and_lead_to_the_checkpoint():
    sweep = grid()["sweeps"]["cifar10-resnet101-resnet50-simkd-weight"]
    assert sweep == {
        "dataset": "cifar10",
        "role": "student",
        "teacher": "resnet101",
        "student": "resnet50",
        "distill": "simkd",
        "method": "weight",
        "checkpoint": "models/students/cifar10-resnet101-resnet50-simkd.safetensors",
        "pruning": "weight",
        "tuning": "none",
        "tutor": "models/students/cifar10-resnet101-resnet50-simkd.safetensors",
        "recipe": "distill.training",
    }


def test_a_narrower_study_is_a_subset():
    every = grid()
    narrow = grid(prune="weight", datasets=["cifar10"], roles=["student"])
    assert narrow["sweeps"].items() < every["sweeps"].items()
    assert {item["role"] for item in narrow["sweeps"].values()} == {"student"}


def test_several_distillers_share_the_teachers():
    one, two = grid(), grid(distill=["simkd", "none"])
    assert one["teachers"] == two["teachers"]
    assert len(two["students"]) == 2 * len(one["students"])


def test_both_is_weight_and_channel():
    assert names("both") == names(["weight", "both"]) == ["weight", "channel"]


@pytest.mark.parametrize("pair", ["resnet18", "a/b/c", "/b", "a/", "", None, 3])
def test_what_is_no_pair_is_refused(pair):
    with pytest.raises(KdpruneError, match="teacher/student"):
        grid(pairs=[pair])


def test_nearest_prefers_what_was_probably_meant():
    assert "resnet18" in nearest("resnt18", ["resnet18", "densenet161"])
    assert "allowed: a, b" in nearest("zzz", ["a", "b"])
