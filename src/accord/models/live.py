"""New events and the histories that they change."""

from __future__ import annotations

import numpy as np

from accord.core.arrays import Ints
from accord.core.dataset import Dataset
from accord.core.history import History


def changed_histories(data: Dataset, fresh: int) -> tuple[History, History]:
    """Histories of the users of the newest ``fresh`` events, without and with these events."""
    users = np.unique(data.event_users[data.n_events - fresh :])
    after = data.histories.take(users)
    added = np.bincount(data.event_users[data.n_events - fresh :], minlength=data.n_users)[users]
    new = after.age < np.repeat(added, after.lengths)  # rows run oldest first, so theirs are the last of each history
    return after.keep(~new), after


def touched_items(data: Dataset, fresh: int) -> Ints:
    """``int32[t]``: the items of the newest ``fresh`` events, ascending."""
    return np.unique(data.event_items[data.n_events - fresh :])
