"""Deployment numbers: sizes that can be counted by hand, and times that are times."""

import copy
import itertools
from pathlib import Path

import networks
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
import zstandard
from conftest import some
from safetensors.torch import save as serialise
from torch import nn

from kdprune import device, models
from kdprune.config.params import validate
from kdprune.deployment import latency, measure, runtimes
from kdprune.errors import KdpruneError
from kdprune.pruning import METHODS, trajectories
from kdprune.pruning.pruned import Pruned
from kdprune.records import write_csv
from kdprune.reporting.document.markdown import render
from kdprune.reporting.sections import tradeoff
from kdprune.reporting.sections.deployment import related, sections
from kdprune.study import checked
from kdprune.study import variants as forms
from kdprune.study.code import closure

FAST = {"repeats": 3, "least": 3, "rounds": 1}
TIMES = ["latency_ms_p25", "latency_ms_median", "latency_ms_p75"]


class Hand(nn.Module):
    """A convolution of 4 x 27 weights and a linear layer of 300 x 4 with 300 biases."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.head = nn.Linear(4, 300)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.conv(images).mean((2, 3)))


def sized(model):
    """A network for images of 8 x 8."""
    model.input_size = 8
    return model


def masks(model: nn.Module, share: float) -> dict[str, torch.Tensor]:
    """Keep the first `share` of both layers' weights."""
    found = {}
    for name in ("conv.weight", "head.weight"):
        weight = model.get_parameter(name)
        keep = torch.arange(weight.numel()) < round(share * weight.numel())
        found[name] = keep.view_as(weight)
    return found


def test_sizes_by_hand():
    model = Hand()
    found = measure.sizes(sized(model))
    assert found["macs"] == 4 * 27 * 64 + 1200
    assert found["params"] == found["nonzero_params"] == 108 + 1500
    file = serialise(model.state_dict())
    assert found["dense_bytes"] == found["sparse_bytes"] == len(file)
    assert len(file) - 4 * 1608 == 8 + int.from_bytes(file[:8], "little")  # the header alone
    assert found["sparse_form"] == "dense"
    compressor = zstandard.ZstdCompressor(level=measure.ZSTD_LEVEL)
    assert found["zstd_bytes"] == len(compressor.compress(file)) > len(file) / 2


def test_sparse_sizes_by_hand():
    model = Hand()
    found = measure.sizes(sized(model), masks(model, 0.5))
    assert found["nonzero_params"] == 54 + 600 + 300
    # a bit per weight: 108 / 8 rounded up, and 150; CSR of the head has 301 pointers for 600 values
    saved = (4 * 108 - 14 - 4 * 54) + (4 * 1200 - 150 - 4 * 600)
    assert found["dense_bytes"] - found["sparse_bytes"] == saved
    assert found["sparse_form"] == "bitmask"
    wide = nn.Linear(1000, 2, bias=False)
    keep = torch.zeros(2, 1000, dtype=torch.bool)
    keep[:, :5] = True
    saved = {form: measure._saved(keep, getattr(measure, form)) for form in ("_csr", "_bitmask")}
    # three pointers of 4 bytes; ten values of 4, and their columns of 2, for 1000 do not fit in 1
    assert saved == {"_csr": 8000 - 12 - 60, "_bitmask": 8000 - 250 - 40}
    assert measure._saved(torch.ones(2, 1000, dtype=torch.bool), measure._bitmask) == 0
    assert measure._saved(keep[0], measure._bitmask) == 4000 - 125 - 20  # a vector
    assert wide.weight.shape == keep.shape


