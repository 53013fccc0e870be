"""Exports are the study's own networks, rebuilt by anyone, certified, or not written at all."""

import importlib.util
import json

import pandas as pd
import pytest
import torch
import yaml
from cli_project import KEY, WHO, run_sweep, study
from networks import TINY, dataset, images, tiny
from torch import nn

from kdprune import models
from kdprune.__main__ import main
from kdprune.deployment import certificate, converting, forms
from kdprune.deployment.twin import masked_twin
from kdprune.errors import KdpruneError
from kdprune.models import checkpoints, counts
from kdprune.models.composite import Projector, ReusedClassifier
from kdprune.pruning import METHODS
from kdprune.records import write_csv, write_json
from kdprune.sweeps.finetune import FineTune
from kdprune.sweeps.point import prune_and_tune
from kdprune.sweeps.sweep import sweep

LEVEL = 0.5
FINETUNE = {"epochs": 2, "batch_size": 16, "lr": 0.05, "momentum": 0.9, "nesterov": True}
FINETUNE |= {"weight_decay": 5e-4, "views": 2}
HYPER = {"weight": {"scope": "layer"}, "channel": {"mode": "remove"}, "mask": {"mode": "mask"}}


def network(family):
    model = tiny(family.split("+")[0])
    if "+" not in family:
        return model
    teacher = tiny("dense", seed=1)
    projector = Projector(model.num_features, teacher.num_features, 2, "relu")
    model = ReusedClassifier(model, projector, teacher.get_classifier())
    with torch.no_grad():
        model.train()(images(32))
    return model.eval()


def described(family):
    """The metadata from which a network of the family is rebuilt."""
    name, kwargs = TINY[family.split("+")[0]]
    found = {"network": {"timm_name": name, "classes": 10, "stem": "imagenet", "kwargs": kwargs}}
    if "+" in family:
        found["projector"] = {"out_channels": tiny("dense").num_features, "factor": 2}
        found["projector"]["last"] = "relu"
    return found


def logits(model):
    with torch.no_grad():
        return model(images(6, seed=5))


@pytest.mark.parametrize("family", [*TINY, "basic+projector", "separable+projector"])
def test_cut_networks_are_rebuilt_from_the_file_alone(family, tmp_path):
    pruned = next(METHODS["channel"](network(family), [LEVEL]))
    path = tmp_path / "cut.safetensors"
    models.save(path, pruned.model, described(family))
    loaded, _ = checkpoints.load(path)
    assert repr(loaded) == repr(pruned.model)  # every layer's own attributes, not shapes alone
    assert torch.equal(logits(loaded), logits(pruned.model))
    outlined, _, shapes = checkpoints.outline(path)
    assert counts.parameters(outlined) == pruned.params
    assert counts.macs(outlined) == counts.macs(pruned.model)
    assert all(parameter.is_meta for parameter in outlined.parameters())
    assert set(shapes) == set(pruned.model.state_dict())


def test_grouped_layers_that_were_not_cut_keep_their_groups():
    """A depthwise convolution with a multiplier has as many groups as inputs, not as outputs."""
    layer = nn.Conv2d(4, 8, 3, groups=4)
    model = nn.Sequential(layer, nn.Conv2d(8, 8, 3, groups=8))
    checkpoints.cut_to(model, {"0.weight": (8, 1, 3, 3), "1.weight": (6, 1, 3, 3), "1.bias": (6,)})
    assert (layer.groups, layer.in_channels, layer.out_channels) == (4, 4, 8)
    assert (model[1].groups, model[1].in_channels, model[1].out_channels) == (6, 6, 6)


def test_files_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    meant = described("basic")
    state = tiny().state_dict()
    for broken in (
        {name: value for name, value in state.items() if name != "conv1.weight"},
        {**state, "more.weight": torch.zeros(3)},
    ):
        holder = torch.nn.Module()
        holder.state_dict = lambda given=broken: given
        models.save(path, holder, meant)
        for read in (checkpoints.load, checkpoints.outline):
            with pytest.raises(KdpruneError, match=r"tensors|fit"):
                read(path)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(KdpruneError, match="no readable checkpoint"):
        checkpoints.load(path)


