"""Distillation methods: an nn.Module each, that owns whatever is trained beside the student.

`METHODS[name](student, teacher, labels=…, **hyperparameters)` makes a task for training.loop.fit:
`task(images, labels, indices)` returns a mapping with "loss"; `task.network` is what is deployed.
"""

from kdprune.distillation.at import AT
from kdprune.distillation.crd import CRD
from kdprune.distillation.fitnet import FitNet
from kdprune.distillation.fn import FN
from kdprune.distillation.kd import KD
from kdprune.distillation.none import Supervised
from kdprune.distillation.semckd import SemCKD
from kdprune.distillation.simkd import SimKD
from kdprune.distillation.sp import SP
from kdprune.distillation.srrl import SRRL
from kdprune.distillation.vid import VID

METHODS = {
    "none": Supervised,
    "simkd": SimKD,
    "kd": KD,
    "fitnet": FitNet,
    "at": AT,
    "sp": SP,
    "vid": VID,
    "crd": CRD,
    "srrl": SRRL,
    "fn": FN,
    "semckd": SemCKD,
}
