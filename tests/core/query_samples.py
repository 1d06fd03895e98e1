"""Random queries and what they may be shown."""

import numpy as np
from hypothesis import strategies as st

from accord.core.arrays import Ragged
from accord.core.queries import Queries

N_ITEMS = 11
item = st.integers(0, N_ITEMS - 1)


@st.composite
def batches(draw, min_size=0):
    """Random queries, and for each the set of items that it may be shown."""
    histories = draw(st.lists(st.lists(item, max_size=6), min_size=min_size, max_size=5))
    excluded = draw(st.none() | st.just([draw(st.lists(item, max_size=4)) for _ in histories]))
    candidates = draw(st.none() | st.lists(item, max_size=8))
    opened = draw(st.none() | st.lists(st.booleans(), min_size=N_ITEMS, max_size=N_ITEMS))
    include_seen = draw(st.booleans())
    queries = Queries.of(
        histories,
        exclude=None if excluded is None else Ragged.of(excluded),
        candidates=None if candidates is None else np.array(candidates, np.int32),
        open=None if opened is None else np.array(opened),
        include_seen=include_seen,
    )
    pool = set(range(N_ITEMS)) if candidates is None else set(candidates)
    pool = pool if opened is None else {item for item in pool if opened[item]}
    allowed = [
        pool - (set() if include_seen else set(history)) - (set() if excluded is None else set(excluded[row]))
        for row, history in enumerate(histories)
    ]
    return queries, allowed
