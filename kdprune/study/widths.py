"""In what blocks channels go where a network is compressed: kernels are fast in blocks of eight.

A runtime may take longer for a network of odd widths than for the whole one (docs/faq.md measures
it). So channels stay in multiples of eight, where the levels can be met so.
"""

from contextlib import suppress

from torch import nn

from kdprune import models
from kdprune.distillation import METHODS
from kdprune.errors import KdpruneError
from kdprune.pruning import channel
from kdprune.study.commission import LEVELS, STUDENT, Order
from kdprune.study.given import Source

BLOCKS = (8, 4, 2)


def block(order: Order, classes: int, wanted: int | None = None) -> int:
    """Return in multiples of what the channels stay: `wanted`, or the largest of BLOCKS.

    1 where none of BLOCKS meets all levels. Only the network's shapes are looked at. Raises
    KdpruneError where `wanted` does not meet them.
    """
    model = _deployed(order, classes)
    if wanted is not None:
        if wanted > 1 and not _met(model, order.size, wanted):
            best = block(order, classes)
            raise KdpruneError(
                f"--round-to {wanted}: some level is out of reach for this network with channels "
                f"in multiples of {wanted}; up to {best} works, or leave it out"
            )
        return wanted
    return next((size for size in BLOCKS if _met(model, order.size, size)), 1)


def _met(model: nn.Module, side: int, size: int) -> bool:
    """Whether channels in multiples of `size` meet all levels of a commission."""
    with suppress(KdpruneError):
        next(channel.prune(model, LEVELS, input_size=side, round_to=size))
        return True
    return False


def _deployed(order: Order, classes: int) -> nn.Module:
    """Return the network that is pruned, of random weights."""
    model = _built(order.network, order, classes)
    if order.role == STUDENT and order.other:
        student = _built(order.other, order, classes)
        return METHODS["simkd"](student, model).network.eval()
    return model


def _built(source: Source, order: Order, classes: int) -> nn.Module:
    return models.build(
        source.entry["timm"],
        classes=classes,
        stem=order.network.stem or "imagenet",
        kwargs=source.entry.get("kwargs") or {},
        size=order.size,
    ).eval()
