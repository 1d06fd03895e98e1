"""Popularity within a part of the log: the categories of the last items, the hour of the day, a place."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import Self, cast

import numpy as np
import pyarrow as pa
from pydantic import Field
from scipy.sparse import csr_array, diags_array

from accord.core.arrays import Floats, Longs, Sparse
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.keys import keys_of
from accord.core.queries import Queries
from accord.core.run import Run
from accord.models.labels import labels_of
from accord.models.linear import HistoryConfig, HistoryReader
from accord.models.placed import moved, resized, without

HOUR = 3_600.0
"""Seconds."""


class PopularByConfig(HistoryConfig):
    """What divides the log into parts."""

    by: str = "hour"
    """``hour``: of the day (UTC), of the events and of ``Queries.now``. The name of an item column: its values (each
    of a list) are categories, and those of the history's last items count. Else the name of an event column, whose
    value now is looked up in ``Queries.context``."""
    shrink: float = Field(default=50.0, gt=0)
    """A part with this many events is believed half, the rest is overall popularity."""
    last: int = Field(default=5, ge=1)
    """Only the newest so many events say which categories are meant."""


class PopularBy(HistoryReader):
    """``log(1 + N p_j)`` with ``p_j = sum_g q_g (c_gj + s N_j / N) / (c_g + s)`` over the parts g that are asked for.

    c_gj are the events of item j in part g, c_g their sum, N_j and N the same over the whole log, s is ``shrink``, and
    q the shares of the parts: one for an hour or a place, those of the last items for categories. Where the part is
    unknown the score is that of ``popular``. Parts are kept by a hash of their names, eight bytes each.
    """

    Config = PopularByConfig
    learned = ("popularity", "counts", "keys", "members", "ordered")
    read_late = frozenset({"tau", "last", "shrink"})
    evidence = "popularity within a part"
    popularity: Floats
    """``float32[n]``: N_j."""
    counts: Sparse
    """``float32[G, n]``: c_gj."""
    keys: Longs
    """``int64[G]``: hashes of the names of the parts, sorted; or the hours."""
    members: Sparse
    """``float32[n, G]``: which items are in which part; without rows where the parts are those of events."""

    def _fit(self, data: Dataset, run: Run) -> None:
        self.popularity = _sums(data, np.arange(data.n_events), np.zeros(data.n_events, np.int64), 1).toarray()[0]
        if self.config.by != "hour" and self.config.by in data.items.column_names:
            rows, labels = labels_of(data.items[self.config.by])
            self.keys, parts = np.unique(labels, return_inverse=True)
            shape = (data.n_items, len(self.keys))
            self.members = csr_array((np.ones(len(rows), np.float32), (rows, parts)), shape=shape)
            self.counts = csr_array(self.members.T @ diags_array(self.popularity))
        else:
            rows, labels = self._events(data)
            self.keys, parts = np.unique(labels, return_inverse=True)
            self.members = cast("Sparse", csr_array((0, len(self.keys)), dtype=np.float32))
            self.counts = _sums(data, rows, parts, len(self.keys))

    def _grow(self, data: Dataset, added: Longs, edited: Longs) -> None:
        n = data.n_items
        self.popularity = np.pad(self.popularity, (0, len(added)))
        self.counts = resized(self.counts, len(self.keys), n)
        if self.config.by == "hour" or self.config.by not in data.items.column_names:
            return
        items = np.concatenate([edited, added])
        rows, labels = labels_of(data.items[self.config.by].take(pa.array(items)))
        self._know(np.unique(labels))
        none = np.zeros(len(self.keys), dtype=bool)
        changed = np.zeros(n, dtype=bool)
        changed[edited] = True
        ends = (items[rows], np.searchsorted(self.keys, labels))
        fresh = csr_array((np.ones(len(rows), np.float32), ends), shape=(n, len(self.keys)))
        self.members = without(resized(self.members, n, len(self.keys)), changed, none) + fresh
        if len(edited):
            self.counts = csr_array(self.members.T @ diags_array(self.popularity))

    def _know(self, keys: Longs) -> None:
        """Make room for further parts, in the order of their keys."""
        known, self.keys = self.keys, np.union1d(self.keys, keys)
        places = np.searchsorted(self.keys, known)
        self.counts = moved(self.counts, places, None, (len(self.keys), self.counts.shape[1]))
        self.members = moved(self.members, None, places, (self.members.shape[0], len(self.keys)))

    def update(self, data: Dataset, fresh: int) -> Self:
        """A copy that has learned from the newest events too; their sums are added, which is exact.

        Events that lack the column that the source divides by count in the overall popularity alone.
        """
        updated = copy(self)
        updated._add(replace(data, events=data.events.slice(data.n_events - fresh)))
        return updated

    def _add(self, data: Dataset) -> None:
        rows = np.arange(data.n_events)
        new = _sums(data, rows, np.zeros(data.n_events, np.int64), 1).toarray()[0]
        self.popularity = self.popularity + new
        if self.members.shape[0]:
            self.counts = csr_array(self.members.T @ diags_array(self.popularity))
        elif self.config.by == "hour" or self.config.by in data.events.column_names:
            rows, labels = self._events(data)
            self._know(np.unique(labels))
            self.counts = self.counts + _sums(data, rows, np.searchsorted(self.keys, labels), len(self.keys))

    def _events(self, data: Dataset) -> tuple[Longs, Longs]:
        """The rows of the events whose part is known, and the keys of their parts."""
        by = self.config.by
        if by == "hour":
            if data.order != "time":
                raise CannotFit("popularity by hour needs clock times", value=data.order)
            return np.arange(data.n_events), _hours(data.event_times)
        if by not in data.events.column_names:
            known = sorted({*data.items.column_names, *data.events.column_names})
            raise CannotFit(f"neither items nor events have a column {by!r}", value=known)
        return labels_of(data.events[by])

    def _scores(self, queries: Queries) -> Floats:
        sizes = np.asarray(self.counts.sum(axis=1), np.float32)
        total = self.popularity.sum(dtype=np.float64)
        shares = csr_array(self._asked(queries) @ diags_array(1 / (sizes + np.float32(self.config.shrink))))
        scores = np.float32(total) * (shares @ self.counts).toarray()
        scores += np.outer(1 - shares @ sizes, self.popularity)
        return np.log1p(np.maximum(scores, 0), dtype=np.float32)

    def _asked(self, queries: Queries) -> Sparse:
        """``float32[B, G]``: the shares of the parts, rows that sum to one, or to zero where nothing is known."""
        if self.members.shape[0]:
            found = self._read(queries.history)[1] @ self.members
            found = csr_array((np.maximum(found.data, 0), found.indices, found.indptr), shape=found.shape)
            sums = np.asarray(found.sum(axis=1))
            return csr_array(diags_array(np.where(sums > 0, 1 / np.maximum(sums, 1e-9), 0).astype(np.float32)) @ found)
        rows, labels = self._now(queries)
        places = np.minimum(np.searchsorted(self.keys, labels), max(0, len(self.keys) - 1))
        known = self.keys[places] == labels if len(self.keys) else np.zeros(len(labels), dtype=bool)
        cells = (rows[known], places[known])
        return csr_array((np.ones(int(known.sum()), np.float32), cells), shape=(len(queries), len(self.keys)))

    def _now(self, queries: Queries) -> tuple[Longs, Longs]:
        """The rows of the queries whose part may be known, and the keys of their parts."""
        if self.config.by == "hour":
            rows = np.flatnonzero(np.isfinite(queries.now))
            return rows, _hours(queries.now[rows])
        return keys_of(queries.context.get(self.config.by, np.empty(0, object)))


def _sums(data: Dataset, rows: Longs, parts: Longs, n_parts: int) -> Sparse:
    """``float32[n_parts, n_items]``: what the events of the given rows weigh in each part and item, never negative."""
    cells = (parts, data.event_items[rows])
    sums = csr_array((data.event_weights[rows], cells), shape=(n_parts, data.n_items))
    return csr_array((np.maximum(sums.data, 0), sums.indices, sums.indptr), shape=sums.shape)


def _hours(times: np.ndarray) -> Longs:
    return (times // HOUR % 24).astype(np.int64)
