"""How far columns of a parquet file may unpack: a small file may say, or hold, very much."""

from collections.abc import Collection, Iterator

import pyarrow.parquet

LEAST = 16  # bytes of a file for each row: fewer hold no image of its own
SMALL, RATIO = 64 << 20, 64  # bytes that a column may always unpack to; how many times its own else
SNAPPY = 22  # how many times a file's bytes Snappy can hold, whatever the file says
ROWS = 64  # at a time: images are as long as their files
ROOM = 2**27  # bytes that rows which are read together may take


def check(parquet: pyarrow.parquet.ParquetFile, read: Collection[str], size: int) -> None:
    """Raise ValueError for a file of `size` bytes that says to hold far more than it can.

    Only the columns that are `read` count, by their paths.
    """
    rows = parquet.metadata.num_rows
    if rows * LEAST > size:
        raise ValueError(f"{rows:,} rows in {size:,} bytes cannot each have an image")
    for packed, unpacked in _sizes(parquet, read):
        if unpacked > max(SMALL, RATIO * packed):
            raise ValueError(f"a column of {packed:,} bytes unpacks to {unpacked:,}")


def at_once(parquet: pyarrow.parquet.ParquetFile, read: Collection[str]) -> int:
    """Return how many rows fit into ROOM, were each as long as its column could become.

    For many rows may share one long value, which Arrow repeats for each.
    """
    each = (max(SNAPPY * packed, unpacked) for packed, unpacked in _sizes(parquet, read))
    return max(1, min(ROWS, ROOM // max(1, 1, *each)))


def _sizes(
    parquet: pyarrow.parquet.ParquetFile, read: Collection[str]
) -> Iterator[tuple[int, int]]:
    """Yield the bytes of each part of the columns, packed and unpacked, as the file says."""
    for number in range(parquet.metadata.num_row_groups):
        group = parquet.metadata.row_group(number)
        for chunk in map(group.column, range(group.num_columns)):
            if chunk.path_in_schema in read:
                yield chunk.total_compressed_size, chunk.total_uncompressed_size
