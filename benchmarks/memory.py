"""Peak resident memory of training on full CIFAR-10, against what it has to hold.

python benchmarks/memory.py [NETWORK] [BATCH]

The budget: the data set in uint8, three times the network and its optimiser's state, and the
activations that the backward pass of one batch needs. What the imports take stands apart.
"""

import json
import resource
import subprocess
import sys

IMAGES, STEPS = 50_000, 3
MIB = 2**20


def peak() -> int:
    """Return the largest resident size so far of this process, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def bytes_of(tensors) -> int:
    """Return the bytes of tensors."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def activations(task, data: dict, batch: int) -> int:
    """Return the bytes that one batch's backward pass keeps, weights and the data set apart."""
    import torch

    from kdprune.data.augment import normalise

    own = {tensor.untyped_storage().data_ptr() for tensor in task.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    inputs = normalise(data["train_images"][:batch], data["mean"], data["std"])
    task.train()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = task(inputs, data["train_labels"][:batch], torch.arange(batch))["loss"]
    del loss
    return sum(kept.values())


def measure(name: str, batch: int) -> dict[str, int]:
    """Fit a few steps in this process; return bytes at its peak after each phase, and their parts.

    The activations are counted last, so that they add nothing to the peaks.
    """
    import networks

    from kdprune.distillation.none import Supervised
    from kdprune.training.loop import fit
    from kdprune.training.recipe import Recipe

    found = {"imports": peak()}
    data = networks.images(IMAGES)
    found |= {"after_data": peak(), "data": bytes_of([data["train_images"]])}
    task = Supervised(networks.network(name))
    found |= {"after_network": peak(), "network": bytes_of(task.state_dict().values())}
    fit(
        task,
        Recipe(epochs=1, batch_size=batch, lr=0.01, **networks.RECIPE),
        images=data["train_images"][: STEPS * batch],
        labels=data["train_labels"][: STEPS * batch],
        val_images=data["test_images"][:1],
        val_labels=data["test_labels"][:1],
        mean=data["mean"],
        std=data["std"],
    )
    found["after_fit"] = peak()
    found["optimiser"] = bytes_of(task.parameters())  # SGD's momentum: one value per weight
    found["activations"] = activations(task, data, batch)
    return found


def main(name: str = "resnet101", batch: int = 64) -> None:
    """Measure in a process of its own, on the CPU, and print the parts, the budget, the ratio."""
    command = [sys.executable, __file__, "--inside", name, str(batch)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    for part, size in found.items():
        print(f"{part:14} {size / MIB:8.1f} MiB")
    used = found["after_fit"] - found["imports"]
    held = found["network"] + found["optimiser"]
    budget = found["data"] + 3 * held + found["activations"]
    least = found["data"] + 2 * found["optimiser"] + found["network"] + found["activations"]
    print(f"{name}, {IMAGES:,} images, batch {batch}, {STEPS} steps; above the imports:")
    print(
        f"peak {used / MIB:.1f} MiB, budget {budget / MIB:.1f} MiB: "
        f"{used / budget:.3f} of it  (goal <= 1)"
    )
    print(
        f"{used / least:.3f} of what is held at once: data, weights, gradients, momentum, "
        f"activations ({least / MIB:.1f} MiB)"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        import os

        os.environ["KDPRUNE_DEVICE"] = "cpu"
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
    else:
        main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
