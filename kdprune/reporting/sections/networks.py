"""Sections of all trained networks and of all breakpoints."""

from collections.abc import Sequence

import pandas as pd

from kdprune.reporting.document.blocks import Block, Bullets, Fold, Link, Section, Text, table
from kdprune.reporting.document.formats import (
    condition,
    counted,
    dataset,
    distiller,
    fixed,
    share,
    size,
    whole,
)

accuracy = fixed(2)
level = fixed(2, least=1)
NETWORK = [
    ("dataset", "Data set", None),
    ("role", "Role", None),
    ("teacher", "Teacher", None),
    ("student", "Student", None),
    ("distill", "Distilled by", None),
]
TRAINED = [
    ("test_accuracy", "Test acc. %", accuracy),
    ("val_accuracy", "Val. acc. %", accuracy),
    ("params", "Parameters deployed", size),
    ("encoder_params", "Without projector", size),
    ("paper_params", "With 1000 classes", size),
    ("dead_share", "Dead weights %", share),
    ("macs", "MACs", size),
]
BREAKPOINT = [
    ("method", "Pruning", None),
    ("level", "Level", level),
    ("level_low", "Level low", level),
    ("level_high", "Level high", level),
    ("level_tolerance", "by tolerance", level),
    ("level_kneedle", "by Kneedle", level),
    ("level_slope", "by slope", level),
    ("nonzero_params", "Parameters left", size),
    ("left", "left %", share),
    ("macs", "MACs", size),
    ("val_accuracy", "Val. acc. %", accuracy),
    ("test_accuracy", "Test acc. %", accuracy),
    ("test_sd", "± over seeds", accuracy),
    ("dense_test_accuracy", "Test acc. level 0 %", accuracy),
    ("n_seeds", "n seeds", whole),
    ("ends", "Curve", None),
]


ONCE = "They do not include variation between training runs."
SEVERAL = (
    "Each is of one training, so they do not include variation between training runs. The {} "
    "trainings of each pair, which are listed apart, show that variation. So do the components of "
    "variance under “How sure is that?”."
)
MEANS = "What the columns mean"
COUNTED = [
    "Deployed parameters are all that a prediction needs. With SimKD these are the student's "
    "encoder, the projector and the teacher's classifier.",
    "The paper counts networks with 1000 classes.",
    "Dead weights are convolution weights that only ever meet zero padding. Pruning them costs "
    "nothing.",
    "MACs are multiply-adds for one image. M is a million, k a thousand.",
]


def trained(networks: pd.DataFrame, figure: Sequence[Block]) -> Section:
    """List all trained networks, before any pruning."""
    frame = _named(networks)
    caption = f"All trained networks (n = {len(frame)}, each trained once)"
    listed = table(frame, [*NETWORK, *TRAINED], caption)
    return Section("Trained networks", [*figure, listed, Fold(MEANS, [Bullets(COUNTED)])])


def breakpoints(curves: pd.DataFrame, *, confidence: float, trainings: int = 1) -> Section:
    """List all breakpoints with their intervals; `trainings` says how often a pair was trained."""
    frame = _named(curves).assign(method=curves.method.map(_pruning))
    frame["left"] = curves.nonzero_params / curves.dense_params
    broken = curves.level.map(lambda value: "broke at once" if value == 0 else "broke")
    frame["ends"] = broken.where(~curves.censored.astype(bool), "censored")
    note = Text(
        "The breakpoint is the last level before the accuracy falls. It is found on validation "
        "images, by the mean over fine-tuning seeds."
    )
    columns = [
        "A level is the sparsity (or pruning ratio): the share of convolution and linear weights "
        "that is pruned. Where channels are masked, it is the share of the weights that can be.",
        f"Low and high are the ends of the {100 * confidence:g} % interval, bootstrapped over "
        f"validation images and seeds. {ONCE if trainings == 1 else SEVERAL.format(trainings)}",
        "The bootstrap draws ten times as many resamples where an end lies within two Monte-Carlo "
        "standard errors of the next level. An end that is still open then may be a level off.",
        "The next three columns show where each rule puts the breakpoint.",
        "A censored curve never broke on the levels that were run.",
        "A curve that broke at once lost too much at the first step. At its breakpoint nothing is "
        "pruned.",
    ]
    caption = f"All breakpoints (n = {counted(len(frame), 'curve')})"
    cost = Link(
        "Bytes and milliseconds of these networks, measured on one machine, are in the",
        "deployment numbers",
        "deployment",  # by stage measure: timings vary, so nothing of them stands here
    )
    listed = table(frame, [*NETWORK, *BREAKPOINT], caption)
    return Section("Breakpoints", [note, listed, Fold(MEANS, [Bullets(columns)]), cost])


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(dataset=frame.dataset.map(dataset), distill=frame.distill.map(distiller))


def _pruning(name: str) -> str:
    return condition(name).replace(" pruning", "")
