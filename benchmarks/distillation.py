"""A step of distillation, against the teacher's forward pass and the student's step apart.

python benchmarks/distillation.py [METHOD …]
"""

import sys

import networks
import torch
from pairing import compare
from torch.nn import functional

from kdprune.data.augment import normalise
from kdprune.device import choose
from kdprune.distillation import METHODS
from kdprune.training.step import training_step

STEPS = 6


def main(methods: list[str]) -> None:
    """Print the time of a method's step, to the sum of its parts."""
    data = networks.images(64)
    inputs = normalise(data["train_images"], data["mean"], data["std"])
    labels, indices = data["train_labels"], torch.arange(64, device=choose())
    for name in methods:
        teacher, student, plain = (
            networks.network(which) for which in ("resnet50", "resnet18", "resnet18")
        )
        teacher.eval()
        task = METHODS[name](student, teacher, labels=labels).to(choose()).train()
        trained = [parameter for parameter in task.parameters() if parameter.requires_grad]
        settings = {"lr": 1e-4, "fused": True, **networks.RECIPE}
        optimiser = torch.optim.SGD(trained, **settings)
        step = training_step(task, optimiser, precision="fp32", device=choose())
        alone = torch.optim.SGD(plain.train().parameters(), **settings)

        def ours(step=step) -> None:
            for _ in range(STEPS):
                step(inputs, labels, indices, 1e-4)

        def parts(teacher=teacher, plain=plain, alone=alone) -> None:
            for _ in range(STEPS):
                with torch.no_grad():
                    teacher(inputs)
                alone.zero_grad(set_to_none=True)
                functional.cross_entropy(plain(inputs), labels).backward()
                alone.step()

        claim = f"{name}: time of a step, to the teacher's forward + the student's step"
        compare(claim, parts, ours, rounds=9, goal="<= 1.05" if name == "kd" else "")


if __name__ == "__main__":
    main(sys.argv[1:] or ["kd", "simkd"])
