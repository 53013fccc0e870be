"""The words that these pages use, beside those of the report."""

from pathlib import Path

from kdprune.reporting.sections.glossary import WORDS

OURS = {
    "Dead weight": "a weight that only ever meets the zeros of the padding. Removing it changes "
    "nothing.",
    "Deep Compression": "a file in which weights share a few values and the gaps between them are "
    "coded (Han, Mao and Dally, ICLR 2016).",
    "Feature map": "what one channel of a convolution makes of an image. Channel pruning removes "
    "whole feature maps.",
    "Grid": "all combinations of data sets, pairs and methods that a study runs.",
    "Instance": "one stage for one network or data set, such as one training or one sweep. DVC "
    "runs and caches whole instances.",
    "Learning rate": "how far a step of training moves the weights: `teach.lr`, "
    "`distill.training.lr` and `prune.finetune.lr`.",
    "Mask": "a note of the weights in a tensor that are zero. The tensor keeps its size.",
    "Plain numbers": "four bytes for each weight. Where many are zero, only the others, and a bit "
    "for each place.",
    "Profile": "a set of parameters under a name: `mini` runs in minutes, `paper` is the paper's "
    "study.",
    "Projector": "the small network that maps the student's last feature maps onto the teacher's. "
    "SimKD deploys it with the student.",
    "Scope": "whether weights are ranked within each layer, or over all layers.",
    "Slot": "a place for one instance at a time: a GPU, or some of the cores.",
    "Stale": "said of an instance whose inputs are not those that it ran with. DVC runs it again.",
    "Stem": "the first layers of a network. The ImageNet stem shrinks images at once; the CIFAR "
    "stem does not.",
    "Sweep": "one network, pruned by one method to every level, and fine-tuned with every seed.",
    "Tap": "a place in a network at which a distillation method reads features.",
}


def page(root: Path) -> str:
    """Return the page."""
    words = sorted({**WORDS, **OURS}.items(), key=lambda item: item[0].casefold())
    lines = [f"- **{word}**: {told}" for word, told in words]
    said = "The words of these pages and of the report, a sentence or two each."
    return "\n".join(["# Glossary", "", said, "", *lines, ""])
