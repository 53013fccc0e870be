"""Says what is wrong with a value for `dvc exp run -S` in words that help; Hydra's do not.

Of a misspelt key Hydra says how to add it, which makes of one fault two.
"""

import re

from kdprune.config.params import unknown
from kdprune.errors import nearest

NOISE = ("full_key:", "object_type=", "See https:")  # lines that tell a user nothing
KEY = re.compile(r"Could not override '([^']+)'")
CHOICE = re.compile(r"Could not find '(\w+)/([^']+)'")
LISTED = re.compile(r"Available options in '\w+':\n((?:\t\S+\n?)+)")


def told(error: Exception) -> str:
    """Return one line for what Hydra raised while it composed conf/."""
    text = str(error).partition("Config search path:")[0]
    if (key := KEY.search(text)) and key[1]:
        return unknown(key[1])
    if choice := CHOICE.search(text):
        listed = LISTED.search(text)
        return f"{choice[1]} = {choice[2]!r}: is unknown; " + nearest(
            choice[2], listed[1].split() if listed else []
        )
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    reason = " ".join(" ".join(line for line in lines if not line.startswith(NOISE)).split())
    override = getattr(error, "override", None)
    return reason if override is None or override in reason else f"{override}: {reason}"
