"""What a study costs before it is run: images, floating-point operations and time, by arithmetic.

Counted are the convolutions and linear layers: forward 2 operations per multiply-add, backward
twice the forward, as usual (Kaplan et al., "Scaling Laws for Neural Language Models", 2020,
arXiv:2001.08361, section 2.1). Norms, activations and augmentation are left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace


@dataclass(frozen=True)
class Images:
    """How many images a stage trains on, validates on and tests on, and their side in pixels."""

    train: int
    val: int
    test: int
    side: int = 32


@dataclass(frozen=True)
class Network:
    """A network as it is trained, and as it is deployed; multiply-adds are of one image."""

    macs: int  # deployed
    training_macs: int  # what is trained: with whatever the distillation method adds
    teacher_macs: int  # the teacher's part in a step; 0 without one
    params: int  # deployed
    bytes: int  # of its checkpoint's tensors
    head: int  # weights of its classifier


@dataclass(frozen=True)
class Work:
    """What one or several stage instances do.

    `steps` and `evaluated` are in units of the dense network, for times: a step, or an image, of a
    network with half of the channels' weights cut out counts for half.
    """

    epochs: int = 0
    trained: int = 0  # images that went forward and back through a whole network
    forward: float = 0.0  # floating-point operations
    backward: float = 0.0
    steps: float = 0.0
    evaluated: float = 0.0  # images that went forward only
    head_steps: int = 0  # steps of a classifier alone, all seeds at once


@dataclass(frozen=True)
class Speed:
    """Seconds that one network needs on one device."""

    step: float  # of its training
    image: float  # forward only, in large batches
    tuning_step: float = 0.0  # of all its weights, after pruning
    head_step: float = 0.0


def training(network: Network, images: Images, *, epochs: int, batch_size: int) -> Work:
    """Return the work of one teacher's or student's training (kdprune.study.trainings).

    Every epoch ends with the validation images, and the whole with these and the test images.
    """
    batch = min(batch_size, images.train)
    steps = epochs * (images.train // batch)
    trained = steps * batch
    evaluated = (epochs + 1) * images.val + images.test
    in_steps = network.training_macs + network.teacher_macs
    return Work(
        epochs=epochs,
        trained=trained,
        forward=2.0 * (in_steps * trained + network.macs * evaluated),
        backward=4.0 * network.training_macs * trained,
        steps=float(steps),
        evaluated=float(evaluated),
    )


def trajectory(network: Network, images: Images, *, epochs: float, batch_size: int) -> Work:
    """Return the work of a network that is pruned while it trains (kdprune.sparsification).

    `epochs` are those of plain training that all its levels cost; masks save no operations.
    """
    alone = replace(network, training_macs=network.macs, teacher_macs=0)
    return training(alone, images, epochs=round(epochs), batch_size=batch_size)


def sweep(
    network: Network,
    images: Images,
    *,
    levels: Sequence[float],
    removes: bool,
    seeds: int,
    re_estimate: int,
    scope: str,
    epochs: int,
    batch_size: int,
    views: int,
) -> Work:
    """Return the work of one sweep (kdprune.sweeps.sweep.sweep).

    `removes`: channels are cut out, so that at level q a share of about 1 - q of the operations is
    left; masked weights are multiplied all the same. `re_estimate` images re-estimate the batch
    norm. With scope "head", each of the `views` of the training images goes forward once for all
    seeds; with "all", every seed trains for `epochs`.
    """
    batch = min(batch_size, images.train)
    per_seed = epochs * (images.train // batch)
    seeing = min(re_estimate, images.train)
    once = images.val + images.test
    evaluated = {
        "none": seeing + once,
        "head": seeing + views * images.train + once,
        "all": seeing + seeds * (epochs * images.val + once),
    }[scope]
    size = sum(1.0 - level if removes else 1.0 for level in levels)  # of all levels' networks
    steps = seeds * per_seed if scope == "all" else 0
    heads = per_seed if scope == "head" else 0
    head = 2.0 * network.head * heads * batch * seeds * len(levels)  # backward: weights only
    dense = 2.0 * network.macs
    return Work(
        epochs=epochs * seeds * len(levels) if scope == "all" else 0,
        trained=steps * batch * len(levels),
        forward=dense * size * (steps * batch + evaluated) + head,
        backward=2 * dense * size * steps * batch + head,
        steps=size * steps,
        evaluated=size * evaluated,
        head_steps=heads * len(levels),
    )


def total(works: Iterable[Work]) -> Work:
    """Return the sum of several instances' work."""
    columns = zip(*(astuple(work) for work in works), strict=True)
    return Work(*(sum(column) for column in columns))


def seconds(work: Work, speed: Speed, *, tuning: bool = False) -> float:
    """Return how long `work` takes at `speed`; `tuning`: its steps are a sweep's."""
    return (
        work.steps * (speed.tuning_step if tuning else speed.step)
        + work.evaluated * speed.image
        + work.head_steps * speed.head_step
    )


def split(images: int, classes: int, validation: float) -> tuple[int, int]:
    """Return training and validation images of `images`, as equally many per class are held out."""
    held = classes * max(1, round(images / classes * validation))
    return images - held, held
