"""kdprune: which pruning matches a distilled network best, as a reproducible study."""

__version__ = "0.1.0"
