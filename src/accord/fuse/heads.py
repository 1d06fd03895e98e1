"""What heads share: from the columns of a slate and the marks in a history to one number an item.

A *mark* is what an event says of its item beyond having happened: a rating, or whether an item that was shown was
chosen. Heads answer beside the ranking and never change it.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from accord.core.arrays import Bools, Doubles, Floats, Ints, Longs, Ragged
from accord.core.columns import SCORE
from accord.core.config import Config
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.core.history import History
from accord.core.part import Part
from accord.core.queries import Queries
from accord.core.run import Run
from accord.core.slate import EMPTY, Slate
from accord.data.holdout import Holdout
from accord.fuse.base import EVENTS, standardised


class HeadConfig(Config):
    """What every head must know."""

    sources: tuple[str, ...] = Field(min_length=1)
    """The slate columns to read beside ``score`` and ``events``, in order."""
    predicting: tuple[str, ...] = ()
    """Sources that predict the same as the head, in columns of the slate that ``predicted_by`` names."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Pairs of query and item with known outcomes: what heads learn from and are judged by."""

    items: Ints
    """``int32[B, K]``, ``EMPTY`` where a row is shorter."""
    outcomes: Floats
    """``float32[B, K]``: the rating, or 1 for chosen and 0 for not; NaN at empty places."""
    weights: Floats
    """``float32[B, K]``: for how many pairs each stands; above 1 where only a sample was drawn, 0 at empty places."""

    @property
    def known(self) -> Bools:
        """``bool[B, K]``: places with an outcome."""
        return ~np.isnan(self.outcomes)

    @classmethod
    def of(cls, rows: Longs, items: Ints, outcomes: Floats, weights: Floats, n_rows: int) -> Cells:
        """Lay flat pairs out in rows."""
        parts = [Ragged.grouped(rows, values, n_rows) for values in (items, outcomes, weights)]
        place = np.arange(len(rows)) - parts[0].offsets[parts[0].rows]
        shape = (n_rows, int(parts[0].lengths.max(initial=0)))
        filled = [np.full(shape, fill, np.float32) for fill in (EMPTY, np.nan, 0.0)]
        for values, part in zip(filled, parts, strict=True):
            values[part.rows, place] = part.values
        empty = np.full(shape, EMPTY, np.int32)
        empty[parts[0].rows, place] = parts[0].values
        return cls(empty, filled[1], filled[2])


class Head(Part):
    """A prediction for given items: ``fit`` reads items from the log, ``learn`` reads held-back outcomes.

    A subclass writes ``marks``, ``fit``, ``learn``, ``predict`` and ``floors``.
    """

    Config = HeadConfig
    measures: ClassVar[Literal["rating", "click"]] = "rating"
    """How predictions are judged: as numbers, or as probabilities."""

    def marks(self, data: Dataset) -> Floats:
        """``float32[E]``: the mark of each event; NaN where it has none."""
        raise InputError("a head must define marks", value=type(self).__name__)

    def fit(self, data: Dataset, run: Run) -> Self:
        """Learn what the log says of items. Raises ``CannotFit`` where it has no marks to learn from."""
        raise InputError("a head must define fit", value=type(self).__name__)

    def learn(self, slate: Slate, rated: History, cells: Cells, run: Run) -> Self:
        """Learn from held-back outcomes: ``slate`` holds the items of ``cells`` with all columns."""
        raise InputError("a head must define learn", value=type(self).__name__)

    def predict(self, slate: Slate, rated: History) -> Floats:
        """``float32[B, K]``: one number an item, NaN at empty places. ``rated``: histories whose weights are marks."""
        raise InputError("a head must define predict", value=type(self).__name__)

    def floors(self, slate: Slate, rated: History) -> dict[str, Floats]:
        """``float32[B, K]`` each: the simpler predictions that this one must beat; the strongest comes last."""
        raise InputError("a head must define floors", value=type(self).__name__)

    def grow(self, n_items: int) -> Self:
        """A copy for a catalogue with more items, of which it knows nothing; its arrays are shared or padded."""
        grown = copy(self)
        grown._grow(n_items)
        return grown

    def _grow(self, n_items: int) -> None:
        """Make room in this copy; a head that learned nothing of single items needs none."""

    def cells(self, holdout: Holdout, known: Dataset, rng: np.random.Generator) -> Cells:
        """The held-back pairs whose outcome the log ``known``, which holds the held-back events too, tells."""
        truth = holdout.truth
        users = holdout.queries.users[truth.rows]
        outcomes = Marks(known, self.marks(known)).of(users, truth.values)
        there = ~np.isnan(outcomes)
        rows, items = truth.rows[there], truth.values[there]
        return Cells.of(rows, items, outcomes[there], np.ones(len(rows), np.float32), len(truth))


