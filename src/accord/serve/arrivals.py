"""Which of the store's events a version has not learned from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from accord.core import columns as c
from accord.core.arrays import Bools
from accord.core.config import Config
from accord.core.dataset import Dataset
from accord.data.store.base import Store
from accord.data.store.events import Event

PAGE = 1_000
"""Events that are read at a time: whoever waits for the interpreter waits a few milliseconds."""
_ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))


class Reached(Config):
    """Up to where something has followed a store."""

    number: int = 0
    """The number of the last event."""
    mark: str = ""
    """A hash of that event's id: in another store, or one that was restored, the number is another event's."""
    change: int = 0
    """A change of the catalogue up to which everything was followed."""
    moment: float = 0.0
    """Seconds since 1970, just before the store was read."""

    def holds(self, store: Store) -> bool:
        """Whether this is the store that was followed, with the event still in it."""
        found = store.events_after(self.number - 1, 1) if self.number else []
        return not self.number or (bool(found) and found[0][0] == self.number and mark_of(found[0][1]) == self.mark)


@dataclass(frozen=True)
class Arrived:
    """Events to learn from."""

    events: pa.Table
    """In the order of their arrival, with ids."""
    number: int
    """That of the last event that was read."""
    mark: str


def mark_of(event: Event) -> str:
    """What tells one event from another, without its id."""
    return hashlib.sha256(event.event_id.encode()).hexdigest()[:16]


def arrived(store: Store, since: Reached, base: Dataset | None) -> Arrived:
    """The events after some point; with a ``base``, only those that are not among its events.

    Every event of the base accounts for one of the store: same user, item and time (user and item alone where it has
    no clock). Memory: 16 bytes an event of the base, some 300 for each one that is new.
    """
    known = Known(base) if base is not None else None
    number, mark, fresh = since.number, since.mark, list[Event]()
    for page in _pages(store, since.number):
        number, mark = page[-1][0], mark_of(page[-1][1])
        events = [event for _, event in page]
        new = np.ones(len(events), dtype=bool) if known is None else known.without(events)
        fresh += [event for event, is_new in zip(events, new, strict=True) if is_new]
    return Arrived(_table(fresh), number, mark)


class Known:
    """The events of a dataset as numbers, each with how often it is there."""

    def __init__(self, data: Dataset) -> None:
        self.timed = data.order == "time"
        users, items = _hashes(data.user_ids.tolist()), _hashes(data.item_ids.tolist())
        times = data.event_times if self.timed else None
        keys = _keys(users[data.event_users], items[data.event_items], times)
        self.keys, self.left = np.unique(keys, return_counts=True)

    def without(self, events: Sequence[Event]) -> Bools:
        """``bool[len(events)]``: those that are none of the dataset's, which are used up one by one."""
        times = np.array([event.timestamp for event in events]) if self.timed else None
        users, items = [event.user_id for event in events], [event.item_id for event in events]
        keys = _keys(_hashes(users), _hashes(items), times)
        places = np.minimum(np.searchsorted(self.keys, keys), max(0, len(self.keys) - 1))
        there = self.keys[places] == keys if len(self.keys) else np.zeros(len(keys), dtype=bool)
        turn = pl.DataFrame({"key": keys}).select(pl.int_range(pl.len()).over("key")).to_series().to_numpy()
        known = there.copy()
        known[there] = turn[there] < self.left[places[there]]
        np.subtract.at(self.left, places[known], 1)
        return ~known


def _pages(store: Store, number: int) -> Iterator[list[tuple[int, Event]]]:
    while page := store.events_after(number, PAGE):
        yield page
        number = page[-1][0]


def _hashes(names: list[str]) -> NDArray[np.uint64]:
    return pl.Series(names, dtype=pl.String).hash(seed=0).to_numpy()


def _keys(
    users: NDArray[np.uint64], items: NDArray[np.uint64], times: NDArray[np.float64] | None
) -> NDArray[np.uint64]:
    """One number for each combination; two combinations share one as good as never (64 bits)."""
    mixed = _mixed(users) + items
    return mixed if times is None else _mixed(mixed) + (times + 0.0).view(np.uint64)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = numbers * _ODD[0]
    return (mixed ^ (mixed >> np.uint64(29))) * _ODD[1]


def _table(events: Sequence[Event]) -> pa.Table:
    return pa.table(
        {
            c.USER: pa.array([event.user_id for event in events], pa.string()),
            c.ITEM: pa.array([event.item_id for event in events], pa.string()),
            c.TIME: pa.array([event.timestamp for event in events], pa.float64()),
            c.WEIGHT: pa.array([event.weight for event in events], pa.float64()),
            c.EVENT: pa.array([event.event or None for event in events], pa.string()),
            c.VALUE: pa.array([event.value for event in events], pa.float64()),
        }
    )
