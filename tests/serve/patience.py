"""Waiting for what happens in the background."""

import time
from collections.abc import Callable


def soon(check: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether something comes true within some seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if check():
            return True
        time.sleep(0.02)
    return False
