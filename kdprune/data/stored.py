"""Images that stay in their file, and stand where a tensor of them would.

The same bytes come in the same order as from a tensor: threads gather the next batches while one is
worked on, and on their way to a GPU they pass it by in a stream of their own.
"""

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial

import numpy as np
import torch

from kdprune.data.ahead import ahead
from kdprune.data.mapped import take


class Stored:
    """Rows of a file's images [N, 3, side, side], of which `size` pixels at the middle are seen.

    What is asked for comes to `device`.
    """

    dtype = torch.uint8

    def __init__(
        self, array: np.ndarray, rows: np.ndarray, *, size: int, device: torch.device
    ) -> None:
        self.array, self.rows, self.size, self.device = array, rows, size, device
        self.shape = torch.Size((len(rows), 3, size, size))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, wanted: "slice | list[int] | torch.Tensor") -> "Stored | torch.Tensor":
        """Return the wanted images; of a slice, images that stay in their file."""
        if isinstance(wanted, slice):
            return Stored(self.array, self.rows[wanted], size=self.size, device=self.device)
        rows = torch.as_tensor(wanted, device="cpu")
        rows = rows.nonzero().flatten() if rows.dtype == torch.bool else rows.long()
        return self._gathered(rows, None).to(self.device)

    def to(self, device: "str | torch.device") -> "Stored":
        """Return the same images, which come to another device."""
        return Stored(self.array, self.rows, size=self.size, device=torch.device(device))

    def cpu(self) -> "Stored":
        """Return the same images, which come to the CPU."""
        return self.to("cpu")

    def split(self, count: int) -> Iterator[torch.Tensor]:
        """Yield all images, `count` at a time, none ahead of time."""
        for rows in torch.arange(len(self)).split(count):
            yield self._gathered(rows, None).to(self.device)

    def whole(self, count: int = 1024) -> torch.Tensor:
        """Return all images as one tensor on the device, never held twice."""
        made = torch.empty(self.shape, dtype=self.dtype, device=self.device)
        for to, rows in zip(made.split(count), torch.arange(len(self)).split(count), strict=True):
            to.copy_(self._gathered(rows, None))
        return made

    def ahead(self, order: torch.Tensor, count: int) -> Generator[torch.Tensor]:
        """Yield the images in this order, int64 [M] on the CPU, `count` at a time, read ahead."""
        if self.device.type != "cuda":
            plain = partial(self._gathered, into=None)
            with closing(ahead(plain, order.split(count))) as parts:
                for part in parts:
                    yield part.to(self.device)
            return
        # All calls of CUDA are this thread's: a graph that it captures suffers no other's
        side = torch.cuda.Stream(self.device)
        asked = ((rows, self._pinned(len(rows))) for rows in order.split(count))
        with closing(ahead(lambda item: self._gathered(*item), asked)) as parts:
            for part in parts:
                with torch.cuda.stream(side):
                    moved = part.to(self.device, non_blocking=True)
                current = torch.cuda.current_stream(self.device)
                current.wait_stream(side)
                moved.record_stream(current)  # its memory is no one else's before it is used
                yield moved

    def _pinned(self, count: int) -> torch.Tensor:
        """Return memory that a GPU reads by itself; torch gives it out anew once that is done."""
        return torch.empty((count, *self.shape[1:]), dtype=self.dtype, pin_memory=True)

    def _gathered(self, wanted: torch.Tensor, into: torch.Tensor | None) -> torch.Tensor:
        made = (
            torch.empty((len(wanted), *self.shape[1:]), dtype=self.dtype) if into is None else into
        )
        rows, side = self.rows[wanted.numpy()], self.array.shape[-1]
        if self.size == side:
            take(self.array, rows, made.numpy())
        else:
            begin = (side - self.size) // 2  # as data.augment.centred
            middle = slice(begin, begin + self.size)
            made.numpy()[:] = take(self.array, rows)[..., middle, middle]
        return made


@contextmanager
def batches(
    images: "torch.Tensor | Stored", order: torch.Tensor, count: int
) -> Iterator[Iterator[torch.Tensor]]:
    """Yield an iterator of images [N, …] in this order, int64 [M] on the CPU, `count` at a time.

    Threads that read ahead end with the block, also where that ends by an exception.
    """
    if isinstance(images, Stored):
        with closing(images.ahead(order, count)) as parts:
            yield parts
    else:
        yield (images[part] for part in order.to(images.device).split(count))


@contextmanager
def parts(images: "torch.Tensor | Stored", count: int) -> Iterator[Iterator[torch.Tensor]]:
    """Yield an iterator of all images [N, …], `count` at a time, as `batches` does."""
    if isinstance(images, Stored):
        with batches(images, torch.arange(len(images)), count) as read:
            yield read
    else:
        yield iter(images.split(count))
