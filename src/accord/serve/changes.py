"""What changed in the store's catalogue: deletions count at once, new and edited items wait for their encoding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock

from accord.data.store.base import Store
from accord.data.store.events import Change, Fields

BATCH = 1_000
"""Changes that are read at a time."""


class Changes:
    """How far one worker has followed the store's changes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.deleted: frozenset[str] = frozenset()
        """Items that must not be shown."""
        self.erasures = 0
        """How many people were erased since the start."""
        self.seen = 0
        """The number of the last change that was followed."""
        self._waiting: dict[str, Fields] = {}
        self._lock = Lock()

    def follow(self, then: Callable[[], None]) -> None:
        """Take in what is new and call ``then``; nothing but one question to the store where nothing is.

        When it returns, ``then`` has been called for every change that was in the store when it began, by this thread
        or another one.
        """
        if self.store.last_change() == self.seen:
            return
        with self._lock:
            last, deleted = self.seen, set(self.deleted)
            for change in self._read(self.seen):
                self._take(change, deleted)
                last = change.number
            if last != self.seen:
                self.deleted = frozenset(deleted)
                then()
                self.seen = last

    @property
    def waiting(self) -> int:
        """How many items wait to be encoded."""
        return len(self._waiting)

    def take(self, most: int) -> dict[str, Fields]:
        """Some of the items that wait, those that came first; they wait no longer."""
        with self._lock:
            names = list(self._waiting)[:most]
            return {name: self._waiting.pop(name) for name in names}

    def put_back(self, items: dict[str, Fields]) -> None:
        """Let items wait again, but for those that were posted anew or deleted meanwhile."""
        with self._lock:
            kept = {name: fields for name, fields in items.items() if name not in self.deleted}
            self._waiting = {**kept, **self._waiting}

    def settled(self) -> int | None:
        """The number of the last change that was followed, where no item waits; None where one does."""
        with self._lock:
            return None if self._waiting else self.seen

    def again(self, since: int = 0) -> None:
        """Let everything that was posted after some change wait, for another pipeline may not know it."""
        with self._lock:
            for change in self._read(since):
                if change.number > self.seen:
                    break
                if change.kind == "item":
                    self._waiting[change.id] = change.fields or {}

    def _take(self, change: Change, deleted: set[str]) -> None:
        if change.kind == "item":
            deleted.discard(change.id)
            self._waiting[change.id] = change.fields or {}
        elif change.kind == "delete":
            deleted.add(change.id)
            self._waiting.pop(change.id, None)
        else:
            self.erasures += 1

    def _read(self, since: int) -> Iterator[Change]:
        while batch := self.store.changes(since, BATCH):
            yield from batch
            since = batch[-1].number
