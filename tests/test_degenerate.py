"""Science at its edges: a defined, explained figure or a one-line refusal, never a silent NaN."""

import copy
import json
import math
import re

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import dataset, images, pruned_by, tiny
from torch import nn

from kdprune import models
from kdprune.analysis.breakpoints import RULES, breakpoints
from kdprune.analysis.efficiency import efficiency
from kdprune.analysis.significance import compare, significance
from kdprune.config.grid import expand
from kdprune.data.canonical import stratified_split
from kdprune.distillation.none import Supervised
from kdprune.errors import KdpruneError
from kdprune.models import counts
from kdprune.outcomes import packed
from kdprune.pruning import METHODS, criteria, groups, surgery
from kdprune.records import write_json
from kdprune.sweeps.finetune import FineTune
from kdprune.sweeps.sweep import sweep
from kdprune.training.loop import evaluate, fit
from kdprune.training.recipe import Recipe

NAMED = {"dataset": "cifar10", "role": "student", "teacher": "t", "student": "s", "distill": "kd"}
FINETUNE = {
    "scope": "head", "views": 1, "epochs": 1, "batch_size": 16, "lr": 0.01, "momentum": 0.9,
    "nesterov": True, "weight_decay": 5e-4,
}  # fmt: skip


def curve(means, *, seeds: int = 3, levels=None, method: str = "weight", **named) -> pd.DataFrame:
    """A sweep whose seeds all have the accuracies `means`, rising levels, a million parameters."""
    levels = np.linspace(0, 0.9, len(means)) if levels is None else levels
    rows = [
        NAMED
        | named
        | {"method": method, "seed": seed, "level": level, "ratio": level, "sparsity": level}
        | {"params": 10**6, "nonzero_params": round(10**6 * (1 - level)), "macs": 10**6}
        | {"val_accuracy": accuracy, "test_accuracy": accuracy}
        for seed in range(seeds)
        for level, accuracy in zip(levels, means, strict=True)
    ]
    return pd.DataFrame(rows)


def trained(accuracy: float = 60.0, *, size: int = 10**6, **named) -> dict:
    sizes = {"params": size, "encoder_params": size, "paper_params": size}
    return (
        NAMED | named | sizes | {"macs": 10**6, "val_accuracy": accuracy, "test_accuracy": accuracy}
    )


# Curves

EDGES = {  # accuracies over rising levels -> the index at which each rule finds the breakpoint
    "constant": ([60] * 5, {"tolerance": 4, "kneedle": 4, "slope": 4}),
    "constant but for rounding": ([60, 60 + 1e-13, 60 - 1e-13], dict.fromkeys(RULES, 2)),
    "perfect": ([100] * 5, dict.fromkeys(RULES, 4)),
    "zero": ([0] * 5, dict.fromkeys(RULES, 4)),
    "rising": ([50, 51, 55, 60], dict.fromkeys(RULES, 3)),
    "from nothing": ([0, 10, 20], dict.fromkeys(RULES, 2)),
    "perfect, then nothing": ([100, 100, 100, 0], dict.fromkeys(RULES, 2)),
    "lost at once": ([100, 0, 0, 0], dict.fromkeys(RULES, 0)),
    "straight down": ([90, 60, 30, 0], {"tolerance": 0, "kneedle": 0, "slope": 0}),
    "one level": ([60], dict.fromkeys(RULES, 0)),
    "two levels, flat": ([60, 60], dict.fromkeys(RULES, 1)),
    "two levels, a fall": ([60, 0], dict.fromkeys(RULES, 0)),
}


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("seeds", [1, 2])
def test_breakpoints_of_curves_at_the_edge(name, seeds):
    means, expected = EDGES[name]
    row = breakpoints(curve(means, seeds=seeds)).iloc[0]
    levels = np.linspace(0, 0.9, len(means))
    assert {rule: row[f"level_{rule}"] for rule in RULES} == {
        rule: levels[index] for rule, index in expected.items()
    }
    assert row.censored == (expected["tolerance"] == len(means) - 1)
    assert row.dense_test_accuracy == pytest.approx(means[0])
    assert pd.isna(row.level_low) == pd.isna(row.level_high) == pd.isna(row.test_sd) == (seeds == 1)
    if seeds > 1:  # seeds that agree leave no doubt
        assert row.level_low == row.level == row.level_high
        assert row.test_sd == 0
    missing = row.index[row.isna()]
    assert set(missing) <= {"level_low", "level_high", "test_sd"}


