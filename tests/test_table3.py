"""Table 3 in full: which networks stand in it, what they cost, and levels that are out of reach."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT
from networks import dataset, tiny
from report_tables import layers, study
from safetensors import safe_open
from safetensors.torch import save_file

from kdprune.analysis import sizes
from kdprune.analysis.significance import significance
from kdprune.config.grid import expand
from kdprune.config.params import load, validate
from kdprune.errors import KdpruneError
from kdprune.pruning import application, internal, trajectories
from kdprune.records import IDENTITY
from kdprune.reporting import frozen, headline, ran
from kdprune.reporting.paper import beside, compressions, published, tables
from kdprune.reporting.sections import missing
from kdprune.sparsification.rounds import Rounds
from kdprune.sparsification.trajectory import sparsify
from kdprune.study import epochs, gathering
from kdprune.study import trajectories as collected
from kdprune.training.recipe import Recipe

RECIPE = Recipe(epochs=1, batch_size=16, lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
AOFP = {"epochs": 1, "half": 1}
GRID = {"datasets": ["cifar10"], "pairs": ["a/b"], "distill": "kd", "roles": ["teacher", "student"]}


# Which sweeps there are


def test_methods_of_one_role_are_swept_on_no_other():
    only = {"teacher": ["magnitude"], "student": ["channel"]}
    grid = expand(prune=["weight", "channel", "magnitude"], only=only, **GRID)
    assert [*grid["sweeps"]] == [
        *("cifar10-a-weight", "cifar10-a-magnitude"),
        *("cifar10-a-b-kd-weight", "cifar10-a-b-kd-channel"),
    ]
    assert [*grid["trajectories"]] == ["cifar10-a-magnitude"]
    assert expand(prune="both", only=None, **GRID) == expand(prune="both", **GRID)


def test_profile_table3_has_a_network_for_every_row_and_teacher(tmp_path):
    output = tmp_path / "params.yaml"
    command = [sys.executable, ROOT / "conf/compose.py", "profile=table3", "-o", output]
    subprocess.run(command, check=True)
    params, mini = load(output), load(ROOT / "params.yaml")
    assert (params.pairs, params.data, params.teach) == (mini.pairs, mini.data, mini.teach)
    here = [{**item, "condition": item["method"]} for item in params.grid["sweeps"].values()]
    here += [
        {**item, "role": "student", "condition": "distilled"}
        for item in params.grid["students"].values()
    ]
    for wanted in beside.COMPRESSIONS.values():
        match = [item["teacher"] for item in here if wanted.items() <= item.items()]
        assert set(match) == {item["teacher"] for item in params.grid["teachers"].values()}
    trained = {item["role"] for item in params.grid["trajectories"].values()}
    assert trained == {"teacher"}


# Levels out of reach


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A trajectory by aofp whose last level no network of this shape reaches; its tables."""
    folder, model = tmp_path_factory.mktemp("sparse"), tiny("basic")
    levels = [0.0, 0.2, round(internal.reach(model) + 0.01, 2)]
    rounds = Rounds(dataset(32), RECIPE, method="aofp")
    table, curve = sparsify(model, dataset(32), levels, AOFP, rounds, folder=folder)
    return model, folder, levels, table, curve


def test_a_trajectory_ends_where_its_method_does(ended):
    model, folder, levels, table, curve = ended
    assert [*table.level] == levels
    assert table.sparsity.isna().tolist() == [False, False, True]
    most = internal.reach(model)
    assert table.note[2] == f"out of reach: {most:.1%} of the weights can go"
    assert set(curve.level) == {0.2}
    assert trajectories.levels_of(folder, levels) == levels[:2]
    assert len([*trajectories.read(folder, model, levels[:2], method="aofp")]) == 2
    with pytest.raises(KdpruneError, match=f"at most, not {levels[2]:.1%}; name one of 0.0, 0.2"):
        next(trajectories.read(folder, model, levels[2:], method="aofp"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layers": None}, "layers"),
        ({"level": float("nan")}, "level is no finite number"),
        ({"sparsity": 9e9}, "sparsity is 9e"),
        ({"level": 0.3}, "its level is 0.3"),
        ("nan", "a NaN or an infinity in"),
        ("stranger", "has no attribute"),
        ("most", "'most' is missing"),
    ],
)
def test_a_level_that_tells_nonsense_is_one_line(ended, change, said, tmp_path):
    model, folder, *_ = ended
    declared = json.loads((folder / trajectories.DECLARED).read_text())
    path = trajectories.file(folder, 0.2)
    with safe_open(path, framework="pt") as opened:
        told = json.loads(opened.metadata()[trajectories.KEY])
        tensors = {name: opened.get_tensor(name) for name in list(opened.keys())}
    if change == "most":
        del declared["most"]
    elif change == "nan":
        tensors["state fc.bias"].fill_(float("nan"))
    elif change == "stranger":
        tensors["state nope.weight"] = torch.zeros(2)
    else:
        told |= change
    (tmp_path / trajectories.DECLARED).write_text(json.dumps(declared))
    metadata = {trajectories.KEY: json.dumps(told)}
    save_file(tensors, trajectories.file(tmp_path, 0.2), metadata=metadata)
    with pytest.raises(KdpruneError, match=said) as caught:
        next(trajectories.read(tmp_path, model, [0.2], method="aofp"))
    assert "dvc repro sparsify" in str(caught.value)


