"""The field's CIFAR networks: counts, maps and first weights, and all that the project does."""

import itertools

import pytest
import timm
import torch

from kdprune import models
from kdprune.distillation import METHODS as DISTILLERS
from kdprune.distillation.taps import taps
from kdprune.errors import KdpruneError
from kdprune.models import checkpoints, cifar, composite
from kdprune.pruning import METHODS as PRUNERS
from kdprune.training.loop import fit
from kdprune.training.recipe import Recipe

TINY = {
    "cifar_resnet20": {"depth": 8, "widths": [4, 4, 8, 8]},
    "cifar_wrn_16_2": {"depth": 10, "widths": [4, 8, 8, 16]},
    "cifar_vgg13": {"widths": [4, 4, 8, 8, 8]},
}
# Those of RepDistiller's modules at 100 classes, of which its tables and SimKD's are
COUNTS = {
    "cifar_resnet20": 278_324,
    "cifar_resnet32": 472_756,
    "cifar_resnet56": 861_620,
    "cifar_resnet110": 1_736_564,
    "cifar_resnet8x4": 1_233_540,
    "cifar_resnet32x4": 7_433_860,
    "cifar_wrn_16_2": 703_284,
    "cifar_wrn_40_1": 569_780,
    "cifar_wrn_40_2": 2_255_156,
    "cifar_vgg8": 3_965_028,
    "cifar_vgg13": 9_462_180,
}


def tiny(name, seed=0, **kwargs):
    return models.build(name, classes=3, kwargs=TINY[name] | kwargs, seed=seed)


def convolved(widths, kernel, bias=False):
    """Return the parameters of a chain of convolutions with batch norm, by the formula."""
    pairs = list(itertools.pairwise(widths))
    return sum(kernel**2 * one * two + (2 + bias) * two for one, two in pairs)


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_those_of_the_published_tables(name):
    with torch.device("meta"):
        model = models.build(name, classes=100)
    assert sum(parameter.numel() for parameter in model.parameters()) == COUNTS[name]
    assert set(COUNTS) == set(cifar.NETWORKS) <= set(timm.list_models("cifar_*"))


def test_counts_follow_from_the_papers_descriptions():
    """Independently of the modules: a stem, stages of n blocks, shortcuts, one linear layer."""
    stages = [(16, 16), (16, 32), (32, 64)]
    blocks = sum(convolved([one, *[two] * 6], 3) for one, two in stages)
    shortcuts = sum(convolved(pair, 1) for pair in stages[1:])
    assert convolved([3, 16], 3) + blocks + shortcuts + 65 * 100 == COUNTS["cifar_resnet20"]
    vgg = convolved([3, 64, 128, 256, 512, 512], 3, bias=True)
    assert vgg + 513 * 100 == COUNTS["cifar_vgg8"]


def test_distillers_resnet20_has_the_same_weights():
    """Distiller's README counts 270,896 conv and linear weights for CIFAR-10."""
    with torch.device("meta"):
        model = models.build("cifar_resnet20", classes=10)
    weights = [item.numel() for item in model.parameters() if item.dim() > 1]
    shortcuts = [model.stage2[0].shortcut[0], model.stage3[0].shortcut[0]]
    assert sum(weights) == 270_896, sum(item.weight.numel() for item in shortcuts)


@pytest.mark.parametrize(
    ("name", "widths", "sizes"),
    [
        ("cifar_resnet20", [4, 4, 8, 8], [32, 32, 16, 8]),
        ("cifar_wrn_16_2", [4, 8, 8, 16], [32, 32, 16, 8]),
        ("cifar_vgg13", [4, 4, 8, 8, 8], [32, 16, 8, 4, 4]),
    ],
)
def test_stage_maps_have_the_toolboxes_sizes(name, widths, sizes):
    model, images = tiny(name).eval(), torch.randn(2, 3, 32, 32)
    seen = taps(model, images)
    assert [(maps.shape[1], maps.shape[2]) for maps in seen.stages] == list(
        zip(widths, sizes, strict=True)
    )
    for information, maps in zip(model.feature_info, seen.stages, strict=True):
        assert information["num_chs"] == maps.shape[1]
        assert information["reduction"] == 32 // maps.shape[2]
    assert torch.equal(seen.last, model.forward_features(images))
    assert torch.equal(seen.logits, model(images))
    assert torch.allclose(seen.pooled, seen.last.mean((2, 3)), atol=1e-6)
    negative = [bool((maps < 0).any()) for maps in seen.stages]
    assert all(negative) if name == "cifar_wrn_16_2" else not any(negative)
    composite.pooled_maps(model, images)  # its classifier can be reused


def test_a_shortcut_that_keeps_the_width_is_the_input_itself():
    wide, narrow = (
        models.build("cifar_wrn_40_1", classes=3),
        models.build("cifar_wrn_16_2", classes=3),
    )
    assert wide.stage1[0].shortcut is None
    assert narrow.stage1[0].shortcut is not None
    block, maps = wide.stage1[0].eval(), torch.randn(2, 16, 8, 8)
    torch.nn.init.zeros_(block.conv2.weight)
    assert torch.equal(block(maps), maps)


@pytest.mark.parametrize("name", TINY)
def test_both_stems_and_a_seed_give_the_same_network(name):
    one = tiny(name).state_dict()
    other = models.build(name, classes=3, kwargs=TINY[name], seed=0, stem="cifar").state_dict()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_faults_are_told():
    with pytest.raises(KdpruneError, match="cifar_vgg8 has no ImageNet weights"):
        models.build("cifar_vgg8", classes=2, pretrained=True)
    with pytest.raises(KdpruneError, match="depth: 19 layers are no multiple of 6"):
        models.build("cifar_resnet20", classes=2, kwargs={"depth": 21})


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("method", ["channel", "weight"])
def test_they_are_pruned_saved_and_read_back(name, method, tmp_path):
    model, images = tiny(name).eval(), torch.randn(2, 3, 32, 32)
    whole = model(images)
    levels = list(PRUNERS[method](model, [0.0, 0.5]))
    assert torch.equal(levels[0].model(images), whole)
    pruned = levels[1]
    assert pruned.sparsity == pytest.approx(0.5, abs=0.05)
    network = {"timm_name": name, "classes": 3, "stem": "cifar", "kwargs": TINY[name]}
    models.save(tmp_path / "cut", pruned.model, {"network": network})
    read, _ = checkpoints.load(tmp_path / "cut")
    assert torch.equal(read(images), pruned.model.eval()(images))


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("method", DISTILLERS)
def test_they_are_distilled_by_every_method(name, method):
    torch.manual_seed(0)
    teacher, student = tiny(name), tiny(name, seed=1)
    images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    labels = torch.arange(8) % 3
    settings = {"crd": {"negatives": 4}, "semckd": {"batch_size": 8}}.get(method, {})
    task = DISTILLERS[method](student, teacher, labels=labels, **settings)
    recipe = Recipe(1, 8, 1e-3, 0.9, True, 0.0)
    data = {"images": images, "labels": labels, "val_images": images, "val_labels": labels}
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    rows = fit(task, recipe, **data, mean=torch.full((3,), 0.5), std=torch.full((3,), 0.25))
    assert rows[0]["train_loss"] > 0
    assert all(torch.equal(value, before[key]) for key, value in teacher.state_dict().items())
