"""Tables of studies that never ran: the paper's pairs, curves that break where they are told to."""

import zlib

import numpy as np
import pandas as pd
from conftest import ROOT, some

from kdprune.analysis.breakpoints import breakpoints
from kdprune.analysis.efficiency import efficiency
from kdprune.analysis.significance import significance
from kdprune.records import read_json
from kdprune.reporting.figures import pictures
from kdprune.reporting.paper import published
from kdprune.reporting.paper.beside import PAIR

LEVELS = [level / 10 for level in range(10)]
KEPT = {"weight": 6, "channel": 3}  # steps that the synthetic curves survive
SEEDS = 3
NAMES = ["dataset", "role", "teacher", "student", "distill", "method"]


def read(path) -> pd.DataFrame:
    frame = pd.read_csv(path)
    return frame.fillna({name: "" for name in NAMES if name in frame})


def analysed(sweeps, trained) -> dict:
    found = breakpoints(sweeps, resamples=50)
    scored = efficiency(found, trained)
    return {
        "sweeps": sweeps,
        "breakpoints": found,
        "efficiency": scored,
        "significance": significance(scored),
        "trained": trained,
    }


def network(dataset, role, teacher, student, distill, params, accuracy) -> dict:
    return {
        "dataset": dataset,
        "role": role,
        "teacher": teacher,
        "student": student,
        "distill": distill,
        "params": params,
        "encoder_params": params,
        "training_only_params": 0,
        "paper_params": params,
        "macs": 1_000_000,
        "dead_share": 0.25,
        "val_accuracy": accuracy,
        "test_accuracy": accuracy,
    }


def curve(item, method, spread=0) -> list[dict]:
    """A curve that keeps its accuracy for KEPT steps, and then loses 10 points a step.

    `spread` makes curves differ by up to so many steps.
    """
    identity = {name: item[name] for name in NAMES[:-1]} | {"method": method}
    rows = []
    steps = KEPT.get(method, 4) + (zlib.crc32(repr(identity).encode()) % (2 * spread + 1) - spread)
    for seed in range(SEEDS):
        for step, level in enumerate(LEVELS):
            accuracy = max(1, item["test_accuracy"] - 10 * max(0, step - steps))
            left = round(item["params"] * (1 - level))
            rows.append(
                {
                    **identity,
                    "seed": seed,
                    "level": level,
                    "ratio": level,
                    "sparsity": level,
                    "params": item["params"],
                    "nonzero_params": left,
                    "macs": 1_000_000,
                    "val_accuracy": accuracy,
                    "test_accuracy": accuracy,
                }
            )
    return rows


def twenty() -> pd.DataFrame:
    """Twenty pairs on two data sets: the paper's ten, and each with another student."""
    ten = published.breakpoints().query("dataset == 'cifar10'").drop_duplicates(PAIR)
    pairs = pd.concat([ten, ten.assign(student=ten.student + "_b")])
    return pd.concat([pairs, pairs.assign(dataset="cifar100")])


def study(pairs, distillers=("simkd",), methods=("weight", "channel"), spread=0) -> dict:
    """Trained networks with the paper's sizes and accuracies, all swept."""
    networks = {}
    for row in pairs.to_dict("records"):
        size, accuracy = round(row["teacher_params_1e7"] * 1e7), row["teacher_accuracy"]
        teacher = row["dataset"], "teacher", row["teacher"], "", ""
        networks.setdefault(teacher, network(*teacher, size, accuracy))
        for place, method in enumerate(distillers):
            student = row["dataset"], "student", row["teacher"], row["student"], method
            size = round(row["student_params_1e7"] * 1e7)
            accuracy = row["distilled_accuracy"] - place
            networks.setdefault(student, network(*student, size, accuracy))
    swept = []
    for item in networks.values():
        for name in methods:
            swept += curve(item, name, spread)
    return analysed(pd.DataFrame(swept), pd.DataFrame(networks.values()))


def layers(sweeps: pd.DataFrame, count: int = 20) -> pd.DataFrame:
    """What each of `count` layers keeps of 100 weights: the more, the nearer to the input."""
    once = sweeps[sweeps.seed == 0][[*NAMES, "level"]]
    depth = pd.DataFrame({"layer": [f"layer{at}" for at in range(count)], "kind": "conv"})
    table = once.merge(depth.assign(share=np.linspace(0.5, 1.5, count)), how="cross")
    left = (100 * (1 - table.level * table.share)).clip(0, 100).round()
    return table.drop(columns="share").assign(params=100, nonzero_params=left.astype(int))


def committed_tables() -> dict:
    """The tables of the committed results, as kdprune.reporting.report takes them."""
    metrics = ROOT / "metrics"
    parts = ("teach", "distill")
    networks = [path for part in parts for path in some(sorted(metrics.glob(f"{part}/*.json")))]
    sweeps = [read(path) for path in some(sorted(metrics.glob("sweeps/*.csv")))]
    return {
        "sweeps": pd.concat(sweeps, ignore_index=True),
        "trained": pd.DataFrame([read_json(path) for path in networks]),
        **{
            name: read(metrics / f"{name}.csv")
            for name in ("breakpoints", "efficiency", "significance")
        },
    }


def learning(trained: pd.DataFrame) -> dict:
    """A learning curve of five epochs for each network, which ends where the network stands."""
    keys = ["dataset", "teacher", "student", "distill"]
    names = trained.apply(lambda row: "-".join(filter(None, (row[key] for key in keys))), axis=1)
    return {
        name: pd.DataFrame({"epoch": range(1, 6), "val_accuracy": np.linspace(10, end, 5)})
        for name, end in zip(names, trained.val_accuracy, strict=True)
    }


def saved(tables, folder, layer_table=None):
    """All figures of a study, as text by name, and what the report takes."""
    folder.mkdir(exist_ok=True)
    made = layers(tables["sweeps"]) if layer_table is None else layer_table
    drawn = pictures.save(
        tables,
        made,
        folder,
        folder / "scratch",
        confidence=0.95,
        learned=learning(tables["trained"]),
    )
    return {name: item.path.read_text() for name, item in drawn.items()}, drawn