def test_a_method_that_reaches_no_level_is_refused():
    model = tiny("basic")
    with pytest.raises(KdpruneError, match=r"aofp can remove .*, not 95\.0%; add a lower level"):
        application.within("aofp", model, [0.0, 0.95])
    assert application.within("aofp", model, [0.0])[0] == [0.0]
    assert application.within("weight", model, [0.0, 0.95]) == ([0.0, 0.95], 1.0)


def test_what_is_collected_tells_which_levels_a_sweep_has(ended, tmp_path):
    *_, levels, table, _ = ended
    who = dict.fromkeys(IDENTITY, "") | {"dataset": "cifar10", "teacher": "a", "method": "aofp"}
    who |= {"role": "teacher"}
    whole = table.assign(**who)[[*collected.WHO, *collected.LEVEL]]
    whole.to_csv(tmp_path / "one.csv", index=False)
    made = [("sparsify@one", tmp_path / "one.csv")] * 2
    gathering.gather(tmp_path / "all.csv", whole.columns, made)
    assert len(pd.read_csv(tmp_path / "all.csv")) == 2 * len(table)
    with pytest.raises(KdpruneError, match=r"other columns; .*dvc repro -f sparsify@one"):
        gathering.gather(tmp_path / "all.csv", collected.CURVE, made)
    grid = expand(prune=["weight", "aofp"], objective=["labels", "kd"], **GRID)["sweeps"]
    for name, wanted in (("aofp", levels[:2]), ("aofp-kd", levels[:2]), ("weight", levels)):
        assert collected.reached(whole, grid[f"cifar10-a-{name}"], levels) == set(wanted)
    other = grid["cifar10-a-b-kd-aofp"]  # another network's, of which nothing is told
    assert collected.reached(whole, other, levels) == set(levels)


# What networks cost


def test_epochs_are_of_the_training_the_way_and_the_tuning(values):
    params = validate(values)
    rows = [{**item, "role": "teacher"} for item in params.grid["teachers"].values()]
    rows += [{**item, "role": "student"} for item in params.grid["students"].values()]
    rows = [dict.fromkeys(IDENTITY, "") | row for row in rows]
    broken = pd.DataFrame([{**row, "method": "magnitude", "level": 0.5} for row in rows])
    way = broken[:1].assign(sparsity=0.5, spent=6.0, note="8 bits")
    keys = {**params.grid["teachers"], **params.grid["students"]}
    learned = {key: pd.DataFrame({"epoch": range(12)}) for key in keys}
    table = epochs.spent(params, broken, learned, way)
    assert len(table) == 2 * len(rows)
    assert table[table.note != ""].condition.tolist() == ["magnitude"]
    costs = table.set_index(["role", "condition"])[["training", "pruning", "tuning"]]
    assert costs.loc[("teacher", "teacher")].to_numpy().tolist() == [[12, 0, 0]] * 2
    assert costs.loc[("student", "distilled")].to_numpy().tolist() == [[16, 0, 0]] * 3  # a third
    first, second = costs.loc[("teacher", "magnitude")].to_numpy()
    assert first.tolist() == pytest.approx([12, 6, 1 / 3])  # a view goes forward once
    assert second.tolist() == pytest.approx([12, 0, 1 / 3])
    for scope, objective, wanted in (("all", "kd", 20 / 3), ("all", "labels", 5), ("none", "", 0)):
        tuned = {**values["prune"]["finetune"], "scope": scope, "objective": objective or "labels"}
        prune = {**values["prune"], "finetune": tuned}
        changed = validate({**values, "prune": prune, "grid": _grid(values, tuned)})
        assert epochs.spent(changed, broken, learned, way).tuning.max() == pytest.approx(wanted)
    tuned = {**values["prune"]["finetune"], "scope": "all", "epochs_of": {"weight": 2}}
    changed = validate({**values, "prune": {**values["prune"], "finetune": tuned}})
    both = pd.concat([broken, broken.assign(method="weight")])
    table = epochs.spent(changed, both, learned, way).groupby("condition").tuning.max()
    assert (table["magnitude"], table["weight"]) == (5, 2)


def _grid(values, tuned):
    grid = expand(
        datasets=values["datasets"],
        pairs=values["pairs"],
        distill=values["distill"]["method"],
        prune=values["prune"]["method"],
        roles=values["prune"]["roles"],
        objective=tuned["objective"],
    )
    return values["grid"] | grid


