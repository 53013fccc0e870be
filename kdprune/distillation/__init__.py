"""Distillation methods, each in the file of its name.

`METHODS[name](student, teacher, labels=…, **hyperparameters)` makes a `kdprune.distillation.task`
for `kdprune.training.loop.fit`. It owns whatever is trained beside the student.
"""

from collections.abc import Callable

from kdprune.distillation.at import AT
from kdprune.distillation.ban import BAN
from kdprune.distillation.crd import CRD
from kdprune.distillation.fitnet import FitNet
from kdprune.distillation.fn import FN
from kdprune.distillation.kd import KD
from kdprune.distillation.none import Supervised
from kdprune.distillation.semckd import SemCKD
from kdprune.distillation.simkd import SimKD
from kdprune.distillation.sp import SP
from kdprune.distillation.srrl import SRRL
from kdprune.distillation.task import Task
from kdprune.distillation.vid import VID
from kdprune.methods import demand_own_files

METHODS: dict[str, Callable[..., Task]] = {
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
    "ban": BAN,
}

demand_own_files(__name__, METHODS)
