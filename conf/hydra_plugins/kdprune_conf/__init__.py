"""What Hydra needs to compose conf/: the stage grid, and one entry for all methods of a group."""

import functools
import os
import sys
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

CONF = Path(__file__).parents[2]
DERIVED = ("grid", "trainings")

# This clone's code, whatever the environment holds: the script `dvc` has no folder at hand to
# import from, and an environment may be another clone's
sys.path.insert(0, str(CONF.parent))
try:
    from kdprune.config import coding, replicates
    from kdprune.config.composing import literal, told
    from kdprune.config.grid import expand
    from kdprune.config.params import validate
    from kdprune.errors import KdpruneError
finally:
    sys.path.remove(str(CONF.parent))


class Refused(InterpolationResolutionError, DvcException):
    """A user's fault: to OmegaConf one of its own, to DVC one that needs no call for help."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.msg = told


class Miscomposed(HydraException, DvcException):
    """The same, of what Hydra refuses."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.msg = told


def in_our_words(load):
    """Return Hydra's own way to load a configuration, its faults told by `told`; and derive."""

    @functools.wraps(load)
    def loaded(*given, **named):
        try:
            return derived(load(*given, **named))
        except Miscomposed:
            raise
        except HydraException as error:
            raise Miscomposed(f"conf: {told(error)}") from None

    return loaded


def derived(composed: DictConfig) -> DictConfig:
    """Derive what follows from the rest while that is as it was written.

    OmegaConf resolves in the order of the keys and in place: what follows later would resolve a
    string for the second time, and so what was escaped in it.
    """
    for key in DERIVED:
        if key in composed.keys():  # noqa: SIM118 - `in` alone resolves, and hides what is refused
            try:
                composed[key] = composed[key]
            except Refused as error:  # OmegaConf adds where it was, which tells a user nothing
                raise Refused(error.msg.partition("\n    full_key:")[0]) from None
    return composed


def present(folders: dict, datasets: list[str]) -> None:
    """Refuse a study that DVC is to run on images that are not there: it says a bare Errno 2."""
    if "dvc" not in Path(sys.argv[0]).parts:  # conf/compose.py may write for another machine
        return
    for name in (name for name in datasets if name in folders):
        if not Path(path := folders[name]["path"]).exists():
            raise Refused(f"conf: folders.{name}.path = {path!r}: is not there; name a folder")


def grid(
    datasets, pairs, distill, prune, roles, folders, objective, source, only, seed, *, _root_
) -> DictConfig:
    """Expand the study into the mappings that dvc.yaml iterates over (kdprune.config.grid.expand).

    The whole configuration is validated with it: what is refused is never written. Nor is anything
    in a subfolder of the project, where DVC would put a second params.yaml beside nothing.
    """
    if CONF.parent in Path.cwd().resolve().parents:
        raise Refused(f"run this from the root of the project, {os.path.relpath(CONF.parent)}")
    given = (datasets, pairs, distill, prune, roles, folders, objective, source, only)
    keys = "datasets pairs distill prune roles folders objective source only".split()
    rest = OmegaConf.masked_copy(_root_, [key for key in _root_ if key not in (*DERIVED, "hydra")])
    values = OmegaConf.to_container(rest, resolve=True)
    try:
        called = replicates.names(_plain(seed))
        study = dict(zip(keys, map(_plain, given), strict=True))
        expanded = expand(**study, replicates=called)
        named = values["compress"]["bits"], values["attribute"]["methods"]
        expanded |= coding.grid(expanded, *named)
    except (KdpruneError, TypeError, KeyError):
        expanded = {}  # validation says what is wrong
    try:
        validate({**values, "grid": expanded}, where="conf")
    except KdpruneError as error:
        raise Refused(str(error)) from None
    present(values["folders"] or {}, values["datasets"])
    return OmegaConf.create(literal(expanded))


def trainings(grid, teach, distill) -> DictConfig:
    """Return what dvc.yaml goes through to train, for the grid that was written before."""
    teachers, students = grid.teachers, grid.students
    given = {"teach": _plain(teach), "distill": _plain(distill)}
    return OmegaConf.create(literal(replicates.trainings(teachers, students, **given)))


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


OmegaConf.register_new_resolver("grid", grid, replace=True)
OmegaConf.register_new_resolver("trainings", trainings, replace=True)
ConfigLoaderImpl.load_configuration = in_our_words(ConfigLoaderImpl.load_configuration)

# `distill: all` stands for every conf/distill/*.yaml, so that a new method needs no further line
for group in ("distill", "prune"):
    methods = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    entries = [f"{method}@{method}" for method in methods]
    ConfigStore.instance().store(group=group, name="all", node={"defaults": entries})