# The table


def test_a_row_is_the_smallest_network_of_its_teacher_in_full():
    pairs = published.breakpoints().query("dataset == 'cifar10'").drop_duplicates(beside.PAIR)[:4]
    methods = ("weight", "channel", "magnitude", "random")
    made = study(pairs, distillers=("simkd", "kd"), methods=methods)
    scored, broken, trained = (made[name] for name in ("efficiency", "breakpoints", "trained"))
    stored = sizes.stored(broken, layers(made["sweeps"]))
    spent = scored[[*IDENTITY, "condition"]].assign(
        training=10.0, pruning=2.0, tuning=0.5, note="so"
    )
    codings = broken.assign(level=0.0, coding="shared8", bytes=77, test_accuracy=1.0)
    full = {"breakpoints": broken, "trained": trained, "sizes": stored}
    frame = compressions.rows(scored, **full, spent=spent, codings=codings)
    by = frame.groupby("compression", sort=False)
    teachers = set(pairs.teacher)
    assert all(set(part.teacher) == teachers for _, part in by)
    names = [*dict.fromkeys(frame.compression)]
    assert names[:3] == ["teacher", "channel pruning (paper)", "weight pruning (paper)"]
    assert "random weight pruning of the teacher" in names
    assert not {"SemCKD", "AOFP", "PQK"} & set(names)
    least = beside.table_3(scored, "cifar10").set_index("compression")
    for row in frame[frame.compression.isin(least.index)].to_dict("records"):
        wanted = least[row["teacher"]][row["compression"]] * 1e7
        assert row["nonzero_params"] == pytest.approx(wanted)
        assert row["total"] == 12.5
    plain = frame[frame.compression == "SimKD"]
    assert (plain["bytes float32"] == 4 * plain.params).all()
    assert (plain["bytes shared8"] == 77).all()
    masked = frame[frame.compression == "magnitude pruning"]
    assert (masked.role == "teacher").all()
    assert (masked["bytes float32"] < 4 * masked.params).all()
    section = tables.compression_tables(scored, **full, spent=spent, codings=codings)
    labels = [label for label, _ in section.blocks[2].columns]
    assert {"kB, float32", "kB, 8 bits", "MACs", "n seeds", "in all"} <= set(labels)
    beyond = pd.DataFrame(
        [{**scored.iloc[0], "method": "aofp", "level": 0.9, "note": "out of reach"}]
    )
    said = missing._levels(pd.concat([beyond, beyond.assign(sparsity=0.1)]))
    assert said == [f"AOFP, level 0.9 of {scored.teacher[0]} (CIFAR-10): out of reach."]
    alone = tables.compression_tables(scored)
    assert len(alone.blocks) == len(section.blocks) - 2


def test_wall_time_counts_what_ran_side_by_side_once():
    runs = [("10:00:00", 60.0), ("10:00:30", 60.0), ("10:00:40", 5.0), ("11:00:00", 7.0)]
    records = [
        {"started": f"2026-01-01T{start}+00:00", "seconds": seconds} for start, seconds in runs
    ]
    records.append({"started": "2026-01-01T12:00:00+00:00", "ended": "not yet, or killed"})
    assert ran.busy(records[::-1]) == 90 + 7


def test_a_frozen_page_counts_pairs_once():
    pairs = published.breakpoints().query("dataset == 'cifar10'").drop_duplicates(beside.PAIR)[:2]
    two, one = (
        frozen._pairs(study(pairs, distillers=by)["efficiency"], "student").caption
        for by in (("simkd", "kd"), ("simkd",))
    )
    assert two.endswith(". n = 2 pairs, 4 students")
    assert one.endswith(". n = 2 pairs")


def test_a_study_of_teachers_alone_has_an_answer():
    """It is the teachers'; where students were pruned, it is theirs."""
    pairs = published.breakpoints().query("dataset == 'cifar10'").drop_duplicates(beside.PAIR)
    scored = study(pairs)["efficiency"]
    scored = scored.assign(efficiency=scored.efficiency * np.linspace(1, 2, len(scored)))
    (row,) = headline.contrasts(significance(scored)).to_dict("records")
    assert row["role"] == "student"
    alone = scored[scored.role == "teacher"]
    (row,) = headline.contrasts(significance(alone)).to_dict("records")
    teachers = alone.teacher.nunique()
    (told,) = headline.headlines(alone, significance(alone))
    assert (told.role, told.unit, told.n) == ("teacher", "teacher", teachers)
    assert 0 < told.wins <= teachers
    assert frozen._pairs(alone, "teacher").caption.endswith(f". n = {teachers} teachers")
    answer = frozen._answer(row, 0.95)
    assert answer.lead.startswith("CIFAR-10, teachers: ")
    assert f"n = {teachers} teachers" in answer.text
