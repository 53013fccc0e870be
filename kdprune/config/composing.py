"""What is said to Hydra, and what Hydra says: values as data, and its faults in words that help.

Of a misspelt key Hydra says how to add it, which makes of one fault two.
"""

import re
from collections.abc import Mapping
from typing import Any

from kdprune.config.params import unknown
from kdprune.errors import nearest

NOISE = ("full_key:", "object_type=", "See https:")  # lines that tell a user nothing
KEY = re.compile(r"Could not override '([^']+)'")
CHOICE = re.compile(r"Could not find '(\w+)/([^']+)'")
OPENED = re.compile(r"(\\*)\$\{")  # an interpolation, with the backslashes before it
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


def literal(value: Any) -> Any:
    """Return a value whose strings OmegaConf resolves to what they are: data, and never code.

    A name in a file of others could else be `${oc.env:TOKEN}`, and be written out as what it asks
    for. OmegaConf halves the backslashes before an interpolation, and takes none away elsewhere.
    """
    if isinstance(value, str):
        return OPENED.sub(lambda found: f"{found[1] * 2}\\${{", value)
    if isinstance(value, Mapping):
        return {key: literal(item) for key, item in value.items()}
    return [literal(item) for item in value] if isinstance(value, list | tuple) else value
