"""python benchmarks/gpu/taken.py NAME ARCHIVE…: take over what a card made of study NAME.

To be run in a clone with that study's params.yaml and images. Networks, tables and records go to
their places, and DVC is told that they are the results of their stages: seconds for each.
"""

import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from instances import MADE, NETWORKS, Instance, listed

PLACES = tuple(f"{place}/" for place in (NETWORKS, *MADE))


def take(name: str, archives: Iterable[Path], study: Path) -> list[Instance]:
    """Unpack what the archives hold of study `name`; return the instances that are there now.

    Regular files below PLACES alone: an archive from another machine decides no other path.
    """
    for path in archives:
        with tarfile.open(path) as archive:
            for member in archive:
                of, _, inside = member.name.partition("/")
                known = of == name and member.isreg() and inside.startswith(PLACES)
                if not known or ".." in Path(inside).parts:
                    continue
                archive.extract(member.replace(name=inside), study, filter="data")
    return [item for item in listed(study) if (study / item.gives).is_file()]


def main(arguments: list[str]) -> int:
    """Take the archives over, and commit to DVC."""
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    name, *archives = arguments
    found = take(name, map(Path, archives), Path())
    if not found:
        print(f"taken: no instance of {name} in these archives", file=sys.stderr)
        return 2
    data = sorted({item.key.split("-")[0] for item in found})
    stages = [f"download@{dataset}" for dataset in data]
    stages += [f"{item.stage}@{item.key}" for item in found]
    command = [sys.executable, "-m", "dvc", "commit", "--quiet", "--force", *stages]
    status = subprocess.run(command).returncode
    print(f"{len(found)} instances taken over; `dvc repro` does the rest")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
