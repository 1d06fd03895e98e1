"""Histories read lately, for times when the store is away; bounded by the number of events."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

from accord.data.store.events import Event


class Remembered:
    """The histories of the users who asked last."""

    def __init__(self, most: int) -> None:
        self.most, self._events = most, 0
        self._kept: OrderedDict[str, Sequence[Event]] = OrderedDict()
        self._lock = Lock()

    def keep(self, user: str, events: Sequence[Event]) -> None:
        """Remember a history in place of what was; the users who asked longest ago are forgotten for it."""
        if len(events) > self.most:
            return
        with self._lock:
            self._events += len(events) - len(self._kept.pop(user, ()))
            self._kept[user] = events
            while self._events > self.most or len(self._kept) > self.most:
                self._events -= len(self._kept.popitem(last=False)[1])

    def of(self, user: str) -> Sequence[Event]:
        """What is remembered of a user; nothing where that is forgotten."""
        with self._lock:
            return self._kept.get(user, ())

    def clear(self) -> None:
        """Forget everybody: somebody was erased, and nothing says who."""
        with self._lock:
            self._kept.clear()
            self._events = 0

    def __len__(self) -> int:
        return len(self._kept)