@settings(max_examples=40, deadline=None)
@given(
    means=st.lists(st.floats(0, 100), min_size=1, max_size=12),
    rule=st.sampled_from(list(RULES)),
    seeds=st.sampled_from([1, 2, 5]),
)
def test_every_curve_has_a_breakpoint(means, rule, seeds):
    table = curve(means, seeds=seeds)
    row = breakpoints(table, rule=rule, resamples=100).iloc[0]
    assert row.level in set(table.level)
    if min(means) >= means[0] and rule != "slope":  # nothing lost; slope looks at single steps
        assert row.level == table.level.max()
    if seeds > 1:
        assert row.level_low <= row.level <= row.level_high


def spoilt(change) -> pd.DataFrame:
    table = pd.concat([curve([60, 50, 40]), curve([60, 50, 40], method="channel")])
    return change(table.reset_index(drop=True))


TABLES = {
    "no rows": (lambda t: t.head(0), "sweeps: has no rows"),
    "no column": (lambda t: t.drop(columns="macs"), "sweeps: has no column macs"),
    "a seed lacks a level": (lambda t: t.drop(index=4), "sweeps: .*-weight: not every seed"),
    "a NaN": (
        lambda t: t.assign(val_accuracy=t.val_accuracy.where(t.index != 4)),
        r"sweeps: val_accuracy holds no number \(.*method weight, seed 1, level 0\.45\)",
    ),
    "a NaN in the test": (
        lambda t: t.assign(test_accuracy=t.test_accuracy.where(t.index != 0)),
        "sweeps: test_accuracy holds no number",
    ),
    "infinite": (lambda t: t.assign(nonzero_params=math.inf), "nonzero_params holds no number"),
    "words": (lambda t: t.assign(params="many"), "params holds no number"),
    "a row twice": (
        lambda t: pd.concat([t, t.head(1)]),
        r"a row is there twice \(.*seed 0, level 0",
    ),
    "a share": (lambda t: t.assign(val_accuracy=101.0), "val_accuracy is not within 0 to 100"),
    "nameless": (lambda t: t.assign(teacher=None), "teacher is empty"),
}


@pytest.mark.parametrize("name", TABLES)
def test_sweeps_with_gaps_are_refused(name):
    change, said = TABLES[name]
    with pytest.raises(KdpruneError, match=said) as caught:
        breakpoints(spoilt(change))
    assert "\n" not in str(caught.value)
    assert "dvc repro" in str(caught.value)


# Efficiency


def test_zero_and_perfect_accuracy_have_an_efficiency():
    found = breakpoints(curve([100, 100, 0]))
    for accuracy, dense in ((0.0, 0.0), (100.0, 100.0)):
        table = efficiency(found, pd.DataFrame([trained(accuracy)])).set_index("condition")
        assert table.efficiency["distilled"] == dense / 0.1
        assert np.isfinite(table[["efficiency", "normalised"]].astype(float)).all(axis=None)
        assert table.normalised.max() == 1
    nothing = efficiency(breakpoints(curve([0, 0])), pd.DataFrame([trained(0.0)]))
    assert nothing.efficiency.tolist() == nothing.normalised.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("networks", "said"),
    [
        ([trained(student="other")], r"breakpoints: cifar10-student-t-s-kd is not among"),
        ([trained(), trained()], r"checkpoints: a row is there twice"),
        ([trained(size=0)], r"a network has no parameters by efficiency\.count = encoder"),
        ([trained(math.nan)], r"checkpoints: test_accuracy holds no number"),
        ([{"dataset": "cifar10"}], r"checkpoints: has no column role"),
        ([], r"checkpoints: has no column"),
    ],
)
def test_networks_with_gaps_are_refused(networks, said):
    with pytest.raises(KdpruneError, match=said):
        efficiency(breakpoints(curve([60, 50])), pd.DataFrame(networks), count="encoder")


