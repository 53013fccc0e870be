"""CIFAR-10 and CIFAR-100: fetched from several sources, checked, in one canonical form."""

from kdprune.data.canonical import Images, load, stratified_split, write
from kdprune.data.sources import prepare

__all__ = ["Images", "load", "prepare", "stratified_split", "write"]
