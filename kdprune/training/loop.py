"""The one training loop, for teachers and students alike."""

import math
from pathlib import Path

import torch
from torch import nn

from kdprune.data.augment import Augment, normalise, random_crop_flip
from kdprune.data.stored import batches as drawn
from kdprune.data.stored import parts
from kdprune.device import arrange, at_once
from kdprune.errors import KdpruneError
from kdprune.progress import Progress
from kdprune.training.checkpointing import restore, store
from kdprune.training.kernels import guarded
from kdprune.training.layers import groups, to_train
from kdprune.training.recipe import Recipe
from kdprune.training.step import Task, training_step


class Diverged(KdpruneError):
    """A loss is no finite number."""


def fit(
    task: Task,
    recipe: Recipe,
    *,
    images: torch.Tensor,
    labels: torch.Tensor,
    val_images: torch.Tensor,
    val_labels: torch.Tensor,
    mean: torch.Tensor,
    std: torch.Tensor,
    augment: Augment = random_crop_flip,
    checkpoint: Path | None = None,
    title: str = "",
) -> list[dict[str, float]]:
    """Train `task` in place with SGD and return its learning curve, one row per epoch.

    A task is an nn.Module: `task(images, labels, indices)` returns a mapping with a scalar "loss";
    `task.network` is what is evaluated. `images` [N, 3, H, W] and `val_images` are bytes, `labels`
    [N] class indices, `mean` and `std` [3] for values in 0..1; all on the device of the
    task, or images `Stored` in a file, from which batches are read ahead of the steps. `augment`
    draws the views of training images. Every batch is whole: the last N mod `batch_size` images of
    each epoch's order are left out, as a batch of one has no batch statistics. The last epoch is
    kept; nothing is selected.

    With `checkpoint`, every epoch's end is stored there, and a call that finds it goes on to the
    same weights, bit for bit on a CPU. Raises Diverged when the loss is no finite number.
    Rows hold epoch, step (batches so far), lr (of the epoch's last step), train_loss (the epoch's
    mean) and val_accuracy (percent).
    """
    assert isinstance(task, nn.Module)  # a type cannot say both that and Task
    # Generators: networks draw from the global one, the loop from two of its own
    device = images.device
    torch.manual_seed(recipe.seed)
    order = torch.Generator().manual_seed(recipe.seed)
    views = torch.Generator(device if device.type == "cuda" else "cpu").manual_seed(recipe.seed + 1)

    # Batches, and the optimiser of whatever is trained
    arrange(task)
    batch_size = min(recipe.batch_size, len(images))
    batches = len(images) // batch_size
    optimiser = torch.optim.SGD(
        groups(task, recipe.body),
        recipe.lr,
        recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
        fused=True,
    )

    # Go on from the last whole epoch
    generators = {"order": order, "views": views}
    rows = restore(checkpoint, task=task, optimiser=optimiser, generators=generators)
    step_on = training_step(task, optimiser, precision=recipe.precision, device=device)
    progress = Progress(title, epochs=recipe.epochs, rows=rows, images=batches * batch_size)

    for epoch in range(len(rows) + 1, recipe.epochs + 1):
        to_train(task, recipe.body)
        total = torch.zeros((), device=device)  # read once an epoch: no waiting for the device
        permutation = torch.randperm(len(images), generator=order)[: batches * batch_size]
        every = permutation.to(device).split(batch_size)
        with guarded(task), drawn(images, permutation, batch_size) as read:
            for batch, (chosen, seen) in enumerate(zip(every, read, strict=True)):
                step = (epoch - 1) * batches + batch
                rate = recipe.rate(step, batches)
                inputs = normalise(augment(seen, views), mean, std)
                total += step_on(inputs, labels[chosen], chosen, rate)
                progress.advance(batch_size)

        # The epoch's end: told, and stored
        loss = total.item() / batches
        if not math.isfinite(loss):
            raise Diverged(f"{title}: the loss of epoch {epoch} is {loss} (last rate {rate:.3g})")
        accuracy = evaluate(
            task.network, val_images, val_labels, mean, std, precision=recipe.precision
        )
        rows.append(
            {
                "epoch": epoch,
                "step": epoch * batches,
                "lr": rate,
                "train_loss": loss,
                "val_accuracy": accuracy,
            }
        )
        progress.epoch(epoch, loss=loss, accuracy=accuracy)
        store(checkpoint, task=task, optimiser=optimiser, generators=generators, rows=rows)
    progress.close()
    task.eval()
    return rows


@torch.inference_mode()
def predict(
    model: nn.Module,
    images: torch.Tensor,
    mean: torch.Tensor,
    std: torch.Tensor,
    *,
    precision: str = "fp32",
) -> torch.Tensor:
    """Return logits [N, classes] for bytes [N, 3, H, W], in evaluation mode and without views."""
    training = model.training
    model.eval()
    cast = torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bf16")
    with cast, parts(images, at_once(images.device)) as read:
        logits = [model(normalise(part, mean, std)).float() for part in read]
    model.train(training)
    return torch.cat(logits)


def evaluate(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    mean: torch.Tensor,
    std: torch.Tensor,
    *,
    precision: str = "fp32",
) -> float:
    """Return the top-1 accuracy in percent (arguments as in `predict`, labels [N])."""
    logits = predict(model, images, mean, std, precision=precision)
    return 100 * (logits.argmax(1) == labels).sum().item() / len(labels)