# Significance


def scored(first: list[float], second: list[float]) -> pd.DataFrame:
    """Efficiencies of the conditions channel and weight, a pair per teacher."""
    return pd.DataFrame(
        NAMED | {"teacher": f"t{number}", "condition": condition, "efficiency": value}
        for condition, values in (("channel", first), ("weight", second))
        for number, value in enumerate(values)
    )


def test_one_pair_says_why_there_is_no_test():
    row = significance(scored([5.0], [4.0])).iloc[0]
    assert (row.n, row.mean_difference) == (1, 1.0)
    assert row.reason == "1 pair: a paired test needs at least two"
    assert row[["t", "p", "holm_p", "d_z", "ci_low"]].isna().all()


def test_two_pairs_have_a_test_but_no_hedges_g():
    row = significance(scored([5.0, 7.0], [4.0, 4.0])).iloc[0]
    assert (row.n, row.df, row.mean_difference, row.reason) == (2, 1, 2.0, "")
    assert row.t == pytest.approx(2.0)
    assert row.p == pytest.approx(2 / math.pi * math.atan(1 / 2))  # Cauchy's tails
    assert row[["g_z", "shapiro_p", "p_without_teacher"]].isna().all()
    assert row[["ci_low", "ci_high", "d_z", "wilcoxon_p", "sign_flip_p", "log_p"]].notna().all()


@pytest.mark.parametrize("scale", [1.0, 3e4])
def test_equal_differences_have_no_variance(scale):
    first = scale * np.array([0.3, 0.7, 1.1, 1.3])
    row = significance(scored(list(first), list(first - 0.1 * scale))).iloc[0]
    assert row.mean_difference == pytest.approx(0.1 * scale)
    assert "variance is zero" in row.reason
    assert pd.isna(row.p)
    identical = significance(scored(list(first), list(first))).iloc[0]
    assert identical.mean_difference == 0
    assert "variance is zero" in identical.reason


def test_zero_efficiencies_have_no_ratio():
    row = significance(scored([0.0, 0.0, 1.0], [4.0, 5.0, 9.0])).iloc[0]
    assert row.n == 3
    assert 0 < row.p < 1
    assert row[["ratio", "log_p"]].isna().all()


def test_a_condition_alone_leaves_an_empty_table_with_columns():
    table = scored([1.0, 2.0], [1.0, 3.0])
    result = significance(table[table.condition == "weight"])
    assert result.empty
    assert {"first", "second", "p", "holm_p", "reason"} <= set(result)


def test_pairs_that_lack_a_condition_do_not_count():
    assert significance(scored([5.0, 6.0, 9.0], [4.0, 4.0])).iloc[0].n == 2


def test_efficiencies_with_gaps_are_refused():
    with pytest.raises(KdpruneError, match=r"efficiency: efficiency holds no number \(.*channel\)"):
        significance(scored([math.nan, 1.0], [1.0, 2.0]))


EFFICIENCIES = st.just(0.0) | st.floats(1e-3, 1e5)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(EFFICIENCIES, EFFICIENCIES), min_size=1, max_size=4))
def test_no_comparison_holds_an_infinite_figure(values):
    table = scored(*(list(column) for column in zip(*values, strict=True)))
    wide = table.pivot_table(index=["teacher", "student"], columns="condition", values="efficiency")
    result = compare(wide.channel, wide.weight)
    numbers = [value for value in result.values() if isinstance(value, float)]
    assert np.isfinite(numbers).all()
    assert result["reason"] or (0 <= result["p"] <= 1)


# Pruning


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_layers_pruned_to_nothing(scope):
    """At .99 of tiny layers nothing is left of some; the network still answers, and is counted."""
    channels = {"layers": [1, 1, 1, 1], "channels": [2, 2, 4, 4]}
    model, data = models.build("resnet18", classes=10, kwargs=channels, seed=0).eval(), dataset()
    options = {"scope": scope}
    pruned = next(METHODS["weight"](model, [0.99], **options))
    gone = [row["layer"] for row in pruned.layers if row["nonzero_params"] == 0]
    assert gone
    for name in gone:
        assert (pruned.model.get_submodule(name).weight == 0).all()
    assert torch.isfinite(pruned.model(images())).all()
    rows, layers = sweep(
        model, data, method="weight", levels=[0.0, 0.99], seeds=2, re_estimate_images=32,
        finetune=FineTune(**FINETUNE), hyperparameters=options,
    )  # fmt: skip
    assert np.isfinite(rows.select_dtypes("number")).all(axis=None)
    assert (layers.nonzero_params >= 0).all()
    total = sum(layer.weight.numel() for layer in counts.prunable(model).values())
    removed = total - layers[layers.level == 0.99].nonzero_params.sum()
    assert rows.sparsity.max() == pytest.approx(removed / total)


