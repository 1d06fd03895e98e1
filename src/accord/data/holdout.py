"""What a split holds back: questions, and the items that should come up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from accord.core.arrays import Ints, Ragged
from accord.core.dataset import Dataset
from accord.core.queries import Queries


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
    history; NaN without a clock. Returns the holdout and how many (user, item) pairs were left out as already seen.
    """
    pairs, first = np.unique(_pairs(future), return_index=True)
    seen = np.isin(pairs, _pairs(past))
    kept = np.sort(first[~seen])
    users, rows = np.unique(future.event_users[kept], return_inverse=True)
    truth = Ragged.grouped(rows, future.event_items[kept], len(users))
    asked = Ragged(future.event_times[kept][np.argsort(rows, kind="stable")], truth.offsets)
    queries = past.queries(users)
    now = np.fmax(queries.now, asked.values[asked.offsets[:-1]])
    return Holdout(replace(queries, now=now), truth), int(seen.sum())


def _pairs(data: Dataset) -> NDArray[np.int64]:
    return data.event_users.astype(np.int64) * data.n_items + data.event_items
