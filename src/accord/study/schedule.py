"""A job again and again: at an interval with jitter, whether or not it failed the last time."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from accord.core.errors import InputError

JITTER = 0.1
"""Intervals are longer or shorter by at most this share, so that several machines do not work at the same moment."""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
T = TypeVar("T")


@dataclass
class Tally:
    """How often the job ran, and how often it failed."""

    runs: int = 0
    failures: int = 0


def seconds_of(text: str, place: str = "--every") -> float:
    """``90s``, ``30m``, ``6h``, ``1d`` or ``1.5h`` in seconds. Raises ``InputError`` for anything else."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])", text.strip())
    if not match or float(match[1]) == 0:
        raise InputError("not an interval", place=place, value=text, remedy="Such as 30m, 6h or 1d.")
    return float(match[1]) * UNITS[match[2]]


def repeat(
    job: Callable[[], T],
    every: float,
    done: Callable[[T, Tally], None],
    failed: Callable[[Exception, Tally], None],
    *,
    times: int | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Tally:
    """Run the job now and then every so many seconds (give or take ``JITTER``), one at a time; endless by default.

    A failure is told and counted, and ends nothing; ``KeyboardInterrupt`` and ``SystemExit`` end it. A run that takes
    longer than the interval is followed by the next at once.
    """
    tally, draws = Tally(), random.SystemRandom()
    while times is None or tally.runs < times:
        started = time.monotonic()
        tally.runs += 1
        try:
            result = job()
        except Exception as error:  # whatever it is, the next run may go well
            tally.failures += 1
            failed(error, tally)
        else:
            done(result, tally)
        pause = every * draws.uniform(1 - JITTER, 1 + JITTER)
        if times is None or tally.runs < times:
            sleep(max(0.0, started + pause - time.monotonic()))
    return tally
