"""Recommendations: chosen on validation accuracy within the limits, from stored results alone."""

import json
import math
import shlex

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from kdprune.__main__ import main
from kdprune.cli import candidates, parser
from kdprune.config.grid import expand
from kdprune.data.canonical import DATASETS
from kdprune.deployment import intervals
from kdprune.records import write_csv, write_json
from kdprune.study import sizes

SMALL = "resnet10_24-resnet10_16-simkd"
BIG = "resnet10_24"
SEEDS = 3
# network, method -> level: (nonzero, stored, validation, test)
CURVES = {
    (BIG, "weight"): {0.0: (1000, 1000, 80.0, 79.0), 0.5: (500, 1000, 79.5, 90.0)},
    (BIG, "channel"): {0.0: (1000, 1000, 80.0, 79.0), 0.5: (510, 510, 79.5, 70.0)},
    (SMALL, "weight"): {0.0: (400, 400, 75.0, 74.0), 0.5: (200, 400, 74.8, 73.0)},
    (SMALL, "channel"): {0.0: (400, 400, 75.0, 74.0), 0.5: (210, 210, 76.0, 10.0)},
}
SPREAD = (-1.0, 0.0, 1.0)


@pytest.fixture
def folder(tmp_path, values):
    """A study of one teacher and one student with the curves above."""
    values["pairs"] = ["resnet10_24/resnet10_16"]
    methods = {"distill": values["distill"]["method"], "prune": values["prune"]["method"]}
    chosen = {name: values[name] for name in ("datasets", "pairs")}
    values["grid"] = expand(**chosen, **methods, roles=values["prune"]["roles"])
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    for (name, method), levels in CURVES.items():
        rows = [
            {
                "seed": seed,
                "level": level,
                "params": stored,
                "nonzero_params": nonzero,
                "macs": stored * 10,
                "val_accuracy": val + SPREAD[seed] / 10,
                "test_accuracy": test + SPREAD[seed],
            }
            for level, (nonzero, stored, val, test) in levels.items()
            for seed in range(SEEDS)
        ]
        path = tmp_path / "metrics" / "sweeps" / f"cifar10-{name}-{method}.csv"
        write_csv(path, pd.DataFrame(rows))
    return tmp_path


def measure(folder, times, **more):
    rows = [
        {"dataset": "cifar10", "teacher": BIG}
        | ({} if name == BIG else {"student": "resnet10_16", "distill": "simkd"})
        | {"method": method, "level": level, "batch": batch, "device": "a calculator"}
        | {"latency_ms_p25": time, **more}
        for (name, method, level, batch), time in times.items()
    ]
    write_csv(folder / "metrics" / "measure.csv", pd.DataFrame(rows))


def ask(folder, capsys, *arguments, status=0):
    found = main(["recommend", "--project", str(folder), "--json", *arguments])
    assert found == status
    return json.loads(capsys.readouterr().out)


def test_the_best_on_validation_wins_and_the_smaller_of_equals(folder, capsys):
    answer = ask(folder, capsys)
    assert (answer["candidates"], answer["within_limits"]) == (6, 6)  # level 0 counts once
    assert (answer["winner"]["network"], answer["winner"]["method"]) == (BIG, "none")
    answer = ask(folder, capsys, "--max-params", "600")
    # two are equal on validation; the test accuracies, 90 and 70, say nothing here
    assert (answer["winner"]["params"], answer["winner"]["method"]) == (500, "weight")
    assert (answer["runner_up"]["params"], answer["runner_up"]["method"]) == (510, "channel")
    answer = ask(folder, capsys, "--max-params", "0.3k")
    # 76 % on validation wins though its test accuracy is 10 %
    assert (answer["winner"]["network"], answer["winner"]["method"]) == (SMALL, "channel")
    assert answer["runner_up"]["method"] == "weight"


