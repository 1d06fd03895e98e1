"""How many requests, and how large: moving windows in memory, and a bound on bodies."""

from __future__ import annotations

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from accord.core.errors import InputError

EVENTS = 1_000
"""Events of one request."""
ITEMS = 500
"""Items of one request."""
LISTED = 200
"""Places of one list."""


class RateLimit:
    """So many requests for each key or address within a moving window; every worker counts its own."""

    def __init__(self, rate: str) -> None:
        self.item = _parsed(rate)
        self._window = MovingWindowRateLimiter(MemoryStorage())

    def take(self, who: str) -> bool:
        """Whether this request is within the limit; it counts."""
        return self.item is None or self._window.hit(self.item, who)

    @property
    def wait(self) -> int:
        """Seconds after which a refused client may try again at the latest."""
        return self.item.get_expiry() if self.item is not None else 0


def _parsed(rate: str) -> RateLimitItem | None:
    if not rate:
        return None
    try:
        return parse(rate)
    except ValueError:
        raise InputError("not a rate", place="--rate", value=rate, remedy="Such as 600/minute or 20/second.") from None


def bounded(receive: Receive, most: int) -> Receive:
    """A ``receive`` that refuses bodies of more than ``most`` bytes, however they are sent."""
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise HTTPException(413)
        return message

    return counting
