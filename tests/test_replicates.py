"""Replicates of a pair: named, trained by their own seed, and averaged before any test."""

import itertools

import numpy as np
import pandas as pd
import pytest
import report_tables
import torch
import yaml

from kdprune import models
from kdprune.analysis import conditions, replicates, sizes, summary
from kdprune.analysis.significance import significance
from kdprune.config.grid import expand
from kdprune.config.params import validate
from kdprune.config.replicates import names, seed, training, trainings
from kdprune.errors import KdpruneError
from kdprune.records import IDENTITY, identity, network, write_csv
from kdprune.reporting import brief
from kdprune.reporting.document import markdown
from kdprune.reporting.figures import data, frames
from kdprune.reporting.report import compose
from kdprune.reporting.sections.attribution import STEPS
from kdprune.running.study import needs
from kdprune.study import (
    attributions,
    checked,
    codings,
    costs,
    epochs,
    networks,
    paths,
    tables,
    trajectories,
)
from kdprune.study.settings import settings
from stages.runner import studies

STUDENT = "cifar10-a-b-simkd"
STUDY = {"datasets": ["cifar10"], "pairs": ["a/b", "a/c"], "distill": "simkd"}
STUDY |= {"prune": ["weight", "magnitude"], "roles": ["teacher", "student"]}
RECIPES = {"teach": {"seed": [1, 2], "lr": 0.1}, "distill": {"seed": [5, 6], "lr": 0.2}}


def grid(*called):
    return expand(**STUDY, replicates=called)


def derived(grid, recipes=RECIPES):
    return trainings(grid["teachers"], grid["students"], **recipes)


# Names, and what each is trained by


def test_one_seed_has_no_name():
    assert names(3) == names([3]) == []
    assert grid() == expand(**STUDY)
    made = derived(grid(), {part: {"seed": 1} for part in RECIPES})
    assert {item["recipe"] for item in made["teachers"].values()} == {"teach"}
    assert {item["recipe"] for item in made["students"].values()} == {"distill.training"}
    assert made["repeats"] == {}
    assert "recipes" not in made


def test_each_replicate_of_a_student_learns_from_its_teachers():
    made = grid("1", "2")
    assert [*made["teachers"]] == ["cifar10-a-s1", "cifar10-a-s2"]
    assert [*made["students"]][:2] == [f"{STUDENT}-s1", f"{STUDENT}-s2"]
    told = derived(made)["students"][f"{STUDENT}-s2"]
    assert told["tutor"] == "models/teachers/cifar10-a-s2.safetensors"
    assert told["recipe"] == "trainings.recipes.distill-s2"
    assert derived(made)["recipes"]["distill-s2"] == {"seed": 6, "lr": 0.2}
    sweep = made["sweeps"][f"{STUDENT}-s2-weight"]
    assert sweep["checkpoint"] == f"models/students/{STUDENT}-s2.safetensors"
    assert sweep["recipe"] == "trainings.recipes.distill-s2"
    assert f"{STUDENT}-s2-magnitude" in made["trajectories"]
    assert networks.key(sweep) == f"{STUDENT}-s2"
    assert networks.dense(sweep).as_posix() == sweep["checkpoint"]
    assert paths.tutor(sweep).as_posix() == told["tutor"]
    assert needs(made)[f"distill@{STUDENT}-s2"] == ["download@cifar10", "teach@cifar10-a-s2"]


def test_one_more_seed_leaves_the_others_as_they_are():
    fewer, more = grid("1", "2"), grid("1", "2", "3")
    longer = {part: {**told, "seed": [*told["seed"], 9]} for part, told in RECIPES.items()}
    longer["teach"]["seed"] = [1, 2, 3]
    for part in ("teachers", "students", "sweeps", "networks", "trajectories"):
        assert fewer[part].items() < more[part].items()
    for before, after in ((derived(fewer), derived(more, longer)),):
        for part in ("teachers", "students", "recipes"):
            assert before[part].items() < after[part].items()


