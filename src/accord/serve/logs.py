"""One JSON line for each request and each thing that happens to the server; nothing personal is in them."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any, Protocol, TextIO

import structlog

ROOT = Path(__file__).parents[1]


class Log(Protocol):
    """Writes lines: a word for what happened, and facts by name. Never pass ids of users or items, texts or keys."""

    def info(self, event: str, **facts: Any) -> Any:
        """Something that is as it should be."""
        ...

    def warning(self, event: str, **facts: Any) -> Any:
        """Something that somebody should look at."""
        ...

    def error(self, event: str, **facts: Any) -> Any:
        """Something that must not happen."""
        ...


def make_log(file: TextIO | None = None) -> Log:
    """A log that writes JSON lines to ``file``, by default standard output."""
    return structlog.wrap_logger(
        structlog.WriteLogger(file or sys.stdout),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
    )


def where(error: BaseException) -> dict[str, Any]:
    """Kind and place of an error, without its message, which may hold anything that a client sent."""
    frames = [
        f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return {"error": type(error).__name__, "at": frames[-8:]}
