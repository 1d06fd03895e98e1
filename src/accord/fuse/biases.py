"""How far items and users lie from the mean: the damped means that every rating starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accord.core.arrays import Doubles, Floats, Ints
from accord.core.dataset import Dataset
from accord.core.history import History

PASSES = 10
"""Item and user biases are worked out in turn so many times; they hardly move after the fifth."""


@dataclass(frozen=True, slots=True)
class Biases:
    """What the marks of a log say of its items."""

    mean: float
    """Of all marks."""
    items: Floats
    """``float32[n_items]``: how far each item lies above the mean for the users who marked it; 0 where none did."""
    item_means: Floats
    """``float32[n_items]``: the damped mean mark of each item, whoever gave it."""


def learn_biases(data: Dataset, marks: Floats, damp_items: float, damp_users: float) -> Biases:
    """The model ``mark = mean + item + user`` by alternating damped means (Koren, KDD 2008; Koren and others, 2009).

    ``marks``: ``float32[E]``, NaN where an event has none; at least one must be there. A bias counts as if so many
    more marks (``damp_items``, ``damp_users``) lay exactly on the mean. The users' biases are dropped: theirs are read
    from the history in the query.
    """
    some = ~np.isnan(marks)
    users, items, values = data.event_users[some], data.event_items[some], marks[some].astype(np.float64)
    mean = float(values.mean())
    away = values - mean
    item, user = np.zeros(data.n_items), np.zeros(data.n_users)
    means = mean + _damped(items, away, data.n_items, damp_items)
    for _ in range(PASSES):
        item = _damped(items, away - user[users], data.n_items, damp_items)
        user = _damped(users, away - item[items], data.n_users, damp_users)
    return Biases(mean, item.astype(np.float32), means.astype(np.float32))


def user_biases(rated: History, mean: float, item_biases: Floats, damp: float) -> Doubles:
    """``float64[B]``: how far each user lies above the mean on the items of his history; 0 without any mark.

    ``rated``: a history whose weights are marks, all of them known.
    """
    away = rated.weights - mean - item_biases[rated.items]
    return _damped(rated.rows, away, len(rated), damp)


def _damped(groups: NDArray[np.integer] | Ints, values: NDArray[np.floating], n: int, damp: float) -> Doubles:
    counts = np.bincount(groups, minlength=n)
    return np.bincount(groups, weights=values, minlength=n) / np.maximum(counts + damp, 1e-12)
