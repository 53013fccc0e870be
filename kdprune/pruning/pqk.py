"""Pruning, quantisation and distillation in one network: PQK, a reconstruction.

Kim et al., "PQK: Model Compression via Pruning, Quantization, and Knowledge Distillation",
Interspeech 2021, arXiv:2106.14681. Only the abstract could be read. Evidence: phase 1 prunes and
trains for quantisation, by turns; in phase 2 the weights that phase 1 left unused come back to make
the teacher of the network that does without them; there is no other teacher. Decisions of ours: the
cubic ramp, smallest weights of each layer, straight-through masks, learned steps of one grid for a
tensor, 8 bits, the losses and their temperature, separate batch-norm statistics, a start from the
trained network, no weight decay (steps must not shrink).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field
from torch import nn

from kdprune.methods import checked
from kdprune.pruning import scores, unstructured
from kdprune.pruning.pruned import Pruned, apply
from kdprune.pruning.quantised import Light, Ramped, SelfTaught, plain, same
from kdprune.pruning.trained import Train
from kdprune.pruning.transformed import refuse_transformed


@checked
def prune(
    model: nn.Module,
    levels: Sequence[float],
    *,
    train: Train,
    input_size: int = 32,
    bits: Annotated[int, Field(ge=2, le=16)] = 8,
    ramp: Annotated[int, Field(ge=1, le=10000)] = 2,
    epochs: Annotated[int, Field(ge=1, le=10000)] = 2,
    temperature: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 4.0,
    lr: Annotated[float, Field(gt=0, le=1000000, allow_inf_nan=False)] | None = None,
) -> Iterator[Pruned]:
    """Yield `model` at each of the rising levels: weights on a grid of `bits`, stored as floats.

    Phase 1 goes on from level to level, `ramp` epochs each; phase 2 works on a copy for `epochs`,
    which cost about two each. Counts are exact within each layer. Level 0 is `model` as it is.
    """
    refuse_transformed(model)
    network, before = Light(model, bits), 0.0
    for level in levels:
        if not level:
            yield next(unstructured.remove(model, [level], scores.l1(model), scope="layer"))
            continue
        steps = ramp * train.batches
        task = Ramped(network, start=before, end=level, steps=steps)
        train(task, epochs=ramp, lr=lr, weight_decay=0.0)
        before = level
        light, ranked = same(network, model), scores.l1(network.inner)
        chosen = next(unstructured.remove(network.inner, [level], ranked, scope="layer"))
        light.ramp = False
        for number, name in enumerate(light.layers):
            getattr(light, f"mask{number}").copy_(chosen.masks[f"{name}.weight"])
        train(SelfTaught(light, temperature=temperature), epochs=epochs, lr=lr, weight_decay=0.0)
        chosen.model = plain(light, model).eval()
        apply(chosen.model, chosen.masks)
        chosen.note = f"{bits} bits"
        yield chosen


def spent(rises: int, given: Mapping[str, Any]) -> float:
    """Return the epochs of plain training that `rises` levels cost.

    Phase 2 goes through the network twice.
    """
    return rises * (given["ramp"] + 2 * given["epochs"])