def test_channels_that_are_zero_go_first_and_are_not_missed():
    model = tiny("basic")
    block = model.layer2[0]
    nn.init.ones_(block.bn2.weight)  # else the block adds nothing to its shortcut
    before = copy.deepcopy(model)
    with torch.no_grad():
        block.conv1.weight[:4] = 0
        block.bn1.weight[:4] = 0
        block.bn1.bias[:4] = 0
    logits = model(images())
    group = next(item for item in groups.find(model) if item.sites[0].layer == "layer2.0.conv1")
    assert set(criteria.ranking(model, group)[:4]) == {0, 1, 2, 3}
    assert not torch.equal(before(images()), logits)
    kept = surgery.kept_after([group], [criteria.ranking(model, group)], [0] * 4)
    surgery.cut(model, [group], kept)
    assert model.layer2[0].conv1.weight.shape[0] == before.layer2[0].conv1.weight.shape[0] - 4
    torch.testing.assert_close(model(images()), logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_network_of_zeros_is_pruned_and_counted(method):
    model = tiny("basic")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    for pruned in some(pruned_by(method, model, [0.0, 0.5])):
        assert pruned.sparsity == pytest.approx(pruned.level, abs=0.05)
        assert pruned.nonzero_params > 0  # what is stored and not masked, whatever it holds
        assert torch.isfinite(pruned.model(images())).all()


def test_what_cannot_be_removed_is_refused():
    with pytest.raises(KdpruneError, match=r"channel pruning \(mask\) can remove .* at most"):
        next(METHODS["channel"](tiny("basic"), [0.999], mode="mask"))


def test_one_level_and_one_seed_make_a_sweep():
    rows, layers = sweep(
        tiny("basic"), dataset(), method="weight", levels=[0.0], seeds=1, re_estimate_images=2,
        finetune=FineTune(**FINETUNE), hyperparameters={},
    )  # fmt: skip
    assert len(rows) == 1
    assert (layers.level == 0).all()
    row = breakpoints(rows.assign(**NAMED, method="weight")).iloc[0]
    assert (row.level, row.n_seeds, row.censored) == (0, 1, True)


# Classes that are absent


def test_a_class_that_no_image_has():
    data = dataset(classes=8)  # of ten outputs
    data["val_labels"] = data["val_labels"].clamp(max=3)
    task = Supervised(tiny("basic"))
    keys = ("val_images", "val_labels", "mean", "std")
    recipe = Recipe(epochs=1, batch_size=8, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.0)
    rows = fit(
        task, recipe, images=data["train_images"], labels=data["train_labels"],
        **{key: data[key] for key in keys},
    )  # fmt: skip
    assert math.isfinite(rows[0]["train_loss"])
    assert 0 <= rows[0]["val_accuracy"] <= 100


def test_a_class_of_one_image_cannot_be_split():
    with pytest.raises(KdpruneError, match=r"data\.validation = 0\.1: class 2 has 1 images only"):
        stratified_split(np.array([0, 0, 1, 1, 2]), 0.1, 0)


@pytest.mark.parametrize(("offset", "expected"), [(0, 100.0), (1, 0.0)])
def test_accuracy_is_exact_at_both_ends(offset, expected):
    data, model = dataset(), tiny("basic")
    inputs = [data[key] for key in ("test_images", "mean", "std")]
    with torch.no_grad():
        logits = model(((inputs[0] / 255) - 0.5) / 0.25)
    labels = (logits.argmax(1) + offset) % 10
    assert evaluate(model, inputs[0], labels, *inputs[1:]) == expected


# What stages read and write


@pytest.mark.parametrize("value", [math.nan, math.inf, np.nan])
def test_json_holds_no_nan(tmp_path, value):
    (tmp_path / "metrics.json").write_text("as before")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "metrics.json", {"a": {"p": value}})
    assert (tmp_path / "metrics.json").read_text() == "as before"
    assert len(list(tmp_path.iterdir())) == 1


