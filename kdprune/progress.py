"""A progress bar on a terminal; a line of the first and last epoch, and of some, in a log."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from tqdm import tqdm

# Called as listener(title, epoch, {"train_loss": …, "val_accuracy": percent})
Listener = Callable[[str, int, Mapping[str, float]], None]
_LISTENERS: list[Listener] = []
QUIET = 30.0  # seconds between two lines of a training in a log file


@contextmanager
def followed(listener: Listener) -> Iterator[None]:
    """Tell `listener` of every epoch of what is trained within the block; it must not raise.

    Those that a resumed training has behind it are told of at once, from the first.
    """
    _LISTENERS.append(listener)
    try:
        yield
    finally:
        _LISTENERS.remove(listener)


def duration(seconds: float) -> str:
    """Return seconds as people say them: 48 s, 12 min 30 s, 3 h 24 min, 2 d 5 h."""
    units = ("d", 86_400, "h", 3_600, 60), ("h", 3_600, "min", 60, 1)
    for unit, size, part, step, below in units:  # below: to what the next smaller unit is rounded
        if round(seconds / below) * below >= size:
            whole, rest = divmod(round(seconds / step), size // step)
            return f"{whole} {unit} {rest} {part}"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Progress:
    """Shows images/s, loss, validation accuracy and the time left of one training."""

    def __init__(
        self, title: str, *, epochs: int, rows: Sequence[Mapping[str, float]], images: int
    ) -> None:
        """Begin after the epochs in `rows`, of which listeners are told too."""
        self.title = title
        self.epochs = epochs
        self.images = images
        self.first = done = len(rows)
        self.start = self.said = time.monotonic()
        self.bar = tqdm(
            desc=title,
            total=epochs * images,
            initial=done * images,
            unit="img",
            unit_scale=True,
            disable=not sys.stderr.isatty(),
            leave=False,
            mininterval=0.5,
        )
        for row in rows:
            self._tell(int(row["epoch"]), row["train_loss"], row["val_accuracy"])

    def advance(self, images: int) -> None:
        """Count a batch."""
        self.bar.update(images)

    def epoch(self, epoch: int, *, loss: float, accuracy: float) -> None:
        """Report the end of epoch `epoch`, from 1."""
        self.bar.set_postfix_str(f"loss {loss:.3f}, val {accuracy:.1f} %")
        due = epoch in (self.first + 1, self.epochs) or time.monotonic() - self.said >= QUIET
        if self.bar.disable and due:
            self.said = time.monotonic()
            passed = time.monotonic() - self.start
            each = passed / (epoch - self.first)
            print(
                f"{self.title}: epoch {epoch}/{self.epochs}, {self.images / each:.0f} images/s, "
                f"loss {loss:.3f}, val {accuracy:.1f} %, {each * (self.epochs - epoch):.0f} s left",
                file=sys.stderr,
                flush=True,
            )
        self._tell(epoch, loss, accuracy)

    def _tell(self, epoch: int, loss: float, accuracy: float) -> None:
        for listener in _LISTENERS:
            listener(self.title, epoch, {"train_loss": loss, "val_accuracy": accuracy})

    def close(self) -> None:
        """End the line."""
        self.bar.close()
