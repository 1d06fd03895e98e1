"""Which events of a history a source attended to, beside what each event does to its scores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from scipy.stats import spearmanr

from accord.core.arrays import Doubles, Floats, Ints, Longs
from accord.core.queries import Queries
from accord.core.roles import Explains, Recommender
from accord.core.slate import EMPTY

BEST = 10
"""The effect of an event is that on the scores of so many of the source's own best items."""
READ = 50
"""Only the newest so many events are looked at."""
SHOWN = 8
"""Events that are told, those with the most attention."""
FEW = 3
"""Of fewer events no order is compared."""


@runtime_checkable
class Attends(Protocol):
    """A source that weighs the events of a history by attention."""

    def attention(self, queries: Queries) -> Floats | None:
        """``float32[B, H]``: the share of each event (padded to the longest, H) in what the last state takes in.

        None where its network has no such shares.
        """
        ...


def attention_view(source: Recommender, person: Queries) -> dict[str, Any] | None:
    """Attention to the events of one person's history, and what each does to the source's scores; strongest first.

    ``{"user", "how", "alike", "events": [{"item", "age", "attention", "effect"}]}``. ``effect`` is what an event adds
    to the mean score of the ten best items: as the source itself tells it (``how`` is ``parts``), else what the mean
    falls by without the event (``without``). ``alike`` is the rank correlation of both over all events. None where the
    source has no attention, reads no event of the history, or has no opinion.
    """
    person = replace(person, history=person.history.last(READ))
    shares = source.attention(person) if isinstance(source, Attends) and len(person.history.items) else None
    if shares is None or not shares.any():
        return None
    best = source.offer(person, BEST).items[0]
    best = best[best != EMPTY]
    if not len(best):
        return None
    effects = effects_of(source, person, best)
    strongest = np.lexsort((person.history.age, -shares[0]))[:SHOWN]
    return {
        "user": str(person.users[0]),
        "how": "parts" if isinstance(source, Explains) else "without",
        "alike": _alike(shares[0], effects),
        "events": [
            {
                "item": int(person.history.items[event]),
                "age": int(person.history.age[event]),
                "attention": float(shares[0, event]),
                "effect": float(effects[event]),
            }
            for event in strongest.tolist()
        ],
    }


def effects_of(source: Recommender, person: Queries, items: Ints) -> Doubles:
    """``float64[H]``: what each event of one person's history adds to the mean score of some items.

    Where a source has no opinion without the event, its scores count as zero.
    """
    if isinstance(source, Explains):
        return source.parts(person, items[None])[0].mean(axis=0, dtype=np.float64)
    lists = np.repeat(items[None], len(person.history.items) + 1, axis=0)
    scores = np.nan_to_num(source.score(_with_and_without(person), lists))
    means = scores.mean(axis=1, dtype=np.float64)
    return means[0] - means[1:]


def _with_and_without(person: Queries) -> Queries:
    """One person's query, and after it the same without each event in turn; nothing seen is hidden."""
    events = len(person.history.items)
    several = person.take(np.zeros(events + 1, np.int64))
    history = several.history
    left_out: Longs = history.rows - 1
    kept = np.arange(len(history.items)) - history.offsets[:-1][history.rows] != left_out
    return replace(several, history=history.keep(kept), include_seen=True)


def _alike(shares: Floats, effects: Doubles) -> float | None:
    if len(shares) < FEW or not np.ptp(shares) or not np.ptp(effects):
        return None
    return float(spearmanr(shares, effects).statistic)
