"""What Hydra needs to compose conf/: the stage grid, and one entry for all methods of a group."""

from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, ListConfig, OmegaConf

from kdprune.grid import expand

CONF = Path(__file__).parents[2]


def grid(datasets, pairs, distill, prune, roles) -> DictConfig:
    """Expand the study into the mappings that dvc.yaml iterates over (kdprune.grid.expand)."""
    plain = [
        OmegaConf.to_container(value) if isinstance(value, ListConfig) else value
        for value in (datasets, pairs, distill, prune, roles)
    ]
    keys = ("datasets", "pairs", "distill", "prune", "roles")
    return OmegaConf.create(expand(**dict(zip(keys, plain, strict=True))))


OmegaConf.register_new_resolver("grid", grid, replace=True)

# `distill: all` stands for every conf/distill/*.yaml, so that a new method needs no further line
for group in ("distill", "prune"):
    methods = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    entries = [f"{method}@{method}" for method in methods]
    ConfigStore.instance().store(group=group, name="all", node={"defaults": entries})
