"""Networks: built by name, saved to and loaded from one safetensors file."""

from kdprune.models import cifar, slim  # timm knows their networks from now on
from kdprune.models.building import build
from kdprune.models.checkpoints import load, save

__all__ = ["build", "cifar", "load", "save", "slim"]
