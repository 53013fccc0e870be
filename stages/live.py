"""Curves of the trainings that run: plots/live/KEY.csv, which dvc.yaml names among its plots.

One row per epoch, as it ends, for `dvc plots show`, editors that draw DVC's plots, and whatever
else follows a file. When the stage has ended the file goes: plots/learning holds the whole curve.
Where DVC passes on a token for its Studio, DVCLive reports there too.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from kdprune.progress import followed
from stages import paths

TRAININGS = ("teach", "distill")
FOLDER = paths.PLOTS / "live"  # git knows its header-only none.csv: DVC wants a folder that exists
FIGURES = ("train_loss", "val_accuracy")
DVCLIVE = Path(".run/live")

Writer = Callable[[int, Mapping[str, float]], None]


@contextmanager
def drawn(stage: str, key: str) -> Iterator[None]:
    """Draw the curve of stage instance `key` while the block runs, where that is a training.

    A curve that cannot be written is told of in one line; it stops no training. That of a training
    that fails or is killed stays, and the next run goes on from it.
    """
    if stage not in TRAININGS:
        yield
        return
    path = FOLDER / f"{key}.csv"
    writers: list[Writer] = [lambda epoch, figures: append(path, epoch, figures)]
    if os.environ.get("DVC_STUDIO_TOKEN"):
        writers.append(_studio(key))

    def draw(_: str, epoch: int, figures: Mapping[str, float]) -> None:
        for writer in list(writers):
            try:
                writer(epoch, figures)
            except Exception as error:
                writers.remove(writer)
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                print(f"kdprune: {key}: its curve stops here ({reason})", file=sys.stderr)

    with followed(draw):
        yield
    with suppress(OSError):
        path.unlink()


def append(path: Path, epoch: int, figures: Mapping[str, float]) -> None:
    """Write an epoch's row behind those before it; rows of this epoch and later ones go."""
    earlier = path.read_text().splitlines()[1:] if path.exists() else []
    rows = [row for row in earlier if int(row.partition(",")[0]) < epoch]
    rows.append(",".join([str(epoch), *(f"{figures[name]:.6g}" for name in FIGURES)]))
    path.parent.mkdir(parents=True, exist_ok=True)
    # moved into place from elsewhere, for DVC draws, and trips over, all that lies in the folder
    temporary = DVCLIVE.with_name(f"{path.name}.part")
    temporary.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_text("\n".join([",".join(["epoch", *FIGURES]), *rows]) + "\n")
    temporary.replace(path)


def _studio(key: str) -> Writer:
    """Return what reports to Studio; DVCLive is imported at the first epoch (2 s)."""
    held: list = []

    def report(epoch: int, figures: Mapping[str, float]) -> None:
        if not held:
            from dvclive import Live

            folder = str(DVCLIVE / key)
            held.append(Live(folder, resume=epoch > 1, save_dvc_exp=False, dvcyaml=False))
        live = held[0]
        live.step = epoch
        for name, value in figures.items():
            live.log_metric(name, value)
        live.sync()

    return report