class Marks:
    """The newest mark of every user and item of a log, looked up by user id."""

    def __init__(self, data: Dataset, marks: Floats) -> None:
        keys = data.event_users.astype(np.int64) * data.n_items + data.event_items
        order = np.argsort(keys, kind="stable")  # rows run oldest first, so the newest of a pair comes last
        last = np.append(keys[order][1:] != keys[order][:-1], True)[: len(order)]
        self.data, self.keys = data, keys[order][last]
        self.marks, self.times = marks[order][last], data.event_times[order][last]

    def of(self, users: np.ndarray, items: Ints) -> Floats:
        """``float32[N]``: marks of pairs of user id and item number; NaN where there is none."""
        return self._found(users, items)[0]

    def rated(self, queries: Queries) -> History:
        """The histories with marks as weights: those of the same user's event of the same item and time, else NaN."""
        history = queries.history
        marks, times = self._found(queries.users[history.rows], history.items)
        same = (times == history.times) | (np.isnan(times) & np.isnan(history.times))
        return replace(history, weights=np.where(same, marks, np.nan).astype(np.float32))

    def _found(self, users: np.ndarray, items: Ints) -> tuple[Floats, Doubles]:
        names, of = np.unique(users.astype(str), return_inverse=True)
        numbers = np.array([self.data.user_numbers.get(name, -1) for name in names], np.int64)
        if not len(self.keys) or not len(items):
            return np.full(len(items), np.nan, np.float32), np.full(len(items), np.nan)
        keys = np.where(numbers[of] >= 0, numbers[of] * self.data.n_items + items, -1)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        hit = self.keys[places] == keys
        return np.where(hit, self.marks[places], np.nan), np.where(hit, self.times[places], np.nan)


def marked(rated: History) -> History:
    """Only the events that have a mark."""
    return rated.keep(~np.isnan(rated.weights))


def evidence(slate: Slate, sources: tuple[str, ...]) -> list[Doubles]:
    """``float64[B, K]`` each: every source's standard score, the fused score, and the log of the item's events."""
    scores = standardised(slate, sources).astype(np.float64)
    events = np.log1p(np.nan_to_num(slate.column(EVENTS)).astype(np.float64))
    return [*np.moveaxis(scores, 2, 0), np.nan_to_num(slate.column(SCORE)).astype(np.float64), events]


def predicted_by(source: str, measure: str) -> str:
    """The column of the slate in which a source predicts what a head does."""
    return f"{source}.{measure}"


@dataclass(frozen=True, slots=True)
class Scale:
    """Features to zero mean and unit spread, as learned."""

    mean: Doubles
    spread: Doubles

    @classmethod
    def of(cls, features: Doubles, weights: Doubles | None = None) -> Scale:
        """From ``float64[n, F]``."""
        mean = np.average(features, axis=0, weights=weights)
        spread = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=weights))
        return cls(mean, np.where(spread > 1e-9, spread, np.inf))  # a feature that never varies counts as nothing

    def __call__(self, features: Doubles) -> Doubles:
        """``float64[..., F]``."""
        return (features - self.mean) / self.spread
