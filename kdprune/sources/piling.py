"""Images on their way into the canonical form, laid down in a file as they are read."""

import tempfile
from pathlib import Path

import numpy as np


class Pile:
    """Images, bytes [side, side, 3], one after the other in a file that no one else sees.

    It lies in `folder`, which is made, and goes with the process, however that ends.
    """

    def __init__(self, folder: Path, side: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.side, self.count = side, 0
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115, as long as what it holds

    def add(self, image: np.ndarray) -> None:
        """Lay an image on the others. Raises OSError where the disk is full."""
        self.file.write(np.ascontiguousarray(image).data)
        self.count += 1

    def whole(self) -> np.ndarray:
        """Return all images [N, side, side, 3], mapped; N is at least 1."""
        self.file.flush()
        shape = self.count, self.side, self.side, 3
        return np.memmap(self.file, np.uint8, "r", shape=shape)