@pytest.mark.parametrize("scope", ["head", "all", "none"])
@pytest.mark.parametrize("method", ["weight", "channel", "mask"])
def test_the_network_is_the_one_that_the_sweep_measured(method, scope):
    model, data = tiny(), dataset(count=200)
    settings = {"re_estimate_images": 64, "finetune": FineTune(scope=scope, **FINETUNE)}
    settings |= {"hyperparameters": HYPER[method], "seeds": 3}
    settings["method"] = "channel" if method == "mask" else method
    rows, _ = sweep(model, data, levels=[0.0, LEVEL], **settings)
    accuracies = set()
    for seed in range(3):
        pruned = prune_and_tune(model, data, level=LEVEL, seed=seed, **settings)
        row = rows[(rows.seed == seed) & (rows.level == LEVEL)].iloc[0]
        for split in ("val", "test"):
            found = certificate.logits(
                pruned.model, data[f"{split}_images"], data["mean"], data["std"]
            )
            right = (found.argmax(1) == data[f"{split}_labels"]).double().mean().item() * 100
            assert right == pytest.approx(row[f"{split}_accuracy"])
        accuracies.add(tuple(pruned.model.get_classifier().weight.flatten().tolist()))
        assert pruned.nonzero_params == row.nonzero_params
        for name, mask in pruned.masks.items():
            assert not pruned.model.get_parameter(name)[~mask].any()
    assert len(accuracies) == (1 if scope == "none" else 3)  # a seed is a network of its own


