"""`predict` against the plain way to evaluate, and whether folding batch norm would pay.

python benchmarks/evaluation.py [NETWORK …]
"""

import copy
import sys

import networks
import torch
from pairing import compare
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from kdprune.device import arrange
from kdprune.training.loop import predict

IMAGES = {"resnet18": 500, "efficientnet_b0": 500, "resnet10_16": 2000}
ROUNDS, BATCH = 9, 64


@torch.no_grad()
def plain(model: nn.Module, images: torch.Tensor, mean, std) -> torch.Tensor:
    """Return logits the way of the tutorials: contiguous NCHW, batches of 64, no_grad."""
    model.eval()
    shape = 1, 3, 1, 1
    logits = []
    for part in images.split(BATCH):
        inputs = (part.float() / 255 - mean.view(shape)) / std.view(shape)
        logits.append(model(inputs))
    return torch.cat(logits)


def folded(model: nn.Module, images: torch.Tensor) -> nn.Module:
    """Return a copy whose batch norms are folded into the convolutions that feed them.

    Found by watching which convolution's output each batch norm of one forward pass takes, as
    timm's batch norms also apply the activation, which stays in place of the norm.
    """
    copied = copy.deepcopy(model).eval()
    fed, pairs, hooks, kept = {}, [], [], []

    def after(layer: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        if isinstance(layer, nn.Conv2d):
            fed[id(output)] = layer
            kept.append(output)  # an id is unique among the living only
        elif id(inputs[0]) in fed:
            pairs.append((fed[id(inputs[0])], layer))

    kinds = nn.Conv2d | nn.modules.batchnorm._BatchNorm
    for layer in copied.modules():
        if isinstance(layer, kinds):
            hooks.append(layer.register_forward_hook(after))
    with torch.no_grad():
        copied(images)
    for hook in hooks:
        hook.remove()
    names = {id(layer): name for name, layer in copied.named_modules()}
    for conv, norm in pairs:
        rest = [part for part in (getattr(norm, "drop", None), getattr(norm, "act", None)) if part]
        set_layer(copied, names[id(conv)], fuse_conv_bn_eval(conv, norm))
        set_layer(copied, names[id(norm)], nn.Sequential(*rest) if rest else nn.Identity())
    norms = sum(isinstance(item, nn.modules.batchnorm._BatchNorm) for item in copied.modules())
    print(f"  {len(pairs)} batch norms folded, {norms} left")
    return copied


def set_layer(model: nn.Module, name: str, layer: nn.Module) -> None:
    """Put `layer` in the place of the layer that is called `name`."""
    owner, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(owner), leaf, layer)


def agreement(ours: torch.Tensor, theirs: torch.Tensor) -> str:
    """Say how far two sets of logits agree."""
    same = (ours.argmax(1) == theirs.argmax(1)).sum().item()
    gap = (ours - theirs).abs().max().item() / theirs.abs().max().item()
    return (
        f"  same class for {same} of {len(ours)} images; logits differ by {gap:.1e} of the largest"
    )


def main(names: list[str]) -> None:
    """Print both ratios per network, and whether predictions agree."""
    data = networks.images(max(IMAGES.values()))
    stats = data["mean"], data["std"]
    for name in names:
        images = data["train_images"][: IMAGES.get(name, 500)]
        model = networks.network(name).train()
        with torch.no_grad():  # batch norm that has seen images, as in a trained network
            for part in images.split(250):
                model((part.float() / 255 - stats[0].view(3, 1, 1)) / stats[1].view(3, 1, 1))
        model.eval()
        other = arrange(folded(model, torch.randn(2, 3, 32, 32, device=images.device)))
        usual = copy.deepcopy(model).to(memory_format=torch.contiguous_format)
        arrange(model)
        ours = predict(model, images, *stats)
        compare(
            f"{name}: the plain way's time, to predict's",
            lambda m=model, i=images: predict(m, i, *stats),
            lambda m=usual, i=images: plain(m, i, *stats),
            rounds=ROUNDS,
            goal=">= 1",
        )
        print(agreement(ours, plain(usual, images, *stats)))
        compare(
            f"{name}: predict's time, to predict's with batch norm folded",
            lambda m=other, i=images: predict(m, i, *stats),
            lambda m=model, i=images: predict(m, i, *stats),
            rounds=ROUNDS,
        )
        print(agreement(predict(other, images, *stats), ours))


if __name__ == "__main__":
    main(sys.argv[1:] or list(IMAGES))