@pytest.fixture
def twice(values):
    """Parameters whose pairs are trained twice, teachers and students by other seeds."""
    values["teach"]["seed"], values["distill"]["training"]["seed"] = [1, 2], [5, 6]
    study = {"datasets": values["datasets"], "pairs": values["pairs"], "distill": "simkd"}
    study |= {"prune": "both", "roles": ["teacher", "student"]}
    values["grid"] |= expand(**study, replicates=["1", "2"])
    return values


def test_an_instance_is_trained_by_the_seed_in_its_place(twice):
    params = validate(twice)
    for place, name in enumerate(("1", "2")):
        teacher = params.grid["teachers"][f"cifar10-resnet10_24-s{name}"]
        student = params.grid["students"][f"cifar10-resnet10_24-resnet10_16-simkd-s{name}"]
        assert (seed(params, teacher), seed(params, student)) == (1 + place, 5 + place)
        assert training(params, student)["epochs"] == params.distill.training.epochs
    assert seed(validate(twice), {"teacher": "x", "student": "", "training_seed": "2"}) == 2


def test_a_grid_of_another_list_is_refused(twice):
    twice["teach"]["seed"] = [1, 3]
    with pytest.raises(KdpruneError, match=r"grid: teachers\.cifar10-resnet10_24-s3 is missing"):
        validate(twice)
    twice["teach"]["seed"] = [1, 2]
    made = derived(
        twice["grid"], {"teach": twice["teach"], "distill": twice["distill"]["training"]}
    )
    assert validate({**twice, "trainings": made}).trainings == made
    made["recipes"]["teach-s2"]["lr"] = 7.0  # edited by hand, where DVC reads the copy
    with pytest.raises(KdpruneError, match=r"trainings: recipes\.teach-s2 is not what it must be"):
        validate({**twice, "trainings": made})


def test_a_checkpoint_says_its_replicate(tmp_path):
    file = tmp_path / "network.safetensors"
    built = {"timm_name": "resnet18", "classes": 10, "kwargs": {"layers": [1, 1, 1, 1]}}
    built["kwargs"] |= {"channels": [8, 8, 8, 8]}
    who = {"dataset": "cifar10", "role": "teacher", "teacher": "a", "training_seed": "2"}
    model = models.build(**built, seed=0)
    models.save(file, model, {"network": built, **who})
    _, told = models.load(file, torch.device("cpu"))
    assert networks.key(networks.identity(told, file)) == "cifar10-a-s2"
    models.save(file, model, {"network": built, **who, "training_seed": "../2"})
    with pytest.raises(KdpruneError, match="training_seed"):
        models.load(file, torch.device("cpu"))


# Averages


def scored(efficiencies):
    """A table of efficiency: {student: {training: {condition: efficiency}}}."""
    rows = []
    for student, each in efficiencies.items():
        for training_seed, by in each.items():
            who = {"dataset": "cifar10", "role": "student", "teacher": f"t{student}"}
            who |= {"student": student, "distill": "simkd", "training_seed": training_seed}
            for condition, value in by.items():
                row = {"condition": condition, "accuracy": value, "accuracy_sd": 1.0}
                row |= {"n_seeds": 10, "params": 10, "efficiency": value, "normalised": 0.0}
                rows.append({**who, **row})
    return pd.DataFrame(rows)


TABLE = scored(
    {
        "a": {"1": {"channel": 1.0, "weight": 2.0}, "2": {"channel": 4.0, "weight": 8.0}},
        "b": {"1": {"channel": 9.0, "weight": 3.0}, "2": {"channel": 1.0, "weight": 3.0}},
        "c": {"1": {"channel": 5.0, "weight": 5.0}, "2": {"channel": 5.0, "weight": 20.0}},
    }
)


