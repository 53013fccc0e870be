"""Compose conf/ into params.yaml, as `dvc exp run` does: python conf/compose.py [KEY=VALUE …]."""

import argparse
import contextlib
import sys
from pathlib import Path

CONF = Path(__file__).parent
sys.path.insert(0, str(CONF.parent))  # this clone's code, whatever the environment holds


def compose(output: Path, overrides: list[str]) -> None:
    """Write the composition of conf/ with Hydra `overrides` to `output` (.yaml).

    Raises KdpruneError with one line where an override or a file of conf/ is at fault; `output`
    is untouched then.
    """
    from dvc.utils.hydra import compose_and_dump, load_hydra_plugins
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    from kdprune.config.composing import told
    from kdprune.errors import KdpruneError

    if output.suffix not in (".yaml", ".yml") or not output.parent.is_dir():
        raise KdpruneError(f"-o {output}: must be a .yaml file in a folder that exists")
    try:
        load_hydra_plugins(str(CONF))
        with contextlib.chdir(CONF.parent):  # elsewhere in the project, DVC's run is refused
            compose_and_dump(str(output), str(CONF), None, "config", str(CONF), overrides)
    except (HydraException, OmegaConfBaseException, YAMLError, OSError, ValueError) as error:
        raise KdpruneError(told(error)) from None


def main() -> int:
    """Compose as the command line says; return the exit status."""
    from kdprune import environment
    from kdprune.errors import KdpruneError, tell

    environment.excuse()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("-o", "--output", type=Path, default=CONF.parent / "params.yaml")
    arguments = parser.parse_args()
    try:
        compose(arguments.output.resolve(), arguments.overrides)
    except KdpruneError as error:
        tell(str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
