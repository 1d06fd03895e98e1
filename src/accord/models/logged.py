"""The events of a log by their row, so that whatever is known of an event is found from its place in a history."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from accord.core.arrays import Bools, Floats, Ints, Longs, order_by
from accord.core.dataset import Dataset
from accord.core.history import History
from accord.models.sequences import Held, held_back


@dataclass(frozen=True)
class Log:
    """What is known of E events; what a model does not read, or the log does not tell, is None."""

    items: Ints
    kinds: Ints | None
    """``int32[E]``: what was done."""
    values: Floats | None
    """``float32[E]``: the values as they are read."""
    classes: Longs
    """``int64[E, F]``: the circumstances; see ``Features``."""
    marks: Floats | None
    """``float32[E]``: the ratings that are to be predicted."""
    chosen: Bools | None
    """``bool[E]``: whether each is a choice, or an item was merely shown."""

    def read(self, rows: History) -> History:
        """Histories of rows of the log as histories of items, with what is known of their events."""
        at = rows.items
        kinds = None if self.kinds is None else self.kinds[at]
        values = None if self.values is None else self.values[at]
        return replace(rows, items=self.items[at], kinds=kinds, values=values)


@dataclass(frozen=True)
class Cut:
    """Histories whose items are rows of the log, and what was held back of them."""

    rows: History
    held: Held
    """With what is known of the events before."""
    held_rows: Longs
    """``int64[H]``: the rows that were held back."""

    @classmethod
    def of(cls, data: Dataset, log: Log, rng: np.random.Generator, *, wanted: bool) -> Cut:
        """All histories without one choice of some users; nothing is held back where not ``wanted``."""
        order = order_by(data.event_users, data.n_users)
        kept, held = held_back(data, rng, wanted=wanted, fair=None if log.chosen is None else log.chosen[order])
        rows = replace(kept.history, items=order[kept.places].astype(np.int32))
        asked = data.histories.rows[held.places]
        return cls(rows, replace(held, history=log.read(rows.take(asked))), order[held.places].astype(np.int64))