def test_a_mask_saves_nothing_but_in_a_sparse_or_compressed_file():
    dense = networks.tiny()
    before = measure.sizes(dense)
    (masked,) = METHODS["weight"](dense, [0.8])
    found = measure.sizes(masked.model, masked.masks)
    for name in ("macs", "params", "dense_bytes"):
        assert found[name] == before[name], name
    assert found["nonzero_params"] == masked.nonzero_params < before["params"]
    assert found["sparse_bytes"] < found["dense_bytes"]
    assert found["zstd_bytes"] < before["zstd_bytes"]
    (cut,) = METHODS["channel"](dense, [0.5])
    found = measure.sizes(cut.model, cut.masks)
    for name in ("macs", "params", "dense_bytes", "zstd_bytes", "sparse_bytes"):
        assert found[name] < before[name], name
    assert found["nonzero_params"] == found["params"] == cut.params
    assert found["sparse_form"] == "dense"


def test_masked_channels_are_counted_with_their_norms():
    (masked,) = METHODS["channel"](networks.tiny(), [0.5], mode="mask")
    found = measure.sizes(masked.model, masked.masks)
    zeros = sum(int((~mask).sum()) for mask in masked.masks.values())
    assert found["params"] - found["nonzero_params"] == zeros > 0
    assert any(mask.dim() == 1 for mask in masked.masks.values())
    assert found["sparse_bytes"] < found["dense_bytes"]


