"""Sweeps: a network pruned to every level, and each level tuned with every seed."""
