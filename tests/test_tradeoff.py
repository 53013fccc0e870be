"""The chart of accuracy against cost, of networks that were trained from several seeds."""

import pandas as pd

from kdprune.reporting.sections import tradeoff

WHO = {"dataset": "cifar10", "role": "teacher", "teacher": "a", "student": "", "distill": ""}


def test_each_replicate_is_a_network_of_its_own():
    cost = {"runtime": "torch", "batch": 1, "steady": True, "latency_ms_p25": 1.0}
    cost |= dict.fromkeys([*tradeoff.FILES, "nonzero_params"], 1000000.0)
    found = {"level": 0.5, "dense_test_accuracy": 60.0, "test_accuracy": 59.0}
    measured = pd.DataFrame(
        {**WHO, "training_seed": seed, "method": method, **cost}
        for seed in ("1", "2")
        for method in (tradeoff.UNPRUNED, "weight")
    )
    broken = pd.DataFrame(
        {**WHO, "training_seed": seed, "method": "weight", **found} for seed in ("1", "2")
    )
    section = tradeoff.section(measured, broken)
    assert section.blocks[0].alt == "2 pruned networks beside themselves unpruned."