def test_efficiencies_are_averaged_by_their_logarithms():
    found = replicates.averaged(TABLE).set_index(["student", "condition"])
    assert found.efficiency["a", "channel"] == pytest.approx(2)
    assert found.efficiency["c", "weight"] == pytest.approx(10)
    assert found.accuracy["a", "channel"] == 2.5
    assert found.n_seeds["a", "channel"] == 20
    assert found.normalised.max() == 1
    assert "training_seed" not in found
    assert replicates.averaged(found.reset_index()).shape == found.reset_index().shape


def test_an_averaged_breakpoint_is_censored_where_one_is():
    told = {"level": [0.2, 0.4], "censored": [False, True], "training_seed": ["1", "2"]}
    table = pd.DataFrame({**dict.fromkeys(IDENTITY, "x"), "method": "weight", **told})
    row = replicates.averaged(table).iloc[0]
    assert row.level == pytest.approx(0.3)
    assert row.censored


def test_a_zero_has_a_geometric_mean_of_zero():
    assert replicates.geometric(pd.Series([0.0, 4.0])) == 0


def test_n_is_pairs_whatever_their_trainings():
    found = significance(TABLE).iloc[0]
    by_hand = significance(replicates.averaged(TABLE)).iloc[0]
    assert found.n == 3
    assert found.df == 2
    pd.testing.assert_series_equal(found, by_hand)
    assert np.log(found.ratio) == pytest.approx(np.log([1 / 2, 3 / 3, 5 / 10]).mean())
    once = TABLE[TABLE.training_seed == "1"].drop(columns="training_seed")
    assert significance(once).n[0] == 3


def test_every_other_count_of_pairs_is_theirs_too():
    measured = TABLE.rename(columns={"condition": "method"}).assign(batch=1, dense_bytes=1e6)
    measured = measured.assign(zstd_bytes=2e6, sparse_bytes=2e6)
    studies = {"mine": {"efficiency": TABLE, "measured": measured}}
    found = conditions.conditions(studies).set_index("count")
    assert found.n.to_dict() == {"parameters": 3, "bytes": 3}
    assert found.ratio["bytes"] == pytest.approx(found.ratio["parameters"])
    stored = TABLE.rename(columns={"condition": "method"}).assign(count="float32", bytes=40)
    ratios = sizes.ratios(stored, "channel", "weight", confidence=0.95)
    assert ratios.n[0] == 3
    assert ratios.ratio[0] == pytest.approx(found.ratio["parameters"])
    broken = TABLE.rename(columns={"condition": "method"}).assign(nonzero_params=1, dense_params=2)
    plain = TABLE[TABLE.condition == "weight"].assign(condition="distilled")
    whole = pd.concat([TABLE, plain])
    assert summary.summary(broken, whole, significance(whole))["pairs"] == 3


# A report


@pytest.fixture(scope="module")
def study():
    """Three pairs, each trained three times with other accuracies."""
    pairs = report_tables.twenty().query("dataset == 'cifar10'").head(3)
    once = report_tables.study(pairs)
    sweeps, trained = [], []
    for name, gap in (("1", 0.0), ("2", 1.0), ("3", -2.0)):
        moved = once["sweeps"].assign(training_seed=name)
        shift = gap * (1 + moved.level)
        for column in ("val_accuracy", "test_accuracy"):
            moved[column] = (moved[column] + shift).clip(1, 99)
        sweeps.append(moved)
        trained.append(once["trained"].assign(training_seed=name))
    return report_tables.analysed(pd.concat(sweeps), pd.concat(trained))


def later(tables):
    """What one teacher's network was taken apart into, could not reach, and what each cost."""
    broken, scored = tables["breakpoints"], tables["efficiency"]
    who = [*identity(broken), "method"]
    curves = broken[broken.role == "teacher"].drop_duplicates(["training_seed"])[who]
    apart = curves.assign(level=0.5).merge(pd.DataFrame({"step": [*STEPS]}), how="cross")
    apart["test_accuracy"] = 50.0
    beyond = curves.assign(method="aofp", level=0.9, sparsity=np.nan, note="out of reach")
    spent = scored[[*identity(scored), "condition"]]
    spent = spent.assign(training=10.0, pruning=0.0, tuning=0.5, note="")
    first = broken.assign(level=0.0, coding="shared8", bytes=77)
    return {"attribution": apart, "trajectories": beyond, "spent": spent, "codings": first}


