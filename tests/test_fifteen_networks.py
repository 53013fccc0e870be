"""The paper's fifteen networks, with both stems, through both prunings; its ten pairs in SimKD.

tests/test_pruning.py and tests/test_simkd.py prove the rules on tiny networks of the same families;
here each published network is shown to be followed as a whole. All but the smallest are slow and
long: `make slow` runs them.
"""

from collections.abc import Iterator

import pytest
import torch
import yaml
from conftest import ROOT, some
from networks import images
from test_models import PUBLISHED
from timm.layers import SqueezeExcite
from timm.models._efficientnet_blocks import DepthwiseSeparableConv, InvertedResidual
from timm.models._efficientnet_blocks import SqueezeExcite as BlockExcite
from timm.models.densenet import DenseBlock
from timm.models.resnet import BasicBlock, Bottleneck
from torch import nn

from kdprune import models
from kdprune.config.grid import split_pair
from kdprune.distillation import METHODS as DISTILLERS
from kdprune.models import counts
from kdprune.pruning import METHODS, criteria, groups, structured, surgery

ARCHITECTURES = yaml.safe_load((ROOT / "conf" / "architectures.yaml").read_text())["architectures"]
PAIRS = yaml.safe_load((ROOT / "conf" / "profile" / "paper.yaml").read_text())["pairs"]
FIFTEEN = some(dict.fromkeys(name for pair in PAIRS for name in split_pair(pair)))
STEMS = ("imagenet", "cifar")
LEVEL = 0.5
BATCH = 2
SMALLEST = {"resnet18", "efficientnet_b0", "mobilenetv1"}  # the others take seconds each
LARGE = [pytest.mark.slow, pytest.mark.long]

# Share of convolution weights that only ever meet zero padding, published stem, 32x32 images.
# Source: counted from kernel sizes, strides and paddings of the published networks (torchvision
# 0.29, timm 1.0.31), and for ResNet-18 confirmed as weights without gradient.
DEAD = {
    "resnet18": 0.622,
    "resnet34": 0.524,
    "resnet50": 0.235,
    "resnet101": 0.130,
    "resnet152": 0.095,
    "densenet161": 0.067,
    "densenet169": 0.085,
    "densenet201": 0.059,
    "efficientnet_b0": 0.034,
    "efficientnet_b5": 0.020,
    "mobilenetv1": 0.003,
}
DEAD_AT_64 = {"efficientnet_b0": 0.014, "efficientnet_b5": 0.008}  # of those above, 0 elsewhere

# Million parameters of SimKD's projector and of encoder + projector + teacher's classifier, factor
# 2, 100 classes. Source: Cs·h + 9h² + h·Ct + 2(2h + Ct), h = Ct / 2, by hand, on the table above's
# encoders (Chen et al., CVPR 2022, arXiv:2203.14001, for the projector's form).
COMPOSITES = {
    "resnet101/resnet50": (13.64, 37.35),
    "resnet152/resnet34": (12.07, 33.56),
    "resnet101/resnet18": (12.07, 23.45),
    "densenet169/mobilenetv1": (8.47, 11.85),
    "densenet161/densenet169": (15.25, 27.96),
    "densenet161/densenet201": (15.54, 33.85),
    "efficientnet_b1/efficientnet_b0": (5.33, 9.47),
    "efficientnet_b3/efficientnet_b2": (7.58, 15.43),
    "efficientnet_b3/mobilenetv1": (7.28, 10.64),
    "efficientnet_b5/efficientnet_b4": (13.38, 31.13),
}


def build(name: str, stem: str = "imagenet", *, classes: int = 10, seed: int = 0) -> nn.Module:
    described = ARCHITECTURES[name]
    return models.build(
        described["timm"], classes=classes, stem=stem, kwargs=described["kwargs"], seed=seed
    )


def settled(model: nn.Module) -> nn.Module:
    """The network with batch norm that does something: own scales, shifts, and statistics."""
    norms = [item for item in model.modules() if isinstance(item, nn.modules.batchnorm._BatchNorm)]
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for norm in norms:  # timm starts the last one of a residual block at zero
            norm.weight.uniform_(0.5, 1.5, generator=generator)
            norm.bias.normal_(0, 0.2, generator=generator)
            norm.momentum = 1.0
        model.train()(images(16))
    for norm in norms:
        norm.momentum = 0.1
    return model.eval()


