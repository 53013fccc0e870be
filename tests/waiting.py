"""Waiting for what another process does."""

import time
from collections.abc import Callable
from typing import Any


def until(found: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until `found()` is true, and return it; fail after some seconds."""
    end = time.monotonic() + seconds
    while not (told := found()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return told
