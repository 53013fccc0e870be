"""Curves of the trainings that run, by DVCLive: plots/live/KEY, which dvc.yaml names as plots.

They grow by the epoch, for `dvc plots show`, editors that draw DVC's plots, and DVC's Studio where
DVC passes its token on. When the stage has ended they go: plots/learning holds the whole curve.
"""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kdprune.progress import followed
from kdprune.study import paths
from stages.runner.stages import TRAININGS

FOLDER = paths.PLOTS / "live"


@contextmanager
def drawn(stage: str, key: str) -> Iterator[None]:
    """Draw the curves of stage instance `key` while the block runs, where that is a training.

    What cannot be drawn is told of in one line; it stops no training. The curves of a training that
    fails or is killed stay until it is run again.
    """
    if stage not in TRAININGS:
        yield
        return
    curves = Curves(key)
    with followed(curves.draw):
        yield
    curves.close()


class Curves:
    """The curves of one training, begun with its first epoch."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.folder = FOLDER / key
        self.studio = "DVC_STUDIO_TOKEN" in os.environ
        self.live: Any = None
        self.broken = False

    def draw(self, _: str, epoch: int, figures: Mapping[str, float]) -> None:
        """Add an epoch."""
        if self.broken:
            return
        try:
            self._log(epoch, figures)
        except Exception as error:
            self.broken = True
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"kdprune: {self.key}: its curves stop here ({reason})", file=sys.stderr)

    def _log(self, epoch: int, figures: Mapping[str, float]) -> None:
        if self.live is None:
            from dvclive import Live

            self.live = Live(str(self.folder), save_dvc_exp=False, dvcyaml=False)
        self.live.step = epoch
        for name, value in figures.items():
            self.live.log_metric(name, value)
        if self.studio:
            self.live.sync()
            Path(self.live.metrics_file).unlink()  # DVC draws, and trips over, whatever lies there

    def close(self) -> None:
        """End and remove the curves."""
        if self.live is not None and self.studio and not self.broken:
            self.live.end()
        shutil.rmtree(self.folder, ignore_errors=True)