@pytest.mark.parametrize("family", [*TINY, "basic+projector"])
def test_a_cut_network_equals_the_dense_one_with_zeros(family):
    dense = network(family)
    pruned = next(METHODS["channel"](dense, [LEVEL]))
    twin = masked_twin(dense, pruned)
    assert counts.parameters(twin) == counts.parameters(dense) > pruned.params
    torch.testing.assert_close(logits(twin), logits(pruned.model), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(logits(dense), logits(twin), atol=1e-3)


@pytest.mark.parametrize("method", ["weight", "channel"])
def test_export_is_certified_and_repeats(method, tmp_path, values, capsys):
    folder = study(tmp_path, values)
    run_sweep(folder, values, method)
    out = tmp_path / "out"
    command = ["export", f"{KEY}-{method}", "--project", str(folder), "--out", str(out)]
    assert main([*command, "--format", "safetensors,torch"]) == 0
    assert {item.name for item in out.iterdir()} == {
        *("network.safetensors", "network.pt2", "certificate.json", "README.md")
    }
    text = json.loads((out / "certificate.json").read_text())
    assert text["pruned"]["level"] == LEVEL  # that of breakpoints.csv
    assert text["pruned"]["at_breakpoint"] is True
    assert text["sweep"]["equal"] is True
    reference = text["forms"][text["reference"]]
    assert text["sweep"]["test_accuracy"] == pytest.approx(reference["test_accuracy"])
    assert text["images"]["count"] == 100
    source = folder / text["source"]["file"]
    assert text["source"]["sha256"] == certificate.file_facts(source)["sha256"]
    kinds = {"weight": {"masked"}, "channel": {"masked", "removed"}}[method]
    assert set(text["forms"]) == {"safetensors", "torch", *kinds}
    assert all(form["relative_difference"] <= 1e-4 for form in text["forms"].values())
    sizes = text["parameters"]
    assert (sizes["stored"] < sizes["dense"]) == (method == "channel")
    assert sizes["nonzero"] < sizes["dense"]
    model, metadata = checkpoints.load(out / "network.safetensors")
    assert metadata["input"]["mean"] == [0.45, 0.46, 0.47]
    assert counts.parameters(model) == sizes["stored"]
    before = (out / "certificate.json").read_bytes(), (out / "network.safetensors").read_bytes()
    assert main(command) == 0  # over the earlier export, in another set of formats
    assert {item.name for item in out.iterdir()} == {
        "network.safetensors",
        "certificate.json",
        "README.md",
    }
    assert (out / "network.safetensors").read_bytes() == before[1]
    assert "warning" not in capsys.readouterr().err


def test_a_foreign_network_is_told_from_the_sweeps(tmp_path, values, capsys):
    folder = study(tmp_path, values)
    run_sweep(folder, values, "weight")
    table = folder / "metrics" / "sweeps" / f"{KEY}-weight.csv"
    write_csv(table, pd.read_csv(table).assign(test_accuracy=99.5))
    command = ["export", f"{KEY}-weight", "--project", str(folder)]
    assert main([*command, "--level", "0.5"]) == 0
    assert "99.50 %" in capsys.readouterr().err
    out = folder / "exports" / f"{KEY}-weight-0.5"
    assert json.loads((out / "certificate.json").read_text())["sweep"]["equal"] is False
    assert main([*command, "--level", "0.25"]) == 0  # a level that was not swept
    assert "no row of this level" in capsys.readouterr().err


def test_a_network_as_trained_is_written_as_it_is(tmp_path, values, capsys):
    folder = study(tmp_path, values)
    source = folder / "models" / "teachers" / f"{KEY}.safetensors"
    command = ["export", KEY, "--project", str(folder)]
    assert main([*command, "--as-trained"]) == 0
    assert "no row" in capsys.readouterr().err
    out = folder / "exports" / f"{KEY}-trained"
    certificate = json.loads((out / "certificate.json").read_text())
    assert (certificate["reference"], certificate["pruned"]) == ("trained", None)
    assert certificate["parameters"]["dense"] == certificate["parameters"]["nonzero"]
    (dense, _), (written, told) = map(checkpoints.load, (source, out / "network.safetensors"))
    assert all(
        torch.equal(value, dense.state_dict()[name]) for name, value in written.state_dict().items()
    )
    assert ("pruned" in told, len(told["input"]["classes"])) == (False, 10)
    accuracy = certificate["forms"]["trained"]["test_accuracy"]
    result = {**WHO, "params": 1, "macs": 1, "val_accuracy": 50, "test_accuracy": accuracy}
    write_json(folder / "metrics" / "teach" / f"{KEY}.json", result)
    assert main([*command, "--as-trained"]) == 0
    assert capsys.readouterr().err == ""
    write_json(folder / "metrics" / "teach" / f"{KEY}.json", {**result, "test_accuracy": 99.5})
    assert main([*command, "--as-trained"]) == 0
    assert "99.50 % in metrics/teach" in capsys.readouterr().err
    assert main([*command, "--as-trained", "--method", "weight"]) == 2
    assert "give one of the two" in capsys.readouterr().err


def test_the_model_card_says_what_the_certificate_holds(tmp_path, values):
    folder = study(tmp_path, values)
    run_sweep(folder, values, "weight")
    out = tmp_path / "out"
    assert main(["export", f"{KEY}-weight", "--project", str(folder), "--out", str(out)]) == 0
    text = json.loads((out / "certificate.json").read_text())
    _, head, body = (out / "README.md").read_text().split("---\n", 2)
    named = yaml.safe_load(head)
    accuracy = text["forms"]["masked"]["test_accuracy"]
    assert named["license"] == "unknown"
    assert named["datasets"] == [text["network"]["dataset"]]
    metric = named["model-index"][0]["results"][0]["metrics"][0]
    assert metric == {"type": "accuracy", "value": pytest.approx(accuracy / 100, abs=1e-4)}
    assert f"**{accuracy:.2f} %** on 100 test images" in body
    rows = text["classes"]
    assert sum(row["images"] for row in rows.values()) == 100
    assert sum(row["right"] for row in rows.values()) == round(accuracy)
    assert all(f"| {name} |" in body for name in rows)
    code = body.split("```python\n")[1].split("```")[0]
    given = {"images": torch.zeros(2, 3, 32, 32)}
    exec(code.replace("network.safetensors", str(out / "network.safetensors")), given)
    assert given["logits"].shape == (2, len(rows))


@pytest.mark.parametrize("earlier", [False, True])
def test_a_form_that_disagrees_is_never_written(earlier, tmp_path, values, capsys, monkeypatch):
    folder = study(tmp_path, values)
    out = tmp_path / "out"
    command = ["export", KEY, "--project", str(folder), "--out", str(out), "--level", "0.5"]
    if earlier:
        assert main(command) == 0
    before = {item.name: item.read_bytes() for item in out.iterdir()} if earlier else None
    write = forms.write_safetensors

    def slightly_wrong(path, model, metadata):
        with torch.no_grad():
            model.get_classifier().bias[3] += 0.01
            write(path, model, metadata)
            model.get_classifier().bias[3] -= 0.01

    monkeypatch.setitem(forms.WRITERS, "safetensors", slightly_wrong)
    capsys.readouterr()
    assert main(command) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert told.err.startswith("kdprune: export: the safetensors form")
    after = {item.name: item.read_bytes() for item in out.iterdir()} if out.exists() else None
    assert after == before
    assert not list(tmp_path.glob(".out*"))


def test_agreement_is_relative_and_numbers_are_demanded():
    labels = torch.tensor([0, 1])
    reference = torch.tensor([[100.0, 0.0], [0.0, 50.0]])
    near = certificate.compare(reference, reference + 0.009, labels)
    far = certificate.compare(reference, reference + 0.011, labels)
    broken = certificate.compare(reference, reference * float("nan"), labels)
    certificate.demand_agreement({"near": near}, "removed")
    for form in (far, broken):
        with pytest.raises(KdpruneError, match="nothing was written"):
            certificate.demand_agreement({"form": form}, "removed")
    assert near["test_accuracy"] == 100
    swapped = certificate.compare(reference, reference.flip(1), labels)
    assert (swapped["top1_differences"], swapped["test_accuracy"]) == (2, 0)


@pytest.mark.parametrize("form", ["torch", "onnx"])
def test_programs_take_batches_of_any_size(form, tmp_path):
    for name in converting.NEEDS.get(form, ()):
        pytest.importorskip(name)
    pruned = next(METHODS["channel"](network("basic+projector"), [LEVEL])).model
    pruned.requires_grad_(False)
    path = tmp_path / forms.FILES[form]
    forms.WRITERS[form](path, pruned, {"input": {"shape": [3, 32, 32]}})
    run = forms.READERS[form](path)
    for count in (1, 2, 7):
        batch = images(count, seed=count)
        torch.testing.assert_close(run(batch), pruned(batch), rtol=1e-4, atol=1e-5)


def faults(folder):
    """Commands that cannot be done, and a part of what the user is told."""
    cut = folder / "cut" / "network.safetensors"
    (folder / "mine").mkdir()
    (folder / "mine" / "thesis.tex").write_text("years of work")
    return [
        (["cifar10-resnet10_2"], "did you mean"),
        ([f"{KEY}-channel", "--method", "weight"], "names the method channel"),
        ([KEY, "--method", "chanel"], "did you mean channel"),
        ([KEY, "--format", "onyx"], "--format onyx: is unknown"),
        ([KEY], "breakpoints.csv: is not there"),
        ([KEY, "--level", "0.5", "--data", str(folder)], "manifest.json"),
        ([KEY, "--level", "0.999"], "drop that level"),
        ([KEY, "--level", "0.5", "--out", str(folder / "mine")], "name another --out"),
        ([str(folder / "no.safetensors")], "is not there"),
        ([str(cut), "--level", "0.5"], "is pruned already"),
        (["cifar10-densenet21_16"], "run `dvc repro`"),
    ]


def test_faults_are_told_in_one_line(tmp_path, values, capsys):
    folder = study(tmp_path, values)
    first = ["export", KEY, "--level", "0.5", "--project", str(folder)]
    assert main([*first, "--out", str(folder / "cut")]) == 0
    for arguments, told in faults(folder):
        capsys.readouterr()
        assert main(["export", *arguments, "--project", str(folder)]) == 2, arguments
        error = capsys.readouterr().err
        assert error.startswith("kdprune: "), error
        assert told in error, error
        assert error.count("\n") == 1, error
    assert (folder / "mine" / "thesis.tex").read_text() == "years of work"
    assert not (folder / "exports").exists()


def test_missing_packages_are_named_before_any_work(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(KdpruneError, match=r"onnx and onnxscript and onnxruntime; pip install"):
        forms.check(["safetensors", "onnx"])