def text_of(tables, folder):
    rule = {"rule": "tolerance", "tolerance": 1.0, "slope_ratio": 1.0}
    each = tables["sweeps"].groupby("training_seed")
    layers = pd.concat(report_tables.layers(part).assign(training_seed=name) for name, part in each)
    sections = compose(**tables, **later(tables), figures={}, layers=layers, rule=rule)
    return markdown.render("Study", sections, folder)


def test_the_report_counts_pairs_and_says_what_another_training_changes(study, tmp_path):
    text = text_of(study, tmp_path)
    assert "**3 pairs**" in text
    assert "each pair was trained 3 times" in text
    assert "each network was trained once" not in text
    assert "What another training would change." in text
    assert "n = 3 pairs, 3 trainings of each, 3 tunings of each network" in text
    assert "The 3 trainings of each pair, which are listed apart, show that variation" in " ".join(
        text.split()
    )
    assert "n = 30 curves" in text  # listed apart: three students, two teachers, pruned both ways
    assert "(s3)" in text
    assert "What the loss is made of (n = 3 curves)" in text  # one teacher's of each training
    assert text.count("AOFP, level 0.9 of") == 3
    full = text.partition("The networks of Table 3, CIFAR-10")[2]
    assert full.startswith(" (n = 36 networks)")  # 2 teachers x 3 trainings, by 6 rows of it
    assert "Each training of a pair is a network of its own" in full
    assert "accuracy by megabyte at the breakpoints (n = 3 pairs" in text
    lines = brief.lines(study, 0.95)
    assert any("n = 3 pairs" in part for line in lines for _, part in line)


def test_a_pair_is_one_mark_in_the_first_figure(study):
    tables = [study[name] for name in ("efficiency", "breakpoints", "sweeps")]
    rows = frames.of_pairs(*tables, "simkd")
    assert len(rows) == 3 * 2
    each = [frames.relative(*parts, "simkd") for parts in replicates.each(*tables)]
    assert rows.value[0] == pytest.approx(np.prod([part.value[0] for part in each]) ** (1 / 3))
    named = data.accuracy(*map(replicates.apart, (study["sweeps"], study["breakpoints"])))
    assert set(named.groupby(["network", "method", "seed"]).size()) == {len(report_tables.LEVELS)}


# Tables on disk


