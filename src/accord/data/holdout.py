"""What a split holds back: questions, and the items that should come up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from accord.core import columns as c
from accord.core.arrays import Bools, Ints, Longs, Names, Ragged
from accord.core.dataset import Dataset
from accord.core.queries import Queries
from accord.core.tables import names

OWN = frozenset({c.USER_NUMBER, c.ITEM_NUMBER, c.WEIGHT, c.TIME, c.EVENT, c.VALUE, c.TEXT})
"""Columns of events that every log has or may have; all others are circumstances."""


@dataclass(frozen=True)
class Holdout:
    """Questions with known answers."""

    queries: Queries
    truth: Ragged
    """Item numbers that should come up, oldest first, one row a query; never empty, never in the history."""

    def __len__(self) -> int:
        return len(self.queries)

    def take(self, rows: NDArray[np.integer]) -> Holdout:
        """The given queries, in the given order."""
        return Holdout(self.queries.take(rows), self.truth.take(rows))

    def among(self, candidates: Ints) -> Holdout:
        """The same questions with only these items to choose from."""
        return replace(self, queries=replace(self.queries, candidates=candidates))


@dataclass(frozen=True)
class Split:
    """One way of cutting a log; all its datasets share item and user numbers with the log."""

    name: str
    train: Dataset
    """Events before validation."""
    valid: Holdout
    """Questions to choose with, asked after ``train``."""
    refit: Dataset
    """Train and validation events: all that may be learned from before the test."""
    tests: dict[str, Holdout]
    """Questions to report on, asked after ``refit``; ``"test"`` is the main one."""
    notes: list[str] = field(default_factory=list[str])
    """Plain sentences for the report: what was left out, and why."""


def hold_out(past: Dataset, future: Dataset) -> tuple[Holdout, int]:
    """Ask every user of ``future`` for the items of ``future``, with his history in ``past``.

    Items met again (already in the history) cannot come up, so they are no truth, and a user without any other
    truth is not asked. ``now`` is the time of the first truth event, but never before the newest event of the
    history; NaN without a clock. ``context`` holds what the first truth event says in columns that are not the log's
    own (a place, a device), so such a column must not tell what is only known afterwards. Returns the holdout and how
    many (user, item) pairs were left out as already seen.
    """
    pairs, first = np.unique(_pairs(future), return_index=True)
    seen = _among(pairs, np.sort(_pairs(past)))
    kept = np.sort(first[~seen])
    users, rows = np.unique(future.event_users[kept], return_inverse=True)
    truth = Ragged.grouped(rows, future.event_items[kept], len(users))
    asked = Ragged(future.event_times[kept][np.argsort(rows, kind="stable")], truth.offsets)
    queries = past.queries(users)
    now = np.fmax(queries.now, asked.values[asked.offsets[:-1]])
    first_rows = kept[np.unique(rows, return_index=True)[1]]
    return Holdout(replace(queries, now=now, context=_context(future, first_rows)), truth), int(seen.sum())


def step_ahead(data: Dataset, events: Longs) -> Holdout:
    """Ask for each of the given events (row numbers of ``data``) by what its user did before it.

    An event whose item the user has met before is left out. ``now`` is the time of the event, ``context`` what it says.
    """
    users = data.event_users[events]
    queries = data.queries(users)
    history = queries.history.keep(
        queries.history.age > newer_events(data.event_users, data.n_users)[events][queries.history.rows]
    )
    queries = replace(queries, history=history, now=data.event_times[events])
    met = np.zeros(len(events), dtype=bool)
    met[history.rows[history.items == data.event_items[events][history.rows]]] = True
    truth = Ragged(data.event_items[events], np.arange(len(events) + 1))
    return Holdout(replace(queries, context=_context(data, events)), truth).take(np.flatnonzero(~met))


def newer_events(users: Ints, n_users: int) -> Longs:
    """``int64[events]``: how many events of the same user come after each event; ``users``: whose each event is."""
    counts = np.bincount(users, minlength=n_users)
    order = np.argsort(users, kind="stable")
    age = np.empty(len(users), dtype=np.int64)
    age[order] = np.repeat(np.cumsum(counts), counts) - 1 - np.arange(len(users))
    return age


def _context(future: Dataset, rows: NDArray[np.integer]) -> dict[str, Names]:
    """What some events say in the columns that are not the log's own."""
    others = [name for name in future.events.column_names if name not in OWN]
    chosen = future.events.select(others).take(rows.astype(np.int64))
    return {name: names(chosen, name) for name in chosen.column_names}


def _among(values: Longs, sorted_values: Longs) -> Bools:
    """Which values occur in the sorted ones; several times faster than ``np.isin``, which sorts both together."""
    if not len(sorted_values):
        return np.zeros(len(values), dtype=bool)
    places = np.minimum(np.searchsorted(sorted_values, values), len(sorted_values) - 1)
    return sorted_values[places] == values


def _pairs(data: Dataset) -> Longs:
    return data.event_users.astype(np.int64) * data.n_items + data.event_items