def test_numbers_come_with_their_interval(folder, capsys):
    winner = ask(folder, capsys, "--max-params", "600")["winner"]
    tests = [90 + spread for spread in SPREAD]
    seeds = stats.t.interval(0.95, SEEDS - 1, 90, stats.sem(tests))[1] - 90
    images = stats.binomtest(900, 1000).proportion_ci(method="wilson")  # the embedded test images
    below, above = (np.hypot(seeds, 100 * abs(end - 0.9)) for end in images)
    assert (winner["test_low"], winner["test_high"]) == pytest.approx((90 - below, 90 + above))
    assert (winner["seeds"], winner["test_accuracy"]) == (SEEDS, pytest.approx(90))
    assert winner["drop"] == pytest.approx(0.5)


@pytest.mark.parametrize(("right", "images"), [(0, 30), (30, 30), (7, 10), (555, 1000)])
def test_the_interval_of_images_is_wilsons(right, images):
    told = stats.binomtest(right, images).proportion_ci(method="wilson")
    found = intervals.wilson(100 * right / images, images)
    assert found == pytest.approx((100 * told.low, 100 * told.high), abs=1e-9)
    assert intervals.of_a_mean([100 * right / images], images) == pytest.approx(found)


def test_intervals_hold_what_tells():
    assert intervals.t_interval([5.0]) == (None, None)
    assert intervals.of_a_mean([50.0], None) == (None, None)
    assert intervals.of_a_mean([50.0, 52.0], None) == pytest.approx(intervals.t_interval([50, 52]))
    alike = intervals.of_a_mean([50.0] * 100, 25)  # many seeds make up for no images
    assert alike == pytest.approx(intervals.wilson(50.0, 25))
    low, high = intervals.of_a_mean([0.5, 99.5], 25)
    assert (low, high) == (0, 100)


def test_the_number_of_images_is_the_manifests_first(folder, capsys):
    assert ask(folder, capsys)["test_images"] == 1000
    write_json(folder / "data" / "cifar10" / "manifest.json", {"images": {"test": 40}})
    answer = ask(folder, capsys)
    assert answer["test_images"] == 40
    assert answer["winner"]["test_high"] - answer["winner"]["test_low"] > 20
    assert main(["recommend", "--project", str(folder)]) == 0
    assert "on 40 images, n = 3 fine-tuning seeds" in capsys.readouterr().out
    write_json(folder / "data" / "cifar10" / "manifest.json", {"images": "many"})
    assert ask(folder, capsys)["test_images"] == 1000


def test_drops_are_against_the_best_network_or_its_own_start(folder, capsys):
    both = ("--max-params", "400", "--max-drop")
    assert ask(folder, capsys, *both, "4")["within_limits"] == 1  # 76 against 80: exactly 4
    assert ask(folder, capsys, *both, "3.99", status=1)["within_limits"] == 0
    own = ask(folder, capsys, *both, "0", "--drop-from", "own")
    assert own["within_limits"] == 2
    assert own["winner"]["drop"] == pytest.approx(-1)
    fifth = ("--max-params", "200", "--drop-from", "own", "--max-drop", "0.2")
    assert ask(folder, capsys, *fifth)["winner"]["drop"] == pytest.approx(0.2)  # 75 against 74.8


def test_latency_is_that_of_the_batch_and_needs_a_measurement(folder, capsys):
    limit = ("recommend", "--project", str(folder), "--max-latency", "5ms")
    assert main(limit) == 2
    error = capsys.readouterr().err
    assert "measure has not run" in error
    assert error.count("\n") == 1
    times = {
        (BIG, "none", 0.0, 1): 9.0,
        (BIG, "channel", 0.5, 1): 5.0,
        (SMALL, "channel", 0.5, 1): 2,
    }
    measure(folder, {**times, (BIG, "weight", 0.5, 64): 1.0})
    answer = ask(folder, capsys, "--max-latency", "5ms")
    assert answer["within_limits"] == 2  # what was not measured is not within a limit
    assert (answer["winner"]["method"], answer["winner"]["latency_ms"]) == ("channel", 5.0)
    assert (answer["device"], answer["runtime"]) == ("a calculator", "torch")
    assert main(limit) == 0
    assert "latency 5 ms at batch 1 in PyTorch on a calculator" in capsys.readouterr().out
    assert ask(folder, capsys, "--max-latency", "0.002s")["winner"]["network"] == SMALL
    answer = ask(folder, capsys, "--max-latency", "5", "--batch", "64")
    assert (answer["within_limits"], answer["winner"]["latency_ms"]) == (1, 1.0)
    assert main([*limit, "--batch", "7"]) == 2
    assert "batches: 1, 64" in capsys.readouterr().err


