"""Images on which two networks answer differently, as one picture to look at."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kdprune.files import replacing
from kdprune.terminal import printable

MOST, COLUMNS = 40, 8
SIDE, LINE, GAP = 96, 13, 8  # pixels: of an image, a line of its caption, between images
RIGHT, WRONG, WORDS = (0, 110, 0), (180, 0, 0), (90, 90, 90)
LONGEST = 14  # characters of a class's name


def write(
    path: Path,
    images: np.ndarray,
    captions: Sequence[tuple[int, int, int]],
    classes: Sequence[str],
) -> None:
    """Write at most MOST of the images, bytes [N, 3, side, side], as PNG.

    `captions` are (label, answer before, answer after). Answers are green where they are right and
    red where they are wrong.
    """
    font = ImageFont.load_default()
    count = min(len(captions), MOST)
    rows = -(-count // COLUMNS)
    cell = SIDE + GAP, SIDE + 3 * LINE + GAP
    sheet = Image.new("RGB", (GAP + COLUMNS * cell[0], GAP + rows * cell[1]), "white")
    draw = ImageDraw.Draw(sheet)
    for at in range(count):
        left, top = GAP + at % COLUMNS * cell[0], GAP + at // COLUMNS * cell[1]
        pixels = np.ascontiguousarray(images[at].transpose(1, 2, 0))
        sheet.paste(
            Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.NEAREST), (left, top)
        )
        label, *answers = captions[at]
        for line, (word, one) in enumerate(
            zip(("is", "was", "now"), (label, *answers), strict=True)
        ):
            colour = WORDS if word == "is" else RIGHT if one == label else WRONG
            text = f"{word} {_short(classes[one])}"
            draw.text((left, top + SIDE + line * LINE), text, colour, font)
    with replacing(path) as temporary:
        sheet.save(temporary, format="PNG")


def _short(name: str) -> str:
    shown = printable(name).encode("ascii", "replace").decode()
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "~"
