"""Reads the tables of a study, held to what the answers that are read off them need."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd
from pandas.api.types import is_numeric_dtype

from kdprune.analysis import check
from kdprune.errors import KdpruneError
from kdprune.records import IDENTITY, REPLICATE, identity, require_regular

RIGHT = "val_right"  # a word, even where it looks like a number
WORDS = [*IDENTITY, RIGHT, "method", "condition", "first", "second", "reason", "layer", "kind"]
WORDS += ["coding", "note", REPLICATE]


class Kind(NamedTuple):
    """The columns of a table: `keys` say what a row is about, `numbers` are finite, and `figures`
    may be undefined; `words` are text even where they look like numbers. `newer` are numbers that
    tables lack which are older than these. Rows are of networks where `named`, and each is there
    once where `once`.
    """

    keys: str
    numbers: str
    figures: str = ""
    named: bool = True
    once: bool = True
    words: str = ""
    newer: str = ""


COUNTED = "params nonzero_params macs"
ACCURACIES = "val_accuracy test_accuracy"
PAIRED = "mean_difference ci_low ci_high t df p holm_p d_z g_z wilcoxon_p sign_flip_p cluster_p"
PAIRED += " shapiro_p log_t log_p log_holm_p ratio ratio_low ratio_high p_without_teacher"
KINDS = {
    "efficiency": Kind("condition", "accuracy n_seeds params efficiency", "accuracy_sd normalised"),
    "breakpoints": Kind(
        "method",
        f"level ratio sparsity {COUNTED} {ACCURACIES} n_seeds censored dense_params"
        " dense_val_accuracy dense_test_accuracy",
        "test_sd level_low level_high level_tolerance level_kneedle level_slope",
    ),
    "significance": Kind("dataset role distill first second", "n", PAIRED, named=False),
    "layers": Kind("method level layer", "params nonzero_params", newer="reached_params"),
    "codings": Kind("method level coding", f"{COUNTED} bytes {ACCURACIES}", "fixed_bytes"),
    "measure": Kind(
        "method", f"level batch {COUNTED} dense_bytes zstd_bytes sparse_bytes", once=False
    ),
    "attribution": Kind("method step", f"level epochs {ACCURACIES}", words="step"),
    "trajectories": Kind("method level", "", f"sparsity {COUNTED} epochs spent", words="note"),
    "learning": Kind("epoch", "step lr", "train_loss val_accuracy", named=False),
}
# Of these, there is nothing to tell in some studies
ROWLESS = {"significance", "codings", "measure", "attribution", "trajectories"}


def read(path: Path, kind: str = "", made_by: str = "") -> pd.DataFrame:
    """Read one CSV, numbers to the last bit; an empty word is the empty string, not missing.

    Raises KdpruneError, naming the stage `made_by`, where the file is missing or is no table; and,
    for a `kind` of KINDS, where a column is missing, a number is none, or a row is there twice:
    else a figure would follow that is silently of fewer networks.
    """
    remedy = f"run `dvc repro {made_by}".rstrip() + "`"
    form = KINDS.get(kind, Kind("", ""))
    words = [*WORDS, *form.words.split()]
    try:
        require_regular(path)
        frame = pd.read_csv(
            path,
            dtype=dict.fromkeys(words, str),
            keep_default_na=False,  # a network may be called nan
            na_values=[""],
            float_precision="round_trip",
        )
    except FileNotFoundError:
        raise KdpruneError(f"{path}: is not there; {remedy}") from None
    except (OSError, ValueError) as error:  # ValueError: empty, ragged, not UTF-8
        reason = " ".join(str(error).split())
        raise KdpruneError(f"{path}: is no table ({reason}); delete it and {remedy}") from None
    frame = frame.fillna({name: "" for name in words if name in frame})
    if kind and not (frame.empty and kind in ROWLESS):
        _check(frame, path, form, remedy)
    return frame


def columns(kind: str) -> list[str]:
    """Return the columns that a table of networks, of a kind of KINDS, has at least."""
    form = KINDS[kind]
    own = " ".join([form.keys, form.numbers, form.figures, form.words]).split()
    return list(dict.fromkeys([*IDENTITY, *own]))


def _check(frame: pd.DataFrame, path: Path, form: Kind, remedy: str) -> None:
    keys = [*(identity(frame) if form.named else []), *form.keys.split()]
    numbers, figures = form.numbers.split(), form.figures.split()
    numbers += [name for name in form.newer.split() if name in frame]
    held = [] if form.figures == PAIRED else figures  # the ratio of two networks is no share
    check(frame, path, keys=keys, numbers=numbers, figures=held, unique=form.once)
    for column in figures:
        if column not in frame or not is_numeric_dtype(frame[column]):
            raise KdpruneError(f"{path}: column {column} is missing or holds a word; {remedy}")