LEVELS = [0.0, 0.1, 0.7]
SWEEP = "metrics/sweeps/cifar10-resnet10_24-resnet10_16-simkd-weight.csv"
LAYERS = SWEEP.replace("sweeps", "layers")
TRAINED = "metrics/distill/cifar10-resnet10_24-resnet10_16-simkd.json"


@pytest.fixture
def study(root, tmp_path, values, monkeypatch):
    """A folder with the tables of one pair, two seeds and three levels; runs a stage in it."""
    monkeypatch.syspath_prepend(root)
    monkeypatch.chdir(tmp_path)
    from kdprune.study import paths
    from stages.runner.run import run

    values["pairs"] = ["resnet10_24/resnet10_16"]
    values["distill"]["method"], values["prune"]["method"] = "simkd", "both"
    values["prune"]["roles"] = ["teacher", "student"]
    values["prune"]["seeds"], values["prune"]["levels"] = 2, LEVELS
    values["datasets"], values["data"]["source"] = ["cifar10"], "embedded"
    values["grid"] = expand(
        datasets=["cifar10"], pairs=values["pairs"], distill="simkd", prune="both",
        roles=["teacher", "student"],
    )  # fmt: skip
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    for key, item in values["grid"]["sweeps"].items():
        named = {name: item[name] for name in NAMED}
        table = curve([60, 59.5, 40], seeds=2, levels=LEVELS, method=item["method"], **named)
        words = [packed(np.arange(200) < 2 * accuracy) for accuracy in table.val_accuracy]
        table["val_right"] = words
        paths.sweep(key).parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(paths.sweep(key), index=False)
        rows = table[table.seed == 0][[*NAMED, "method", "level", "params", "nonzero_params"]]
        paths.layers(key).parent.mkdir(parents=True, exist_ok=True)
        rows.assign(layer="conv1", kind="conv").to_csv(paths.layers(key), index=False)
    for role in ("teacher", "student"):
        for key, item in values["grid"][f"{role}s"].items():
            write_json(
                paths.training(role, key),
                trained(**({"role": role, "student": "", "distill": ""} | item)),
            )
    return lambda *stages: next((status for stage in stages if (status := run([stage]))), 0)


def test_one_pair_goes_through_to_the_metrics(study, tmp_path):
    assert study("breakpoints", "efficiency", "significance") == 0
    for name in ("breakpoints", "efficiency", "significance"):
        text = (tmp_path / "metrics" / f"{name}.json").read_text()
        assert not re.search("NaN|Infinity|null", text)
        assert "cifar10" in json.loads(text)
    figures = json.loads((tmp_path / "metrics" / "significance.json").read_text())
    assert figures["cifar10"]["teacher"]["channel - weight"] == {"n": 1, "mean_difference": 0.0}
    table = pd.read_csv(tmp_path / "metrics" / "significance.csv")
    assert (table.reason == "1 pair: a paired test needs at least two").all()


def edited(change):
    def edit(path):
        change(pd.read_csv(path, keep_default_na=False)).to_csv(path, index=False)

    return edit


