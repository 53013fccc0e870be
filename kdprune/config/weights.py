"""Checks of what is said of a file of weights, and of how it meets the images."""

from typing import Any


def check(given: Any) -> None:
    """Check a `kdprune.config.schema.Weights` by itself. Raises ValueError with one line."""
    if (given.mean is None) != (given.std is None):
        absent = "mean" if given.mean is None else "std"
        raise ValueError(f"{absent}: is missing; mean and std go together, three numbers each")
    if given.mean is not None and given.config is not None:
        raise ValueError("config: timm states mean and std; leave it out, or leave them out")
    if given.head == "new" and given.classes is not None:
        raise ValueError("classes: names outputs that head: new throws away; write one of the two")
    if given.head == "new" and given.train is False:
        raise ValueError("head: new is untrained, and train: false leaves it so; write train: true")
    if given.rate is not None and given.train is False:
        raise ValueError("rate: nothing is trained with train: false; leave one of the two out")
    if given.rate == 0 and given.head != "new":
        raise ValueError("rate: 0 freezes all but a new head; write head: new, or a rate above 0")
    if given.classes is not None and len(set(given.classes)) != len(given.classes):
        raise ValueError("classes: names one twice; name each output once, in their order")


def check_size(params: Any, built_in: tuple[str, ...]) -> None:
    """Check that teachers see images of the size they were trained on. Raises ValueError."""
    sizes = {
        dataset: 32 if dataset in built_in else params.data.size for dataset in params.datasets
    }
    for teacher in dict.fromkeys(pair.partition("/")[0] for pair in params.pairs):
        given = params.architectures[teacher].weights
        for dataset, size in sizes.items():
            if given is not None and given.size not in (None, size):
                fixed = dataset in built_in
                remedy = "is for other images" if fixed else f"set data.size: {given.size}"
                raise ValueError(
                    f"architectures.{teacher}.weights.size = {given.size}: images of {dataset} "
                    f"have {size} pixels; {remedy}, or leave size out to use it at {size}"
                )
