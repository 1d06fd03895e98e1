"""Random ranked slates with gaps at their ends, and items with several values of a field."""

import numpy as np
from hypothesis import strategies as st

from accord.core.arrays import Ragged
from accord.core.queries import Queries
from accord.core.slate import EMPTY, Slate

N_ITEMS = 12


@st.composite
def slates(draw):
    """A ranked slate of distinct items, scores falling from place to place."""
    rows = draw(st.lists(st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=N_ITEMS), min_size=1, max_size=3))
    width = max(map(len, rows))
    items = np.array([row + [EMPTY] * (width - len(row)) for row in rows], np.int32).reshape(len(rows), width)
    scores = np.where(items == EMPTY, np.nan, np.float32(10) - np.arange(width)).astype(np.float32)
    return Slate(items, {"score": scores}, {"eligible": np.array([len(row) for row in rows], float)})


values = st.lists(st.lists(st.integers(0, 3), unique=True, max_size=2), min_size=N_ITEMS, max_size=N_ITEMS)
"""The codes of each item."""


def groups(codes):
    return Ragged.of(codes, np.int64)


def nobody(slate):
    return Queries.of([[]] * len(slate))


def filled(slate, row):
    return [item for item in slate.items[row].tolist() if item != EMPTY]