def test_latency_is_that_of_the_runtime_that_exports_are_for(folder, capsys):
    at = {(BIG, "none", 0.0, 1): 9.0, (BIG, "channel", 0.5, 1): 5.0}
    measure(folder, at, runtime="torch")
    slow = pd.read_csv(folder / "metrics" / "measure.csv")
    measure(folder, {key: time / 4 for key, time in at.items()}, runtime="onnx")
    both = pd.concat([slow, pd.read_csv(folder / "metrics" / "measure.csv")])
    write_csv(folder / "metrics" / "measure.csv", both)
    answer = ask(folder, capsys, "--max-latency", "3ms")
    assert (answer["runtime"], answer["winner"]["latency_ms"]) == ("onnx", 9 / 4)
    assert "--format onnx" in answer["winner"]["export"]
    answer = ask(folder, capsys, "--max-latency", "5ms", "--runtime", "torch")
    assert (answer["runtime"], answer["winner"]["method"]) == ("torch", "channel")
    assert main(["recommend", "--project", str(folder), "--max-latency", "3ms"]) == 0
    assert "2.25 ms at batch 1 in ONNX Runtime on a calculator" in capsys.readouterr().out
    write_csv(folder / "metrics" / "measure.csv", slow)
    asked = ["recommend", "--project", str(folder), "--max-latency", "3ms", "--runtime", "onnx"]
    assert main(asked) == 2
    assert "it has torch" in capsys.readouterr().err
    assert main([*asked[:3], "--runtime", "onnx"]) == 0  # no limit asks for a time
    assert " ms at batch " not in capsys.readouterr().out


def test_noise_is_within_no_limit(folder, capsys):
    measure(folder, {(BIG, "none", 0.0, 1): 1.0, (BIG, "channel", 0.5, 1): 1.0}, steady=False)
    noisy = pd.read_csv(folder / "metrics" / "measure.csv")
    measure(folder, {(SMALL, "channel", 0.5, 1): 4.0}, steady=True)
    write_csv(
        folder / "metrics" / "measure.csv",
        pd.concat([noisy, pd.read_csv(folder / "metrics" / "measure.csv")]),
    )
    answer = ask(folder, capsys, "--max-latency", "5ms")
    assert (answer["within_limits"], answer["winner"]["network"]) == (1, SMALL)
    assert answer["noisy"] == 3  # BIG unpruned, cut, and masked, which takes as long as unpruned
    asked = ["recommend", "--project", str(folder), "--max-latency"]
    assert main([*asked, "5ms"]) == 0
    assert "The times of 3 candidates are noise" in capsys.readouterr().out
    assert main([*asked, "1ms"]) == 1
    assert "--max-latency 1 is kept by 0; nearest, 3 ms over" in capsys.readouterr().out
    write_csv(folder / "metrics" / "measure.csv", noisy)
    assert main([*asked, "5ms"]) == 1
    assert "is noise" in capsys.readouterr().out
    assert main(asked[:3]) == 0  # without a limit they are shown, and marked
    assert "1 ms at batch 1 in PyTorch on a calculator; this is noise" in capsys.readouterr().out


def test_masks_at_any_level_take_the_unpruned_networks_time(folder, capsys):
    """The measured time of a masked network is another only by noise; it decides nothing."""
    measure(folder, {(BIG, "none", 0.0, 1): 3.0, (BIG, "weight", 0.5, 1): 99.0})
    answer = ask(folder, capsys, "--max-params", "505", "--max-latency", "3ms")
    assert (answer["winner"]["method"], answer["winner"]["latency_ms"]) == ("weight", 3.0)