def test_the_table_of_codings_gathers_replicates(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("1", "2"):
        row = dict.fromkeys(codings.COLUMNS, 1) | {"training_seed": name}
        write_csv(paths.coded(f"x-s{name}") / "codings.csv", codings.table([row]))
    codings.gather(["x-s1", "x-s2"])
    table = pd.read_csv(paths.CODINGS)
    assert table.training_seed.to_list() == [1, 2]
    write_csv(paths.coded("y") / "codings.csv", codings.table([dict.fromkeys(codings.COLUMNS, 1)]))
    with pytest.raises(KdpruneError, match="has other columns"):
        codings.gather(["x-s1", "y"])


def test_the_tables_of_table_3_tell_replicates_apart(twice, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = validate(twice)
    items = list(params.grid["teachers"].items())[:2]
    for key, item in items:
        told = {**dict.fromkeys(IDENTITY, ""), **item, "role": "teacher", "method": "aofp"}
        steps = pd.DataFrame({"level": 0.5, "step": "all", "epochs": 1, **told}, index=[0])
        steps = attributions.table(steps.assign(val_accuracy=1.0, test_accuracy=2.0))
        write_csv(paths.attributed(key) / "attribution.csv", steps)
        reached = 0.5 if item["training_seed"] == "1" else np.nan  # by the first training alone
        row = dict.fromkeys(trajectories.LEVEL, 0) | {"level": 0.5, "sparsity": reached}
        row |= {"spent": int(item["training_seed"]), "note": f"of {item['training_seed']}"}
        who = {part: told[part] for part in (*identity(told), "method")}
        curve = dict.fromkeys(trajectories.CURVE, 0)
        for name, rest in (("levels", row), ("learning", curve)):
            write_csv(paths.sparsified(key) / f"{name}.csv", pd.DataFrame([who | rest]))
    keys = [key for key, _ in items]
    attributions.gather(keys)
    trajectories.gather(keys)
    assert tables.taken_apart().training_seed.tolist() == ["1", "2"]
    levels = tables.trained_on_the_way()
    assert levels.training_seed.tolist() == ["1", "2"]
    study = {**STUDY, "pairs": [f"{items[0][1]['teacher']}/none"], "prune": "aofp"}
    sweeps = expand(**study, replicates=["1", "2"])["sweeps"].values()
    assert [trajectories.reached(levels, one, [0.0, 0.5]) for one in sweeps] == [{0.0, 0.5}, {0.0}]
    learned = {**params.grid["teachers"], **params.grid["students"]}
    learned = {key: pd.DataFrame({"epoch": range(number)}) for number, key in enumerate(learned)}
    rows = epochs.spent(params, levels, learned, levels)
    assert rows.training_seed.tolist()[:2] == ["1", "2"]
    assert rows[rows.condition == "aofp"].pruning.tolist() == [1, 2]
    assert rows[rows.condition == "aofp"].training.tolist() == rows.training.tolist()[:2] == [0, 1]
    attributions.gather([])
    trajectories.gather([])
    assert len(tables.taken_apart()) == len(tables.trained_on_the_way()) == 0
    assert trajectories.reached(tables.trained_on_the_way(), next(iter(sweeps)), [0.5]) == {0.5}


def test_measured_rows_of_another_grid_go_with_their_column(twice, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = validate(twice)
    several = [
        {**{part: item.get(part, "") for part in (*IDENTITY, "training_seed")}, "method": "none"}
        for item in params.grid["sweeps"].values()
        if item["method"] == "weight"
    ]
    costing = dict.fromkeys(checked.KINDS["measure"].numbers.split(), 1) | {"runtime": "onnx"}
    for row in several:
        made = costs.replaced(params, networks.key(row), pd.DataFrame([{**row, **costing}]))
        write_csv(paths.MEASURE, made)
    assert len(pd.read_csv(paths.MEASURE)) == len(several) == 10
    row = {name: value for name, value in several[0].items() if name != "training_seed"}
    grid = {"networks": {networks.key(row): {}}}
    once = params.model_copy(update={"grid": grid})
    made = costs.replaced(once, networks.key(row), pd.DataFrame([{**row, **costing}]))
    assert "training_seed" not in made
    assert len(made) == 1


def test_a_frozen_study_keeps_its_own_grid(twice, root, tmp_path, monkeypatch):
    twice["trainings"] = derived(
        twice["grid"], {"teach": twice["teach"], "distill": twice["distill"]["training"]}
    )
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(twice, sort_keys=False))
    monkeypatch.chdir(root)  # where conf/ has the grid of one seed
    params = validate(yaml.safe_load(studies.completed(tmp_path)))
    assert params.grid == validate(twice).grid
    assert settings(params)["training seeds"] == "1, 2"
    del twice["trainings"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(twice, sort_keys=False))
    assert validate(yaml.safe_load(studies.completed(tmp_path))).trainings is None


def test_names_never_meet():
    made = grid("1", "2", "3")
    keys = [*made["teachers"], *made["students"], *made["sweeps"]]
    assert len(keys) == len({*keys})
    items = itertools.chain(made["teachers"].values(), made["students"].values())
    assert len({(item["dataset"], network(item)) for item in items}) == 3 + 2 * 3
