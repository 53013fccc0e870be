"""Distillation methods: an nn.Module each, that owns whatever is trained beside the student.

`METHODS[name](student, teacher, labels=…, **hyperparameters)` makes a task for kdprune.training:
`task(images, labels, indices)` returns a mapping with "loss"; `task.network` is what is deployed.
"""

from kdprune.distillation.none import Supervised
from kdprune.distillation.simkd import SimKD

METHODS = {
    "none": Supervised,
    "simkd": SimKD,
}
