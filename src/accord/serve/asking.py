"""From a request to queries: whose history, at which moment, in which circumstances."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from accord.core.arrays import offsets_of
from accord.core.history import History, kind_code
from accord.core.queries import Queries
from accord.data.store.events import Event
from accord.serve.current import Current
from accord.serve.live import Live
from accord.serve.schemas import HistoryEvent, Whom

ANONYMOUS = ""
"""The user of a query that nobody in particular asks."""


def queries_of(live: Live, current: Current, asked: Whom) -> tuple[Queries, list[str]]:
    """The one query of a request; and ``store`` where the history is only what is remembered of it.

    Deleted items stay in histories: what somebody did tells about them. Unknown items are left out.
    """
    now = time.time() if asked.timestamp is None else asked.timestamp
    events, skipped = list[Event](), list[str]()
    if asked.user_id is not None and not (asked.history is not None and asked.history_mode == "replace"):
        events, from_store = live.history(asked.user_id)
        skipped += [] if from_store else ["store"]
    events += [_event(given, live.weights, now) for given in asked.history or ()]
    context = {name: np.array([value], dtype=object) for name, value in asked.context.items()}
    history = history_of(current.pipeline.data.item_numbers, events[-live.settings.history :])
    who = np.array([asked.user_id or ANONYMOUS], dtype=object)
    return Queries(who, history, np.array([now]), context=context, open=current.shown), skipped


def history_of(numbers: Mapping[str, int], events: Sequence[Event]) -> History:
    """One history of the events on items that the pipeline knows, in the given order."""
    known = [event for event in events if event.item_id in numbers]
    return History(
        offsets_of([len(known)]),
        np.array([numbers[event.item_id] for event in known], np.int32),
        np.array([event.timestamp for event in known], np.float64),
        np.array([event.weight for event in known], np.float32),
        np.array([kind_code(event.event) for event in known], np.int32),
        np.array([np.nan if event.value is None else event.value for event in known], np.float32),
    )


def _event(given: str | HistoryEvent, weights: Mapping[str, float], now: float) -> Event:
    """An event of a request's own history."""
    if isinstance(given, str):
        return Event("", "", given, timestamp=now)
    moment = now if given.timestamp is None else given.timestamp
    return Event("", "", given.item_id, given.event, moment, given.value, weights.get(given.event, 1.0))
