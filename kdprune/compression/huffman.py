"""Canonical Huffman codes: the code lengths say all, a byte a symbol in the file.

Huffman, "A Method for the Construction of Minimum-Redundancy Codes", Proc. IRE 40, 1952. Among
codes of equal lengths the canonical one rises with the length, and then with the symbol.
"""

import heapq

import numpy as np

LONGEST = 57  # bits of a code that a word of 64 holds at any bit of a byte; 2^39 symbols need 56
PART = 1 << 18  # bits that are decoded at a time: what is at hand fits a cache


def code_lengths(counts: np.ndarray) -> np.ndarray:
    """Return the bits of an optimal code, uint8 [K], for symbols that occur `counts` [K] times.

    0 for a symbol that does not occur; 1 for one that is alone.
    """
    lengths = np.zeros(len(counts), np.uint8)
    heap = [(int(count), symbol, [symbol]) for symbol, count in enumerate(counts) if count]
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
    heapq.heapify(heap)
    order = len(counts)
    while len(heap) > 1:
        (one, _, some), (other, _, more) = heapq.heappop(heap), heapq.heappop(heap)
        lengths[some + more] += 1
        heapq.heappush(heap, (one + other, order, some + more))
        order += 1
    return lengths


def encode(symbols: np.ndarray, lengths: np.ndarray) -> bytes:
    """Return the codes of `symbols` [N], one after the other, the last byte filled with zeros."""
    words, longest = _codes(lengths), int(max(lengths, default=0))
    places = np.arange(longest - 1, -1, -1, dtype=np.uint64)
    parts = []
    for start in range(0, len(symbols), PART):
        part = symbols[start : start + PART]
        bits = (words[part][:, None] >> places & np.uint64(1)).astype(np.uint8)
        parts.append(bits[places < lengths[part][:, None]])
    return np.packbits(np.concatenate(parts)).tobytes() if parts else b""


def decode(data: bytes, lengths: np.ndarray, count: int) -> np.ndarray:
    """Return the first `count` symbols of what `encode` made with these `lengths` [K].

    Raises ValueError unless they take all of `data`, and where the lengths are no code's.
    """
    check(lengths)
    held = np.flatnonzero(lengths)
    if count and not len(held):
        raise ValueError("it has codes, and no code lengths")
    ranked = held[np.argsort(lengths[held], kind="stable")]
    starts = _codes(lengths)[ranked] << (np.uint64(64) - lengths[ranked].astype(np.uint64))
    steps = lengths[ranked].astype(np.int64)
    padded = np.frombuffer(data + bytes(8), np.uint8)
    total, at, symbols = 8 * len(data), 0, [np.zeros(0, np.int64)]
    while count:
        if at >= total:
            raise ValueError("its codes end too early")
        ranks, at = _part(padded, at, min(total, at // 8 * 8 + PART), starts, steps, count)
        symbols.append(ranked[ranks])
        count -= len(ranks)
    if not at <= total < at + 8:
        raise ValueError("its codes do not end where they should")
    return np.concatenate(symbols)


def _part(
    padded: np.ndarray, at: int, end: int, starts: np.ndarray, steps: np.ndarray, count: int
) -> tuple[np.ndarray, int]:
    """Decode at most `count` of the codes that begin from bit `at` on, before bit `end`.

    What each bit would begin is looked up at once: the code, and so the bit that follows it. Which
    bits do begin one is found by doubling: from n of them, and n steps from anywhere, come 2n.
    Returns the codes' ranks, and the bit after the last.
    """
    first = at // 8
    rows = np.lib.stride_tricks.sliding_window_view(padded[first : (end + 7) // 8 + 7], 8)
    words = np.ascontiguousarray(rows).view(">u8").astype(np.uint64)
    windows = (words << np.arange(8, dtype=np.uint64)).ravel()[: end - 8 * first]
    ranks = np.searchsorted(starts, windows, "right") - 1
    jumps = np.minimum(np.arange(len(ranks)) + steps[ranks], len(ranks))
    jumps = np.append(jumps, len(ranks))
    visited, far = np.array([at - 8 * first]), jumps
    while visited[-1] < len(ranks) and len(visited) < count:
        visited = np.concatenate([visited, far[visited]])
        far = far[far]
    chosen = ranks[visited[visited < len(ranks)][:count]]
    return chosen, at + int(steps[chosen].sum())


def check(lengths: np.ndarray) -> None:
    """Raise ValueError where no complete code has these `lengths` [K], 0 for what is not used."""
    held = lengths[lengths > 0].tolist()
    if held in ([], [1]):
        return
    if max(held) > LONGEST or sum(1 << LONGEST - one for one in held) != 1 << LONGEST:
        raise ValueError("its code lengths are of no Huffman code")


def _codes(lengths: np.ndarray) -> np.ndarray:
    """Return each symbol's canonical code, uint64 [K], right-aligned; 0 for what is not used."""
    codes, word, before = np.zeros(len(lengths), np.uint64), 0, 0
    for symbol in sorted(np.flatnonzero(lengths).tolist(), key=lambda one: (lengths[one], one)):
        length = int(lengths[symbol])
        word <<= length - before
        codes[symbol] = word
        word, before = word + 1, length
    return codes