def test_times_are_positive_and_ordered():
    model = networks.tiny()
    before = copy.deepcopy(model.state_dict())
    opened = runtimes.open_torch([model])
    (times,) = latency.latency(opened.calls, opened.images(2), repeats=5, least=2, rounds=1)
    assert 0 < times[TIMES[0]] <= times[TIMES[1]] <= times[TIMES[2]]
    assert times["repeats"] == 5
    once = {"repeats": 50, "least": 4, "seconds": 0, "rounds": 1}
    (times,) = latency.latency(opened.calls, opened.images(1), **once)
    assert times["repeats"] == 4
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the networks move; times are repeated for as long as by default."""
    now = [0.0]
    monkeypatch.delenv(latency.VARIABLE)
    monkeypatch.setattr(latency.time, "perf_counter", lambda: now[0])
    return now


def test_times_are_of_the_network_that_they_stand_beside(clock):
    """Each image takes a network its own time."""

    def network(seconds, batches):
        def call(images):
            batches.append(len(images))
            clock[0] += seconds * len(images) * (100 if len(batches) <= 6 else 1)

        return call

    slow, fast = [], []
    calls = [network(0.5, slow), network(0.25, fast)]
    first, second = latency.latency(calls, np.zeros(8), **FAST)
    assert [first[name] for name in TIMES] == [4000] * 3  # neither the first turns nor one image
    assert [second[name] for name in TIMES] == [2000] * 3
    assert slow == fast == [1, 8] * (latency.WARM_UP + 3)  # one round: both are calm


ROUND = {"repeats": 4, "least": 4}
WARM = [5] * latency.WARM_UP


def series(clock, milliseconds):
    """A network that takes these times for its batches, one after the other, and then over."""
    turns = itertools.cycle(milliseconds)

    def call(images):
        if len(images) > 1:
            clock[0] += next(turns) / 1e3

    return call


def test_a_disturbed_round_is_repeated_and_the_calmest_counts(clock):
    busy = [1, 9, 1, 9]
    call = series(clock, [*WARM, *busy, *WARM, 2, 2, 2, 2, *WARM, *busy])
    (times,) = latency.latency([call], np.zeros(2), **ROUND)
    assert [times[name] for name in TIMES] == pytest.approx([2, 2, 2])
    assert times["steady"]
    # noise that no round is without: it is marked, though its lower quartile is the lower
    (times,) = latency.latency([series(clock, busy)], np.zeros(2), **ROUND)
    assert times["latency_ms_p25"] == pytest.approx(1)
    assert latency.spread(times) == pytest.approx(8 / 5)
    assert not times["steady"]


def test_the_round_is_one_and_the_same_for_all_networks(clock):
    """Else a network would be judged by a quiet minute, and its rival by a busy one."""
    first = series(clock, [*WARM, 1, 5, 1, 5, *WARM, 3, 3, 3, 3])
    second = series(clock, [*WARM, 2, 2, 2, 2, *WARM, 6, 6, 6, 7])
    one, other = latency.latency([first, second], np.zeros(2), **ROUND)
    assert (one["latency_ms_p25"], other["latency_ms_p25"]) == pytest.approx((3, 6))


def test_how_long_disturbed_rounds_are_repeated_is_ones_own_choice(clock, monkeypatch):
    busy, calm = [*WARM, 1, 9, 1, 9], [*WARM, 2, 2, 2, 2]
    for told, median in (("0", 5), ("0.01", 5), ("1", 2)):  # the first round takes 45 ms
        monkeypatch.setenv(latency.VARIABLE, told)
        (times,) = latency.latency([series(clock, [*busy, *calm])], np.zeros(2), **ROUND)
        assert times["latency_ms_median"] == pytest.approx(median)
    for told in ("soon", "-1", "nan"):
        monkeypatch.setenv(latency.VARIABLE, told)
        with pytest.raises(KdpruneError, match=f"PATIENCE={told}: is no number of seconds"):
            latency.patience()


def variants() -> dict[str, Pruned]:
    dense = networks.tiny()
    made = {"none": Pruned(0.0, 0.0, 0.0, dense)}
    for method, level in (("weight", 0.8), ("channel", 0.5)):
        made[method] = next(METHODS[method](dense, [level]))
    return made


def test_networks_of_one_graph_share_one_time():
    rows = pd.DataFrame(measure.compare(variants(), (1, 2), ["torch"], **FAST))
    shared = rows.set_index(["method", "batch"])
    for batch in (1, 2):
        for name in (*TIMES, "graph"):
            assert shared[name]["none", batch] == shared[name]["weight", batch]
        assert shared.graph["none", batch] != shared.graph["channel", batch]
        assert shared.latency_ms_p25["none", batch] != shared.latency_ms_p25["channel", batch]


def test_a_graph_follows_from_layers_and_sizes_alone():
    basic = runtimes.graph(networks.tiny())
    assert runtimes.graph(networks.tiny(seed=1)) == basic
    strided = networks.tiny()
    strided.conv1.stride = (1, 1)  # the shapes are the same, the work is not
    larger = networks.tiny()
    larger.input_size = 64
    others = [strided, larger, networks.tiny("bottleneck"), networks.tiny(classes=9)]
    assert len({basic, *map(runtimes.graph, others)}) == 5


@pytest.mark.parametrize("family", networks.TINY)
def test_what_is_timed_in_a_runtime_is_the_network(family):
    model = networks.tiny(family)
    logits = {}
    for name in ("torch", "onnx"):
        opened = runtimes.RUNTIMES[name]([model])
        logits[name] = np.asarray(opened.calls[0](opened.images(5))).reshape(5, -1)
    assert np.abs(logits["torch"] - logits["onnx"]).max() < 1e-4 * np.abs(logits["torch"]).max()


def test_a_runtime_that_cannot_is_told_of_and_left_out(capsys):
    class Odd(Hand):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.special.bessel_j0(super().forward(images))  # ONNX has none

    rows = measure.compare({"none": Pruned(0.0, 0.0, 0.0, Odd())}, (1,), **FAST)
    assert {row["runtime"] for row in rows} == {"torch"}
    assert "it is not timed in onnx" in capsys.readouterr().err


def measured() -> pd.DataFrame:
    """The rows of one tiny network, with made-up times."""
    rows = pd.DataFrame(measure.compare(variants(), batches=(1, 4), **FAST))
    who = {"dataset": "cifar10", "role": "teacher", "teacher": "t", "student": "", "distill": ""}
    times = rows.method.map({"none": 8.0, "weight": 8.0, "channel": 6.0}) * rows.batch
    return rows.assign(**who, latency_ms_p25=times, steady=True)


def costs(text: str) -> dict[tuple[str, str], list[str]]:
    """The first table of the document: median, lowest, highest and n, by pruning and cost."""
    first = text.split("## Sizes")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in some(first.splitlines())
        if line.startswith("|")
    ]
    return {(row[0], row[1]): row[2:] for row in rows[2:]}


def test_the_document_says_what_the_rows_say():
    rows = measured()
    assert list(zip(rows.method, rows.runtime, rows.batch, strict=True)) == [
        (method, runtime, batch)
        for method in ("none", "weight", "channel")
        for runtime in ("onnx", "torch")
        for batch in (1, 4)
    ]
    frame = related(rows).set_index(["method", "runtime", "batch"])
    assert frame.time_ratio["weight", "onnx", 1] == 1
    assert frame.time_ratio["channel", "torch", 4] == 0.75
    assert frame.kind["weight", "onnx", 1] == "weight, masked"
    assert frame.kind["channel", "onnx", 1] == "channel, removed"
    assert frame.per_second["channel", "onnx", 1] == pytest.approx(1000 / 6)
    text = render("numbers", sections(rows), Path())
    assert costs(text)["weight, masked", "MACs"] == ["1.00", "1.00", "1.00", "1"]
    slow = "time in ONNX Runtime, 4 images at a time"
    assert costs(text)["channel, removed", slow] == ["0.75", "0.75", "0.75", "1"]
    assert "Forward pass in PyTorch, 4 images at a time" in text
    assert device.device_name(torch.device("cpu")) in text.replace("\\", "")
    alone = render("numbers", sections(rows[rows.method == "none"]), Path())
    assert "all broke at once" in alone


def test_the_document_gives_no_ratio_of_noise():
    rows = measured()
    rows.loc[(rows.method == "channel") & (rows.runtime == "onnx"), "steady"] = False
    text = render("numbers", sections(rows), Path())
    told = costs(text)
    assert told["channel, removed", "time in ONNX Runtime, 1 image at a time"] == [
        *["noise"] * 3,
        "0",
    ]
    assert told["channel, removed", "time in PyTorch, 1 image at a time"][0] == "0.75"
    each = text.split("## Times")[1].splitlines()
    assert [line.split("|")[-3].strip() for line in each if "noise |" in line] == ["noise"] * 2


def test_the_stage(root, tmp_path, monkeypatch, values):
    """It prunes as the sweeps do, and leaves out what broke at once."""
    monkeypatch.syspath_prepend(root)
    monkeypatch.chdir(tmp_path)
    from stages import measure as stage

    described = {"timm_name": "resnet18", "classes": 10, "stem": "imagenet"}
    described["kwargs"] = networks.TINY["basic"][1]
    rows = []
    for key, item in values["grid"]["sweeps"].items():
        if not (tmp_path / item["checkpoint"]).exists():
            models.save(item["checkpoint"], networks.tiny(), {"network": described})
        level = 0.0 if key == "cifar10-densenet21_16-channel" else 0.5
        rows.append({**{k: v for k, v in item.items() if k != "checkpoint"}, "level": level})
    values["prune"]["channel"]["mode"] = "mask"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    form = checked.KINDS["breakpoints"]
    figures = dict.fromkeys([*form.numbers.split(), *form.figures.split()], 0.5)
    del figures["level"]
    figures |= {"test_accuracy": 50.0, "dense_test_accuracy": 51.0}
    write_csv("metrics/breakpoints.csv", pd.DataFrame(rows).assign(**figures))
    quick = measure.compare
    monkeypatch.setattr(measure, "compare", lambda made: quick(made, (1, 2), ["torch"], **FAST))
    threads = torch.get_num_threads()
    try:
        for key in values["grid"]["networks"]:
            stage.main(key)
    finally:
        torch.set_num_threads(threads)
    found = pd.read_csv("metrics/measure.csv", keep_default_na=False)
    who = ["teacher", "student", "distill"]
    assert len(found) == 2 * (5 * 3 - 1)
    assert not found.duplicated([*who, "method", "batch"]).any()
    assert set(found[found.method == "none"].level) == {0.0}
    assert set(found[found.method != "none"].level) == {0.5}
    broken = found[(found.teacher == "densenet21_16") & (found.student == "")]
    assert set(broken.method) == {"none", "weight"}
    assert (found.params == found.params[0]).all()  # masks: the mode that params.yaml names
    assert (found[found.method != "none"].nonzero_params < found.params[0]).all()
    for name in ("deployment.md", "deployment.html"):
        assert "channel, masked" in (tmp_path / "plots" / name).read_text()


def test_what_trained_on_its_way_and_is_not_here_is_told_of(tmp_path, monkeypatch, values, capsys):
    """A clone may have checkpoints and no models/sparse: the rest is measured all the same."""
    monkeypatch.chdir(tmp_path)
    levels = {"none": 0.0, "weight": 0.5, "magnitude": 0.5, "pqk-kd": 0.5}
    trajectories.declare(Path("models/sparse/a-pqk"), [0.5], [0.5], 1.0)
    here = forms.here("a", levels)
    assert here == {"none": 0.0, "weight": 0.5, "pqk-kd": 0.5}
    assert capsys.readouterr().err == (
        "models/sparse/a-magnitude: is not here to be measured; `dvc pull` gets it\n"
    )
    params, model = validate(values), networks.tiny()
    trajectories.store(
        Path("models/sparse/a-pqk"), next(METHODS["weight"](model, [0.5])), dense=model
    )
    made = forms.made(params, "a", "cifar10", model, {}, here)
    assert [*made] == [*here]
    assert made["none"].model is model
    assert made["weight"].nonzero_params == made["pqk-kd"].nonzero_params < made["none"].params


def test_the_document_needs_no_torch(root):
    for file in some(closure("kdprune/reporting/sections/deployment.py")):
        assert "import torch" not in (root / file).read_text(), file


def test_accuracy_stands_beside_every_cost():
    """A network, unpruned and at the breakpoints of two prunings; one time did not settle."""
    who = {"dataset": "cifar10", "role": "student", "teacher": "a", "student": "b", "distill": "kd"}
    costs_ = {"none": (0.0, 4.0, 9), "weight": (0.5, 4.0, 6), "channel": (0.3, 3.0, 7)}
    measured = pd.DataFrame(
        {**who, "method": method, "level": level, "runtime": runtime, "batch": 1}
        | {"latency_ms_p25": ms, "steady": (method, runtime) != ("channel", "torch")}
        | {"dense_bytes": 9e6, "zstd_bytes": size * 1e6, "sparse_bytes": 9e6}
        | {"nonzero_params": size * 1e5}
        for method, (level, ms, size) in costs_.items()
        for runtime in ("onnx", "torch")
    )
    curves = pd.DataFrame(
        {
            **who,
            "method": method,
            "level": level,
            "test_accuracy": 50.0,
            "dense_test_accuracy": 51.0,
        }
        for method, level in (("weight", 0.5), ("channel", 0.3), ("lamp", 0.0))
    )
    rows, axes = tradeoff.table(measured, curves)
    assert [*axes][:2] == ["ms a pass of 1 image, ONNX Runtime", "ms a pass of 1 image, PyTorch"]
    assert [*rows.pruning] == ["weight pruning"] * 2 + ["channel pruning"] * 2  # lamp broke at once
    assert [*rows.accuracy] == [51.0, 50.0, 51.0, 50.0]
    assert [*rows.megabytes] == [9, 6, 9, 7]
    assert [*rows.params] == [0.9, 0.6, 0.9, 0.7]
    assert [*rows.ms0] == [4, 4, 4, 3]
    assert rows.ms1.isna().tolist() == [False, False, False, True]
    assert tradeoff.section(measured, curves[curves.level == 0]) is None