FILES = {  # file, what befalls it, the stage that reads it, what is said besides the file's name
    "missing": (SWEEP, lambda path: path.unlink(), "is not there; run `dvc repro collect`"),
    "empty": (SWEEP, lambda path: path.write_text(""), "is no table .*; delete it and run"),
    "binary": (SWEEP, lambda path: path.write_bytes(bytes(range(256))), "is no table|no column"),
    "ragged": (SWEEP, lambda path: path.write_text("a,b\n1,2,3\n4,5,6,7\n"), "is no table"),
    "a header only": (SWEEP, edited(lambda t: t.head(0)), "has no rows"),
    "a seed is missing": (SWEEP, edited(lambda t: t[t.seed == 0]), r"lacks seed and level \(1, 0"),
    "a level is missing": (SWEEP, edited(lambda t: t[t.level < 0.5]), r"lacks .* \(0, 0\.7\)"),
    "a seed too many": (
        SWEEP,
        edited(lambda t: pd.concat([t, t[t.seed == 1].assign(seed=2)])),
        r"has the foreign seed and level \(2, 0",
    ),
    "a row twice": (SWEEP, edited(lambda t: pd.concat([t, t.tail(1)])), "a row is there twice"),
    "a NaN": (SWEEP, edited(lambda t: t.assign(val_accuracy="nan")), "accuracy holds no number"),
    "no bits": (SWEEP, edited(lambda t: t.drop(columns="val_right")), "lacks column val_right"),
    "a foreign column": (SWEEP, edited(lambda t: t.assign(loss=1)), "has the foreign column loss"),
    "no column": (SWEEP, edited(lambda t: t.drop(columns="macs")), "has no column macs"),
    "of another method": (
        SWEEP, edited(lambda t: t.assign(method="channel")), "lacks method weight; run `dvc"
    ),
    "of another student": (
        SWEEP, edited(lambda t: pd.concat([t, t.assign(student="resnet18")])), "foreign student"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_sweeps_file_that_is_not_what_it_must_be(study, tmp_path, capsys, name):
    file, befall, said = FILES[name]
    befall(tmp_path / file)
    assert study("breakpoints") == 2
    told = capsys.readouterr().err
    assert re.fullmatch(f"kdprune: {re.escape(file)}: .*({said}).*\n", told), told
    assert not (tmp_path / "metrics" / "breakpoints.json").exists()


def test_layers_that_are_missing(study, tmp_path, capsys):
    (tmp_path / LAYERS).unlink()
    assert study("breakpoints", "efficiency", "significance", "report") == 2
    assert f"kdprune: {LAYERS}: is not there; run `dvc repro collect`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, f"{TRAINED}: is not there; run `dvc repro collect`"),
        ("{", f"{TRAINED}: is no JSON .*run `dvc repro collect`"),
        ("[]", f"{TRAINED}: is no training's result"),
        ("{}", f"{TRAINED}: dataset is not 'cifar10'; run `dvc repro collect`"),
        ('{"dataset": "cifar10", "role": 5}', f"{TRAINED}: role is not 'student'"),
    ],
)
def test_a_training_that_left_no_result(study, tmp_path, capsys, text, said):
    (tmp_path / TRAINED).unlink()
    if text is not None:
        (tmp_path / TRAINED).write_text(text)
    assert study("breakpoints", "efficiency") == 2
    told = capsys.readouterr().err
    assert re.fullmatch(f"kdprune: {said}.*\n", told), told
    assert not (tmp_path / "metrics" / "efficiency.json").exists()


def test_stages_that_have_not_run_are_named(study, capsys):
    assert study("efficiency") == 2
    told = "metrics/breakpoints.csv: is not there; run `dvc repro breakpoints`"
    assert told in capsys.readouterr().err


def test_networks_with_the_names_of_nothing(root, tmp_path, monkeypatch):
    """Architectures may be called nan, null or 18: they are words, not numbers or gaps."""
    monkeypatch.syspath_prepend(root)
    from kdprune.study import checked

    table = curve([60, 50], teacher="nan", student="18", distill="null")
    table.to_csv(tmp_path / "table.csv", index=False)
    pd.testing.assert_frame_equal(checked.read(tmp_path / "table.csv"), table, check_dtype=False)


def test_metrics_hold_numbers_only(root, monkeypatch):
    monkeypatch.syspath_prepend(root)
    from kdprune.study import tables

    frame = pd.DataFrame(
        {"a": ["x", "y"], "n": [1, 2], "p": [None, 0.123456789], "c": [True, False]}
    )
    nested = tables.nested(frame, ["a"], ["n", "p", "c"])
    assert nested == {"x": {"n": 1, "c": True}, "y": {"n": 2, "p": 0.123457, "c": False}}
    with pytest.raises(KdpruneError, match="infinite"):
        tables.nested(frame.assign(p=math.inf), ["a"], ["p"])
