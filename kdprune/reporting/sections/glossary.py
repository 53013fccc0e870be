"""The words of the report that a reader may not know, a sentence or two each."""

from kdprune.reporting.document.blocks import Bullets, Section

TITLE = "Glossary"
WORDS = {
    "Accuracy per parameter (Performance Efficiency)": "test accuracy in percent, divided by the "
    "number of parameters. The paper counts parameters in units of ten million.",
    "Breakpoint": "the last level before accuracy falls by more than the tolerance. It is found on "
    "validation images; the test images only report.",
    "Censored": "a curve that never broke on the levels that were run. Its breakpoint lies further "
    "out than the table says.",
    "Distillation": "training a student network to imitate a teacher network. SimKD and KD are two "
    "ways to do it.",
    "Fine-tuning": "training on for a few steps after pruning, so that the rest of the network "
    "adapts. Level 0 is the same fine-tuning without any pruning.",
    "Holm's correction": "many tests find something by chance. The correction raises each p so "
    "that all of them together keep to the 5 %.",
    "Interval": "the values that agree with the data, with the stated confidence.",
    "Level (sparsity, pruning ratio)": "the share of convolution and linear weights that "
    "is pruned.",
    "Pair": "a student and the teacher that it was distilled from.",
    "Point": "one percent of the images: from 56 % to 55 % is a point.",
    "Seed": "the number that random draws begin with. The seeds of a sweep repeat the fine-tuning "
    "with other draws; those of a training repeat the training.",
    "Weight pruning, channel pruning": "the first sets single small weights to zero and keeps the "
    "shape of the network. The second removes whole channels (feature maps) and leaves a smaller "
    "network.",
}


def section() -> Section:
    """Explain the words."""
    return Section(TITLE, [Bullets([f"{word}: {told}" for word, told in WORDS.items()])])
