"""Which events are choices, and which only say that an item was shown."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from accord.core import columns as c
from accord.core.arrays import Bools
from accord.core.dataset import Dataset

SHOWN = ("impression", "exposure", "shown")
"""Kinds of events that say an item was shown, not that it was chosen."""


def chosen_events(data: Dataset, shown: tuple[str, ...]) -> Bools:
    """``bool[E]``: which events are choices; the others only say that an item was shown."""
    chosen = np.ones(data.n_events, dtype=bool)
    if c.EVENT in data.events.column_names:
        kinds = data.events[c.EVENT]
        chosen &= ~pc.is_in(kinds, value_set=pa.array(list(shown), kinds.type)).to_numpy()
    if c.VALUE in data.events.column_names:
        values = data.events[c.VALUE].to_numpy()
        values = values[~np.isnan(values)]
        if len(values) and np.isin(values, (0, 1)).all():
            chosen &= data.events[c.VALUE].to_numpy() != 0
    return chosen
