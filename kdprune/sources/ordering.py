"""The order of a data set's records, found without holding its images."""

from typing import NamedTuple

import numpy as np

from kdprune.data.mapped import let_go, rows_at_once
from kdprune.errors import KdpruneError

WIDEST = 32 << 20  # bytes that are compared at a time, of all images together
LEAST = 64  # of an image


class Ordered(NamedTuple):
    """Images [N, side, side, 3] as they were read, and of M of them the rows and labels [M], in
    the order of the records.
    """

    images: np.ndarray
    rows: np.ndarray
    labels: np.ndarray


def ordered(images: np.ndarray, labels: np.ndarray, where: str) -> Ordered:
    """Order images [N, side, side, 3] and labels [N] by their records: label, then pixels.

    Raises KdpruneError, naming `where`, for other shapes and types.
    """
    if (
        images.dtype != np.uint8
        or images.ndim != 4
        or not images.shape[1:] == (images.shape[1], images.shape[1], 3)
    ):
        raise KdpruneError(
            f"{where}: images are {images.dtype} {images.shape}, not bytes [N, side, side, 3]"
        )
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise KdpruneError(
            f"{where}: labels are {labels.dtype} {labels.shape}, not {len(images)} whole numbers"
        )
    if outside := labels[(labels < 0) | (labels > 255)].tolist():  # else a byte would hide it
        raise KdpruneError(f"{where}: there is a label {outside[0]}, which fits in no byte")
    flat = images.reshape(len(images), images.shape[1] ** 2 * 3)
    rows = _by_pixels(flat, labels)
    return Ordered(images, rows, labels[rows].astype(np.uint8))


def _by_pixels(flat: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the rows of pixels [N, length] in the order of (label, pixels).

    From left to right, as much of the images at a time as WIDEST has room for: those that are told
    apart are done with, so that what is left is soon few.
    """
    rows = np.argsort(labels, kind="stable")
    groups = np.searchsorted(labels[rows], labels[rows])  # where those alike so far begin
    tied = _tied(groups)
    begin, length = 0, flat.shape[1]
    while begin < length and len(tied):
        width = min(length - begin, max(LEAST, WIDEST // len(tied)))
        keys = np.empty((len(tied), 8 + width), np.uint8)
        keys[:, :8] = groups[tied].astype(">u8").view(np.uint8).reshape(-1, 8)
        for first in range(0, len(tied), at_once := rows_at_once(flat)):
            some = slice(first, first + at_once)
            keys[some, 8:] = flat[rows[tied[some]], begin : begin + width]
            let_go(flat)
        order = np.argsort(keys.view(f"V{8 + width}").ravel(), kind="stable")
        rows[tied], keys = rows[tied][order], keys[order]
        fresh = np.append(True, (keys[1:] != keys[:-1]).any(1))
        groups[tied] = tied[np.maximum.accumulate(np.where(fresh, np.arange(len(tied)), 0))]
        tied, begin = tied[_shared(fresh)], begin + width
    return rows


def _tied(groups: np.ndarray) -> np.ndarray:
    """Return the places [M] of those that share their group with a neighbour."""
    return np.flatnonzero(_shared(np.append(True, groups[1:] != groups[:-1])[: len(groups)]))


def _shared(fresh: np.ndarray) -> np.ndarray:
    """Return which of [M] neither begin a group nor are followed by the beginning of another."""
    return ~fresh | np.append(~fresh[1:], False)[: len(fresh)]