def test_networks_of_one_graph_take_the_lowest_of_their_steady_times(folder, capsys):
    at = [(SMALL, "none", 0.0, 1), (BIG, "none", 0.0, 1)]
    rows = []
    for key, time, steady in ((at[0], 4.0, True), (at[1], 6.0, True), (at[1], 1.0, False)):
        measure(folder, {key: time}, graph="g1", steady=steady)
        rows.append(pd.read_csv(folder / "metrics" / "measure.csv"))
    write_csv(folder / "metrics" / "measure.csv", pd.concat(rows))
    answer = ask(folder, capsys)
    assert (answer["winner"]["network"], answer["winner"]["latency_ms"]) == (BIG, 4.0)
    # on two devices, the slower one counts
    both = pd.concat([*rows, rows[1].assign(device="an abacus", latency_ms_p25=70.0)])
    write_csv(folder / "metrics" / "measure.csv", both)
    answer = ask(folder, capsys)
    assert answer["winner"]["latency_ms"] == 70.0
    assert answer["device"] == "a calculator and an abacus"


@pytest.mark.parametrize(("level", "told"), [(0.0, "0"), (0.5, "0.5"), (0.7902848, "0.7902848")])
def test_a_level_is_written_so_that_export_finds_it(level, told):
    assert candidates.written(level) == told


def test_the_export_line_names_the_choice(folder, capsys):
    asked = ["recommend", "--project", str(folder), "--max-params"]
    line = f"python -m kdprune export cifar10-{BIG} --method weight --level 0.5 --project {folder}"
    assert main([*asked, "600"]) == 0
    assert f"export     {line}\n" in capsys.readouterr().out
    assert ask(folder, capsys, "--max-params", "600")["winner"]["export"] == line
    unpruned = ask(folder, capsys)["winner"]["export"]
    assert "--method channel --level 0 " in unpruned  # the first sweep of the grid
    given = parser().parse_args(shlex.split(line)[3:])
    assert (given.network, given.method, given.level) == (f"cifar10-{BIG}", "weight", 0.5)


def test_what_fails_is_told_with_the_nearest(folder, capsys):
    answer = ask(folder, capsys, "--max-params", "450", "--max-drop", "1", status=1)
    assert answer["winner"] is None
    params, drop = sorted(answer["shortfalls"], key=lambda item: item["limit"], reverse=True)
    assert (params["limit"], params["excess"], params["others"]) == ("max_params", 50, 0)
    assert (params["nearest"]["network"], params["alone"]) == (BIG, 3)
    assert (drop["limit"], drop["others"]) == ("max_drop", 0)
    assert drop["excess"] == pytest.approx(3)  # 76 is 4 below 80
    assert (drop["nearest"]["network"], drop["nearest"]["method"]) == (SMALL, "channel")
    assert main(["recommend", "--project", str(folder), "--max-params", "100"]) == 1
    told = capsys.readouterr().out
    assert "100 parameters over" in told
    assert "kept by 0" in told


def test_masks_are_not_called_smaller(folder, capsys):
    said = "zeroed weights make a network no faster"
    arguments = ["recommend", "--project", str(folder), "--max-params"]
    assert main([*arguments, "505"]) == 0
    assert capsys.readouterr().out.count(said) == 1  # the winner's; the runner-up was cut
    assert main([*arguments, "205"]) == 0
    assert said in capsys.readouterr().out


def test_only_the_grids_sweeps_count(folder, capsys):
    better = folder / "metrics" / "sweeps" / "cifar10-resnet99-weight.csv"
    table = pd.read_csv(folder / "metrics" / "sweeps" / f"cifar10-{BIG}-weight.csv")
    write_csv(better, table.assign(val_accuracy=99.0))
    assert ask(folder, capsys)["winner"]["network"] == BIG
    (folder / "metrics" / "sweeps" / f"cifar10-{SMALL}-weight.csv").unlink()
    assert main(["recommend", "--project", str(folder)]) == 2
    assert "run `dvc repro`" in capsys.readouterr().err


