"""python benchmarks/gpu/taken.py NAME ARCHIVE…: take over what a card made of study NAME.

To be run in a clone with that study's params.yaml and images. Networks, tables and records go to
their places, and DVC is told that they are the results of their stages: seconds for each.
"""

import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parent))

from instances import MADE, NETWORKS, Instance, listed

from kdprune.ending import ended
from kdprune.errors import KdpruneError

PLACES = tuple(f"{place}/" for place in (NETWORKS, *MADE))


def take(name: str, archives: Iterable[Path], study: Path) -> list[Instance]:
    """Unpack what the archives hold of study `name`; return the instances that are there now.

    Regular files below PLACES alone: an archive from another machine decides no other path. Raises
    KdpruneError for a file that is no archive, or is damaged.
    """
    for path in archives:
        try:
            with tarfile.open(path) as archive:
                for member in filter(lambda one: known(one, name), archive):
                    inside = member.name.partition("/")[2]
                    archive.extract(member.replace(name=inside), study, filter="data")
        except (tarfile.TarError, EOFError) as error:
            raise KdpruneError(f"{path}: is no whole archive ({error}); fetch it anew") from None
    return [item for item in listed(study) if (study / item.gives).is_file()]


def known(member: tarfile.TarInfo, name: str) -> bool:
    """Say whether a member is a file of study `name` in one of PLACES."""
    of, _, inside = member.name.partition("/")
    there = inside.startswith(PLACES) and ".." not in Path(inside).parts
    return of == name and member.isreg() and there


def main(arguments: list[str]) -> int:
    """Take the archives over, and commit to DVC; return DVC's exit status."""
    if len(arguments) < 2:
        raise KdpruneError("taken: say the study's name and its archives")
    name, *archives = arguments
    if not (found := take(name, map(Path, archives), Path())):
        raise KdpruneError(f"taken: these archives hold no instance of {name} and params.yaml")
    grid = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["grid"]
    stages = [f"download@{dataset}" for dataset in grid["datasets"]]
    stages += [f"{item.stage}@{item.key}" for item in found]
    command = [sys.executable, "-m", "dvc", "commit", "--quiet", "--force", *stages]
    if status := subprocess.run(command).returncode:
        return status
    print(f"{len(found)} instances taken over; `dvc repro` does the rest")
    return 0


if __name__ == "__main__":
    sys.exit(ended(lambda: main(sys.argv[1:])))
