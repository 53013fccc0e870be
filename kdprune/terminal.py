"""Standard output and error as they come: closed, full, ASCII alone; and text that is safe there.

A file may hold any text as a name. What reaches a terminal is shown by `printable`: an escape
sequence could otherwise clear the screen, or write what the reader takes for the program's word.
"""

import io
import os
import sys
import unicodedata
from typing import TextIO

# ANSI: of the two prunings, blue and yellow
STYLES = {"bold": "1", "dim": "2", "done": "32", "ahead": "34", "behind": "33"}
HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, formatting, lone surrogates, line separators


def printable(text: object) -> str:
    """Return text with control and formatting characters as escapes, such as \\x1b for ESC."""
    return "".join(_shown(character) for character in str(text))


def _shown(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    if unicodedata.category(character) not in HIDDEN:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def styled(text: object, style: str, stream: TextIO) -> str:
    """Return printable text in a style of STYLES ("": none), where `stream` is a terminal.

    NO_COLOR, whatever its value, takes all styles away (no-color.org).
    """
    shown = printable(text)
    if not style or not shown or os.environ.get("NO_COLOR") or not stream.isatty():
        return shown
    return f"\x1b[{STYLES[style]}m{shown}\x1b[0m"


def ready() -> None:
    """Give the process standard streams that take any text, also where they were closed.

    A closed one becomes the null device: a file that is opened later would otherwise get its
    number, and with it what libraries print. What a terminal cannot show, it shows as an escape.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # opened in the place of a closed stream
    os.close(handle)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def abandon() -> None:
    """Let standard output end in the null device, for what is left in its buffer."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # no stream of the system's
        return