def test_the_committed_results(root, capsys):
    """Against pandas, computed another way: no candidate within the limits beats the winner."""
    grid = yaml.safe_load((root / "params.yaml").read_text())["grid"]["sweeps"]
    tables = [pd.read_csv(root / "metrics" / "sweeps" / f"{key}.csv") for key in grid]
    rows = pd.concat(tables).fillna("")
    who = ["teacher", "student", "distill", "method", "level", "nonzero_params"]
    means = rows.groupby(who)[["val_accuracy", "test_accuracy"]].mean().reset_index()
    best = means[means.level == 0].val_accuracy.max()
    limit = means[means.level > 0].nonzero_params.median()
    within = means[(means.nonzero_params <= limit) & (best - means.val_accuracy <= 10 + 1e-9)]
    answer = ask(root, capsys, "--max-params", str(limit), "--max-drop", "10")
    assert len(within) >= answer["within_limits"] > 0  # unpruned networks are in two sweeps
    assert answer["winner"]["val_accuracy"] == pytest.approx(within.val_accuracy.max())
    equal = within[within.val_accuracy > within.val_accuracy.max() - 1e-9]
    assert answer["winner"]["params"] == equal.nonzero_params.min()
    chosen = equal[equal.nonzero_params == answer["winner"]["params"]].iloc[0]
    assert answer["winner"]["test_accuracy"] == pytest.approx(chosen.test_accuracy)
    assert answer["winner"]["seeds"] == rows.seed.nunique()


@pytest.mark.parametrize(
    ("text", "value"), [("2M", 2e6), ("200k", 2e5), ("1.5m", 1.5e6), ("5000", 5000)]
)
def test_parameters_are_read(text, value):
    from kdprune.cli.quantities import params

    assert params(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("5ms", 5), ("800us", 0.8), ("0.01s", 10), ("7", 7), ("5 MS", 5)]
)
def test_times_are_read(text, value):
    from kdprune.cli.quantities import milliseconds

    assert math.isclose(milliseconds(text), value)


@pytest.mark.parametrize(("text", "value"), [("100k", 1e5), ("0.5MB", 5e5), ("20000", 20000)])
def test_sizes_are_read(text, value):
    from kdprune.cli.quantities import size

    assert size(text) == value


SAID = sizes.NOTES + len(json.dumps(DATASETS["cifar10"].classes))  # what a file says of itself


def sized(folder, held, codings=()):
    """Write what networks take as files at most: (name, method, level), with coding if coded."""
    base = {"dataset": "cifar10", "teacher": BIG}
    student = {"student": "resnet10_16", "distill": "simkd"}
    rows = [
        base
        | (student if name == SMALL else {})
        | {"method": method, "level": level, "batch": 1, "device": "a calculator"}
        | {
            "latency_ms_p25": 1.0,
            "dense_bytes": stored - SAID,
            "zstd_bytes": 1,  # of files that no command writes
            "sparse_bytes": 1,
        }
        for (name, method, level), stored in held.items()
    ]
    write_csv(folder / "metrics" / "measure.csv", pd.DataFrame(rows))
    rows = [
        base
        | (student if name == SMALL else {})
        | {"role": "teacher", "method": method, "level": level, "coding": coding}
        | {
            "params": 9,
            "nonzero_params": 9,
            "macs": 90,
            "bytes": stored - SAID,
            "val_accuracy": val,
        }
        | {"test_accuracy": val - 1}
        for (name, method, level, coding), (stored, val) in dict(codings).items()
    ]
    write_csv(folder / "metrics" / "codings.csv", pd.DataFrame(rows))


