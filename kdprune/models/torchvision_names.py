"""torchvision's names of tensors, for the networks that it shares with timm.

Both build their ResNets and DenseNets of equally named parts. Of the networks in `SHARED` the parts
are the same, in the same order, under other names: with the same weights both give the same logits
(tests/test_own_heads.py). EfficientNet-B5 and larger are not among them: torchvision's batch norms
add another epsilon.
"""

import re
from collections.abc import Iterable, Mapping

import torch
from torch import nn

SHARED = {f"efficientnet_b{size}": f"efficientnet_b{size}" for size in range(5)}
SHARED |= {"mobilenetv2_100": "mobilenet_v2", "mnasnet_100": "mnasnet1_0"}
# Of the DenseNets that torchvision offers for download: denselayer1.norm.1.weight
DOTTED = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")

Tensors = Mapping[str, torch.Tensor]


def renamed(state: Tensors, model: nn.Module) -> dict[str, torch.Tensor]:
    """Return a file's tensors by timm's names, where they bear torchvision's; else as they are."""
    state = {DOTTED.sub(r"\1\2", name): value for name, value in state.items()}
    wanted = model.state_dict()
    other = SHARED.get((getattr(model, "pretrained_cfg", None) or {}).get("architecture", ""))
    if other is None or state.keys() == wanted.keys():
        return state
    import torchvision

    with torch.device("meta"):
        theirs = torchvision.models.get_model(other, weights=None).state_dict()
    if len(theirs) != len(wanted) or not _same(state.keys(), theirs.keys()):
        return state
    names = dict(zip(theirs, wanted, strict=True))
    return {names[name]: value for name, value in state.items()}


def _same(given: Iterable[str], theirs: Iterable[str]) -> bool:
    """Whether names are the same but for counts of batches, which older files lack."""
    counter = "num_batches_tracked"
    kept = ({name for name in names if not name.endswith(counter)} for names in (given, theirs))
    return len({frozenset(names) for names in kept}) == 1
