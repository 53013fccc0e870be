"""Yes or no for each of many images, as one word of a table."""

import numpy as np


def packed(bits: np.ndarray) -> str:
    """Return bits, bool [N], as a hexadecimal number: a 1, so that N is known, then the bits."""
    return f"{int('1' + ''.join(map(str, bits.astype(int))), 2):x}"


def unpacked(word: str) -> np.ndarray:
    """Return the bits, bool [N], that `packed` made a word of; ValueError where it did not."""
    digits = bin(int(word, 16)).removeprefix("0b1")
    return np.frombuffer(digits.encode(), np.uint8) == ord("1")