def test_bytes_are_those_of_files_as_they_are_and_coded(folder, capsys):
    assert main(["recommend", "--project", str(folder), "--max-bytes", "30k"]) == 2
    assert "--max-bytes: no network's bytes are known" in capsys.readouterr().err
    sizes = {
        (BIG, "none", 0.0): 40_000,
        (BIG, "channel", 0.5): 20_400,
        (SMALL, "weight", 0.5): 9000,
    }
    sized(folder, sizes)
    answer = ask(folder, capsys, "--max-bytes", "30k")
    assert "--format safetensors" in answer["winner"]["export"]  # whose bytes are limited
    assert (answer["candidates"], answer["within_limits"]) == (6, 2)  # of the others, none is known
    assert (answer["winner"]["bytes"], answer["winner"]["method"]) == (20_400, "channel")
    coded = {
        (BIG, "channel", 0.0, "shared5"): (7000, 79.9),
        (BIG, "weight", 0.0, "shared5"): (7000, 79.9),  # the same network: counted once
        (BIG, "channel", 0.5, "shared5"): (4000, 79.0),
    }
    sized(folder, sizes, coded)
    answer = ask(folder, capsys, "--max-bytes", "10kb")
    assert (answer["candidates"], answer["within_limits"]) == (8, 3)
    winner = answer["winner"]
    assert (winner["coding"], winner["bytes"], winner["level"]) == ("shared5", 7000, 0)
    assert winner["drop"] == pytest.approx(0.1)  # from what is not coded
    assert ask(folder, capsys, "--max-params", "9", status=1)["candidates"] == 6  # as before
    assert main(["recommend", "--project", str(folder), "--max-bytes", "5000"]) == 0
    told = capsys.readouterr().out
    assert "--format compressed --coding shared5" in told
    assert "channel pruning at level 0.5, as shared5" in told
    assert "file of at most 4,000 bytes, shared5" in told
    assert main(["recommend", "--project", str(folder), "--max-bytes", "1000"]) == 1
    assert "nearest, 3,000 bytes over" in capsys.readouterr().out


@pytest.mark.parametrize(
    "bad", ["--max-bytes=much", "--max-params=2x", "--max-drop=-1", "--max-latency=nan"]
)
def test_limits_that_are_none(bad, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["recommend", bad])
    assert stopped.value.code == 2
    assert "write" in capsys.readouterr().err


def test_a_study_of_several_data_sets_wants_one_named(folder, capsys):
    values = yaml.safe_load((folder / "params.yaml").read_text())
    values["datasets"].append("cifar100")
    values["data"]["source"] = "auto"
    methods = {"distill": values["distill"]["method"], "prune": values["prune"]["method"]}
    chosen = {name: values[name] for name in ("datasets", "pairs")}
    values["grid"] = expand(**chosen, **methods, roles=values["prune"]["roles"])
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    assert main(["recommend", "--project", str(folder)]) == 2
    assert "cifar10, cifar100" in capsys.readouterr().err
    assert ask(folder, capsys, "--dataset", "cifar10")["dataset"] == "cifar10"
    assert main(["recommend", "--project", str(folder), "--dataset", "cifar"]) == 2
    assert "did you mean" in capsys.readouterr().err


def test_a_network_as_trained_is_a_candidate_and_what_drops_count_from(folder, capsys):
    result = {"dataset": "cifar10", "role": "teacher", "teacher": BIG, "student": "", "distill": ""}
    result |= {"params": 1000, "macs": 10_000, "val_accuracy": 82.0, "test_accuracy": 81.0}
    path = folder / "metrics" / "teach" / f"cifar10-{BIG}.json"
    write_json(path, result)
    measure(folder, {(BIG, "none", 0.0, 1): 2.0})
    answer = ask(folder, capsys)
    winner, second = answer["winner"], answer["runner_up"]
    assert answer["candidates"] == 7
    assert (winner["method"], winner["seeds"], winner["drop"]) == ("trained", 1, 0.0)
    images = stats.binomtest(810, 1000).proportion_ci(method="wilson")
    assert (winner["test_low"], winner["test_high"]) == pytest.approx(
        (100 * images.low, 100 * images.high)
    )
    assert winner["latency_ms"] == 2.0
    line = f"cifar10-{BIG} --as-trained --format torch --project {folder}"
    assert winner["export"].endswith(line)
    assert second["drop"] == pytest.approx(2.0)
    assert ask(folder, capsys, "--max-drop", "1")["within_limits"] == 1
    own = ask(folder, capsys, "--max-drop", "1", "--drop-from", "own")
    assert own["within_limits"] == 4  # the teacher as trained, and the student's three levels
    assert main(["recommend", "--project", str(folder)]) == 0
    assert "as trained" in capsys.readouterr().out
    path.write_text("{}")
    assert main(["recommend", "--project", str(folder)]) == 2
    assert "is damaged" in capsys.readouterr().err


