"""Compose conf/ into params.yaml, as `dvc exp run` does: python conf/compose.py [KEY=VALUE …]."""

import argparse
from pathlib import Path

CONF = Path(__file__).parent


def compose(output: Path, overrides: list[str]) -> None:
    """Write the composition of conf/ with Hydra `overrides` to `output` (.yaml)."""
    from dvc.utils.hydra import compose_and_dump, load_hydra_plugins

    load_hydra_plugins(str(CONF))
    compose_and_dump(str(output), str(CONF), None, "config", str(CONF), overrides)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("-o", "--output", type=Path, default=CONF.parent / "params.yaml")
    arguments = parser.parse_args()
    compose(arguments.output.resolve(), arguments.overrides)
