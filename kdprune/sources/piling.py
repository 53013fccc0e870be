"""Images on their way into the canonical form, laid down in a file as they are read."""

import tempfile
from pathlib import Path
from typing import NoReturn

import numpy as np

from kdprune.errors import KdpruneError


class Pile:
    """Images, bytes [side, side, 3], one after the other in a file that no one else sees.

    It lies in `folder`, which is made, and goes with the process, however that ends.
    """

    def __init__(self, folder: Path, side: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.side, self.count = folder, side, 0
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115, as long as what it holds

    def add(self, image: np.ndarray) -> None:
        """Lay an image on the others. Raises KdpruneError where the disk is full."""
        try:
            self.file.write(np.ascontiguousarray(image).data)
        except OSError as error:
            self._refuse(error)
        self.count += 1

    def whole(self) -> np.ndarray:
        """Return all images [N, side, side, 3], mapped; N is at least 1."""
        try:
            self.file.flush()
        except OSError as error:
            self._refuse(error)
        shape = self.count, self.side, self.side, 3
        return np.memmap(self.file, np.uint8, "r", shape=shape)

    def _refuse(self, error: OSError) -> NoReturn:
        held = f"{self.count * self.side**2 * 3 / 1e9:.1f} GB"
        raise KdpruneError(
            f"{self.folder}: cannot be written, after {held} of images ({error.strerror}); twice "
            "the bytes of all images are needed while they are prepared"
        ) from None