def logits(model: nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        return model(images(BATCH, seed=9))


def combos() -> list:
    """All thirty."""
    return [
        pytest.param(
            (name, stem),
            id=f"{name}-{stem}",
            marks=() if name in SMALLEST else LARGE,
        )
        for name in FIFTEEN
        for stem in STEMS
    ]


@pytest.fixture(scope="module")
def network(request) -> nn.Module:
    """One of the thirty; the tests leave it as it is."""
    return settled(build(*request.param))


def test_the_fifteen_are_the_published_networks():
    assert len(FIFTEEN) == 15
    assert {ARCHITECTURES[name]["timm"] for name in FIFTEEN} == set(PUBLISHED)
    assert not any(ARCHITECTURES[name]["kwargs"] for name in FIFTEEN)


@pytest.mark.parametrize("name", FIFTEEN)
def test_the_cifar_stem_changes_the_first_convolution_only(name):
    with torch.device("meta"):
        published, cifar = build(name), build(name, "cifar")
    first, ours = (next(iter(counts.prunable(model).values())) for model in (published, cifar))
    difference = first.weight.numel() - ours.weight.numel()
    assert counts.parameters(published) == PUBLISHED[ARCHITECTURES[name]["timm"]][2]
    assert counts.parameters(published) - counts.parameters(cifar) == difference
    assert (ours.kernel_size, ours.stride) == ((3, 3), (1, 1))
    maps = [
        model.eval().forward_features(torch.empty(1, 3, 32, 32, device="meta"))
        for model in (published, cifar)
    ]
    pooled = name.startswith(("resnet", "densenet"))
    assert [item.shape[-1] for item in maps] == [1, 4 if pooled else 2]


@pytest.mark.parametrize("name", FIFTEEN)
def test_dead_shares_are_the_published_ones(name):
    with torch.device("meta"):
        published, cifar = build(name), build(name, "cifar")
    if name in DEAD:
        assert counts.dead_share(published) == pytest.approx(DEAD[name], abs=6e-4)
        expected = DEAD_AT_64.get(name, 0.0)
        assert counts.dead_share(published, 64) == pytest.approx(expected, abs=6e-4)
    assert counts.dead_share(cifar) <= counts.dead_share(published, 64) + 1e-3


@pytest.mark.parametrize("network", combos(), indirect=True)
def test_weight_pruning_is_exact_and_runs(network):
    dense = counts.prunable(network)
    pruned = next(METHODS["weight"](network, [LEVEL]))
    gone = 0
    for name, layer in counts.prunable(pruned.model).items():
        mask, before = pruned.masks[f"{name}.weight"], dense[name].weight.detach()
        assert int((~mask).sum()) == int((layer.weight == 0).sum()) == round(LEVEL * mask.numel())
        assert torch.equal(layer.weight, before * mask)
        gone += mask.numel() - int(mask.sum())
    assert pruned.params == counts.parameters(network)
    assert pruned.nonzero_params == pruned.params - gone
    outputs = logits(pruned.model)
    assert outputs.shape == (BATCH, 10)
    assert outputs.isfinite().all()


@pytest.mark.parametrize("network", combos(), indirect=True)
def test_channel_removal_meets_the_level_and_equals_masking(network, monkeypatch):
    found = groups.find(network)
    monkeypatch.setattr(groups, "find", lambda *_: found)  # seconds: once for both modes
    layers, ranked = counts.prunable(network), [criteria.ranking(network, item) for item in found]
    order, _ = structured.removal_order([group.size for group in found])
    total = sum(layer.weight.numel() for layer in layers.values())

    pruned = next(METHODS["channel"](network, [LEVEL]))
    gone = total - sum(layer.weight.numel() for layer in counts.prunable(pruned.model).values())
    assert gone == round(pruned.sparsity * total)
    steps = round(pruned.ratio * sum(group.size for group in found))
    around = [surgery.kept_after(found, ranked, order[: steps + i]) for i in (-1, 0, 1)]
    less, equal, more = (sum(structured.removed_weights(layers, kept).values()) for kept in around)
    assert less < equal == gone < more  # one channel of one group makes the difference
    assert abs(gone - LEVEL * total) <= min(abs(less - LEVEL * total), abs(more - LEVEL * total))

    zeroed = sum(structured._masked_weights(layers, around[1]).values())
    masked = next(
        METHODS["channel"](network, [zeroed / structured._maskable(layers, found)], mode="mask")
    )
    assert masked.ratio == pruned.ratio
    assert masked.params - masked.nonzero_params >= zeroed
    expected, outputs = logits(masked.model), logits(pruned.model)
    assert (outputs - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert (logits(network) - expected).abs().max() > 1e-2 * expected.abs().max()
    assert pruned.model.get_classifier().out_features == 10
    check_smallest_went(network, masked.model, found)
    check_couplings(pruned.model)


def check_smallest_went(dense: nn.Module, masked: nn.Module, found: list[groups.Group]) -> None:
    """Of groups that one layer alone makes, the filters of the smallest L1 norm are zero."""
    alone = [makers[0] for group in found if len(makers := list(group.producers(dense))) == 1]
    assert alone
    for layer, site in alone:
        norms = layer.weight.detach().abs().sum((1, 2, 3))
        gone = (masked.get_submodule(site.layer).weight == 0).flatten(1).all(1)
        assert gone.any()
        assert norms[gone].max() <= norms[~gone].min()


def check_couplings(model: nn.Module) -> None:
    """What is added, multiplied or concatenated has one width, by each family's own wiring."""
    seen = set()
    for block in model.modules():
        wanted = WIRING.get(type(block))
        if wanted is not None:
            seen.add(type(block))
            for widths in wanted(block):
                assert len(set(widths)) == 1, (type(block).__name__, widths)
    assert seen
    for layer in counts.prunable(model).values():
        if counts.kind(layer) == "depthwise":
            assert layer.groups == layer.in_channels == layer.out_channels


def residual(block: BasicBlock | Bottleneck) -> Iterator[tuple[int, ...]]:
    last = block.conv3 if isinstance(block, Bottleneck) else block.conv2
    shortcut = [item for item in (block.downsample or ()) if isinstance(item, nn.Conv2d)]
    yield last.out_channels, shortcut[0].out_channels if shortcut else block.conv1.in_channels
    yield block.conv1.in_channels, shortcut[0].in_channels if shortcut else last.out_channels
    yield block.conv1.out_channels, block.bn1.num_features, block.conv2.in_channels


def separable(block: DepthwiseSeparableConv) -> Iterator[tuple[int, ...]]:
    depthwise, point = block.conv_dw, block.conv_pw
    yield depthwise.in_channels, depthwise.groups, depthwise.out_channels, point.in_channels
    yield from squeezed(block, depthwise.out_channels)
    if block.has_skip:
        yield depthwise.in_channels, point.out_channels


def inverted(block: InvertedResidual) -> Iterator[tuple[int, ...]]:
    width = block.conv_dw.groups
    yield block.conv_pw.out_channels, block.conv_dw.in_channels, width, block.conv_pwl.in_channels
    yield from squeezed(block, width)
    if block.has_skip:
        yield block.conv_pw.in_channels, block.conv_pwl.out_channels


def squeezed(block: nn.Module, width: int) -> Iterator[tuple[int, ...]]:
    if isinstance(block.se, SqueezeExcite | BlockExcite):
        yield block.se.conv_reduce.in_channels, block.se.conv_expand.out_channels, width
        yield block.se.conv_reduce.out_channels, block.se.conv_expand.in_channels


def concatenated(block: DenseBlock) -> Iterator[tuple[int, ...]]:
    layers = list(block.children())
    width = layers[0].norm1.num_features
    for layer in layers:
        yield width, layer.norm1.num_features, layer.conv1.in_channels
        yield layer.conv1.out_channels, layer.norm2.num_features, layer.conv2.in_channels
        width += layer.conv2.out_channels


WIRING = {
    BasicBlock: residual,
    Bottleneck: residual,
    DepthwiseSeparableConv: separable,
    InvertedResidual: inverted,
    DenseBlock: concatenated,
}


@pytest.mark.parametrize(
    "pair",
    [pytest.param(pair, marks=() if split_pair(pair)[1] in SMALLEST else LARGE) for pair in PAIRS],
)
def test_simkd_composites(pair, tmp_path):
    teacher, student = split_pair(pair)
    torch.manual_seed(0)
    teaching = settled(build(teacher, classes=100, seed=1))
    encoder = settled(build(student, classes=100, seed=2))
    task = DISTILLERS["simkd"](encoder, teaching, factor=2)
    composite = task.network
    projector, whole = COMPOSITES[pair]
    assert counts.parameters(composite.projector) / 1e6 == pytest.approx(projector, abs=0.0051)
    assert counts.parameters(composite) / 1e6 == pytest.approx(whole, abs=0.0051)

    classifier = composite.classifier.weight.clone()
    convs = list(composite.projector)[::3]
    before = [conv.weight.detach().clone() for conv in convs]
    trained = [item for item in task.parameters() if item.requires_grad]
    optimiser = torch.optim.SGD(trained, lr=0.001)
    indices = torch.arange(8)  # batch norm of two 1x1 maps has gradients beyond any number
    loss = task.train()(images(8), indices, indices)["loss"]
    loss.backward()
    assert loss.isfinite()
    assert all(item.grad is not None and item.grad.isfinite().all() for item in trained)
    optimiser.step()
    for conv, old in zip(convs, before, strict=True):
        assert not torch.equal(conv.weight, old)
    assert torch.equal(composite.classifier.weight, classifier)
    assert torch.equal(teaching.get_classifier().weight, classifier)

    composite.eval()
    expected, file = logits(composite), tmp_path / "student.safetensors"
    assert expected.isfinite().all()
    described = ARCHITECTURES[student]
    built = {"timm_name": described["timm"], "classes": 100, "stem": "imagenet", "kwargs": {}}
    models.save(file, composite, {"network": built, "projector": task.projector})
    loaded, _ = models.load(file)
    file.unlink()  # pytest keeps its folders, and this is a large file
    assert torch.equal(logits(loaded), expected)

    pruned = next(METHODS["channel"](loaded, [LEVEL]))
    assert torch.equal(pruned.model.classifier.weight, classifier)
    assert pruned.model.projector[6].out_channels == teaching.num_features
    assert pruned.model.projector[0].in_channels < encoder.num_features
    assert pruned.model.projector[0].out_channels < composite.projector[0].out_channels
    assert pruned.sparsity == pytest.approx(LEVEL, abs=1e-3)
    assert logits(pruned.model).shape == (BATCH, 100)
