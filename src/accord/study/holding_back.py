"""The newest events, held back to judge a candidate and the live version alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from accord.core.arrays import Bools
from accord.core.dataset import Dataset
from accord.data.holdout import Holdout, hold_out

SHARE = 0.1
"""The largest share of all events that is held back."""
FEWEST = 20
"""Nothing is judged on fewer queries than this."""


@dataclass(frozen=True)
class HeldBack:
    """A log cut in two."""

    past: Dataset
    """What a candidate may learn from."""
    holdout: Holdout
    """Questions that neither the candidate nor the live version knows the answers of."""


def new_events(data: Dataset, live: Dataset) -> Bools:
    """``bool[E]``: the events of ``data`` that are not among those of ``live``, whose numbers are its own.

    An event is known by its user, item and time; by user and item alone where ``live`` has no clock.
    """
    keys = ["user", "item"] + ["time"] * (live.order == "time")
    known = _keys(live).select(keys).unique().with_columns(known=pl.lit(value=True))
    joined = _keys(data).join(known, on=keys, how="left", maintain_order="left", nulls_equal=True)
    return joined["known"].is_null().to_numpy()


def hold_back(data: Dataset, new: Bools) -> HeldBack | None:
    """The newest of the new events as questions: at most ``SHARE`` of all, and half of the new ones if that suffices.

    The other half lets the candidate show what it has learned. None where even all of them ask fewer than ``FEWEST``
    questions.
    """
    rows = np.flatnonzero(new)
    most = int(np.ceil(SHARE * data.n_events))
    for size in (min(most, (len(rows) + 1) // 2), min(most, len(rows))):
        held = np.zeros(data.n_events, dtype=bool)
        held[rows[len(rows) - size :]] = True
        past = data.with_events(~held)
        holdout, _ = hold_out(past, data.with_events(held))
        if len(holdout) >= FEWEST:
            return HeldBack(past, holdout)
    return None


def _keys(data: Dataset) -> pl.DataFrame:
    """One row an event: ids, and the time or null."""
    return pl.DataFrame(
        {
            "user": pl.Series(data.user_ids.tolist(), dtype=pl.String).gather(data.event_users),
            "item": pl.Series(data.item_ids.tolist(), dtype=pl.String).gather(data.event_items),
            "time": pl.Series(data.event_times).fill_nan(None),
        }
    )