DAMAGE = {
    "nan": ("val_accuracy", "nan", "val_accuracy is missing or holds no number"),
    "infinite": ("test_accuracy", "inf", "test_accuracy is missing or holds no number"),
    "empty": ("macs", "", "macs is missing or holds no number"),
    "above all": ("val_accuracy", "101", "val_accuracy = 101: must be a number from 0 to 100"),
    "below none": ("params", "-5", "params = -5: must be a whole number of 0 or more"),
    "a part": ("nonzero_params", "3.5", "nonzero_params = 3.5: must be a whole number"),
    "no level": ("level", "1.5", "level = 1.5: must be a number from 0 to 1"),
    "a row twice": ("seed", "1", "not every seed has every level, once each"),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_tables_are_refused(how, folder, capsys):
    column, value, told = DAMAGE[how]
    path = folder / "metrics" / "sweeps" / f"cifar10-{BIG}-weight.csv"
    table = pd.read_csv(path, dtype=str)
    table.loc[0, column] = value
    table.to_csv(path, index=False)
    assert main(["recommend", "--project", str(folder), "--max-params", "1M"]) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert path.name in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)


@pytest.mark.parametrize("text", ["NaN", "-1", "true", '"80"x', "[]", "1e400", "9" * 400])
def test_damaged_results_are_refused(text, folder, capsys):
    path = folder / "metrics" / "teach" / f"cifar10-{BIG}.json"
    result = {"dataset": "cifar10", "role": "teacher", "teacher": BIG, "student": "", "distill": ""}
    result |= {"params": 1000, "macs": 5, "val_accuracy": 7777, "test_accuracy": 70.0}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result).replace("7777", text))
    assert main(["recommend", "--project", str(folder), "--max-params", "1M"]) == 2
    assert path.name in capsys.readouterr().err


CODED = {(BIG, "channel", 0.5, "shared5"): (4000, 79.0)}


def codings(folder, column, value):
    sized(folder, {(BIG, "none", 0.0): 40_000}, CODED)
    path = folder / "metrics" / "codings.csv"
    pd.read_csv(path, dtype=str).assign(**{column: value}).to_csv(path, index=False)


@pytest.mark.parametrize("limit", ["5000", "1000"])
def test_names_in_a_table_reach_the_terminal_as_escapes(limit, folder, capsys):
    codings(folder, "method", "chan\x1b[31mRED\x1b]0;title\x07")
    assert main(["recommend", "--project", str(folder), "--max-bytes", limit]) == (limit == "1000")
    told = capsys.readouterr().out
    assert r"chan\x1b[31mRED\x1b]0;title\x07 pruning at level 0.5" in told
    assert "\x1b" not in told
    assert "\x07" not in told


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("teacher", "resnet99", "network resnet99 has no sweep in the study"),
        ("coding", "sharedx", "coding sharedx is none; allowed: float32, int8"),
        ("coding", "shared9", "coding shared9 is none"),
        ("coding", "", "coding of no name is none"),
    ],
)
def test_codings_of_no_network_or_no_coding_are_refused(column, value, said, folder, capsys):
    codings(folder, column, value)
    assert main(["recommend", "--project", str(folder), "--max-bytes", "1M"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert "codings.csv" in line
