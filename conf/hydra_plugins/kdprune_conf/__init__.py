"""What Hydra needs to compose conf/: the stage grid, and one entry for all methods of a group."""

from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from kdprune.config.grid import expand
from kdprune.config.params import validate
from kdprune.errors import KdpruneError

CONF = Path(__file__).parents[2]


def grid(
    datasets, pairs, distill, prune, roles, folders, objective, source, *, _root_
) -> DictConfig:
    """Expand the study into the mappings that dvc.yaml iterates over (kdprune.config.grid.expand).

    The whole configuration is validated with it: what is refused is never written.
    """
    plain = [
        OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
        for value in (datasets, pairs, distill, prune, roles, folders, objective, source)
    ]
    keys = "datasets pairs distill prune roles folders objective source".split()
    rest = OmegaConf.masked_copy(_root_, [key for key in _root_ if key != "grid"])
    values = OmegaConf.to_container(rest, resolve=True)
    try:
        expanded = expand(**dict(zip(keys, plain, strict=True)))
    except (KdpruneError, TypeError, KeyError):
        expanded = {}  # validation says what is wrong
    try:
        validate({**values, "grid": expanded}, where="conf")
    except KdpruneError as error:
        raise InterpolationResolutionError(str(error)) from None
    return OmegaConf.create(expanded)


OmegaConf.register_new_resolver("grid", grid, replace=True)

# `distill: all` stands for every conf/distill/*.yaml, so that a new method needs no further line
for group in ("distill", "prune"):
    methods = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    entries = [f"{method}@{method}" for method in methods]
    ConfigStore.instance().store(group=group, name="all", node={"defaults": entries})
