"""CIFAR-10 and CIFAR-100: fetched from several sources, checked, in one canonical form."""

from kdprune.data.canonical import Images, load, stratified_split
from kdprune.data.sources import prepare
from kdprune.data.sources.writing import write

__all__ = ["Images", "load", "prepare", "stratified_split", "write"]
