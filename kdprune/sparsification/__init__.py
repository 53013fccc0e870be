"""Pruning methods that train on their way: a network trained once, through all levels."""
