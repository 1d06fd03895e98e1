"""Parts of the questions that are reported apart: by how well known the item is, and by how long the history is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accord.core.arrays import Bools, Longs

FEW, MANY = 5, 20
"""Items with 1 to ``FEW`` training events have few, those with more than ``MANY`` many."""
HEAD, MID = 0.5, 0.8
"""Shares of the training events up to which the most popular items are the head, and head and mid together."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A name, what it holds in words, and which items (or queries) belong to it."""

    name: str
    meaning: str
    mask: Bools


def item_segments(counts: Longs) -> list[Segment]:
    """By training events of the item that should come up: cold, few, warm, hot; and head, mid, tail.

    Head are the most popular items that make half of all training events, mid those that make the next 30 %, tail
    all others with any. Items with equally many events are never parted: at a border they join the more popular.
    """
    head, mid = _popular(counts, HEAD), _popular(counts, MID)
    return [
        Segment("items: cold", "no training event", counts == 0),
        Segment("items: few", f"1 to {FEW} training events", (counts > 0) & (counts <= FEW)),
        Segment("items: warm", f"{FEW + 1} to {MANY} training events", (counts > FEW) & (counts <= MANY)),
        Segment("items: hot", f"more than {MANY} training events", counts > MANY),
        Segment("items: head", f"the most popular, which make {HEAD:.0%} of the training events", head),
        Segment("items: mid", f"the next, up to {MID:.0%} of the training events", mid & ~head),
        Segment("items: tail", "all other items with training events", (counts > 0) & ~mid),
    ]


def history_segments(lengths: Longs) -> list[Segment]:
    """Thirds of the queries by the length of their history; equal lengths are never parted."""
    low, high = np.quantile(lengths, [1 / 3, 2 / 3], method="lower") if len(lengths) else (0, 0)
    short, long = lengths <= low, lengths > high
    parts = (("short", short), ("medium", ~short & ~long), ("long", long))
    return [Segment(f"history: {name}", _span(lengths[mask]), mask) for name, mask in parts]


def _popular(counts: Longs, share: float) -> Bools:
    """The most popular items that make ``share`` of all events, and those equal to the last of them."""
    falling = np.sort(counts)[::-1]
    before = np.cumsum(falling) - falling
    inside = falling[(before < share * counts.sum()) & (falling > 0)]
    return counts >= inside[-1] if len(inside) else np.zeros(len(counts), dtype=bool)


def _span(lengths: Longs) -> str:
    return f"{lengths.min()} to {lengths.max()} events in the history" if len(lengths) else "no queries"
