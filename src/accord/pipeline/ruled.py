"""Lists that keep to rules, caps, pinned places and boosts: the one way in which lists are asked for under terms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from accord.core.arrays import Bools, Floats, Ints, Longs
from accord.core.columns import SCORE
from accord.core.queries import CELLS, Queries
from accord.core.roles import Explains
from accord.core.slate import EMPTY, Slate
from accord.pipeline.eligible import under
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.placements import PinnedItem, Placement, Terms
from accord.pipeline.rules import Selection
from accord.rerank.boosts import Boosts
from accord.rerank.caps import Cap, Caps
from accord.rerank.pins import PIN, Pins

LESS = 2.0
"""Standard deviations by which what is most like an item of ``less_like`` is buried."""
LIKES = 100
"""How many items count as like an item of ``less_like``."""
DEEPER = 4
"""How many times deeper a list is asked for where caps leave it short."""
Timed: TypeAlias = Callable[[], AbstractContextManager[object]]


def recommend_under(
    pipeline: Pipeline,
    queries: Queries,
    placement: Placement,
    n: int | None = None,
    also: Terms | None = None,
    lift: Floats | None = None,
    timed: Timed = nullcontext,
) -> Slate:
    """The best ``n`` items (None: as the placement says) of each query under a placement's terms and a request's own.

    Both rules hold, caps are the stricter of both, boosts add up, and the placement's pins come first. ``lift``:
    ``float32[n_items]``, added to the boosts in their unit, such as how well each item fits some words. ``timed``: is
    entered around the pipeline's own work, for whoever wants to know what the terms cost beside it. Columns: those of
    ``Pipeline.recommend``, ``boost`` where anything is boosted, ``pin`` where anything is pinned. A list comes out
    short only where no further item may be shown. Memory is bounded as in ``Pipeline.recommend``.
    """
    if not len(queries):
        return pipeline.recommend(queries, n or placement.n)
    plan = _Plan(pipeline, (placement, *([also] if also is not None else [])), n or placement.n, lift, timed)
    size = max(1, CELLS // 4 // max(1, pipeline.data.n_items))  # what ages and regions close is listed cell by cell
    starts = range(0, len(queries), size)
    return Slate.stacked([plan.answer(queries.take(np.arange(at, min(at + size, len(queries))))) for at in starts])


def all_pins(*terms: Terms | None) -> tuple[PinnedItem, ...]:
    """The pins of several terms; of two with one place or one item the first stays. ``pin`` columns count in these."""
    kept: list[PinnedItem] = []
    for pin in (pin for one in terms if one is not None for pin in one.pins):
        if all(pin.place != other.place and pin.item != other.item for other in kept):
            kept.append(pin)
    return tuple(kept)


def labels(slate: Slate, row: int, pins: Sequence[PinnedItem]) -> dict[int, str]:
    """The label of each pinned place of one list, by place from 0."""
    if PIN not in slate.columns:
        return {}
    found = slate.columns[PIN][row]
    return {int(place): pins[int(found[place])].label for place in np.flatnonzero(~np.isnan(found))}


def skipped(slate: Slate, row: int, pins: Sequence[PinnedItem]) -> list[PinnedItem]:
    """The pins that one list does not hold: unknown, not eligible, or beyond the list."""
    shown = {int(pin) for pin in slate.columns[PIN][row] if not np.isnan(pin)} if PIN in slate.columns else set()
    return [pin for number, pin in enumerate(pins) if number not in shown]


class _Plan:
    """Terms made ready for one pipeline."""

    def __init__(self, pipeline: Pipeline, terms: tuple[Terms, ...], n: int, lift: Floats | None, timed: Timed) -> None:
        self.pipeline, self.terms, self.n, self.lift, self.timed = pipeline, terms, n, lift, timed
        self.catalogue = pipeline.catalogue
        self.caps = self._caps()
        self.pins = all_pins(*terms)
        self.boosts = self._boosts()

    def answer(self, queries: Queries) -> Slate:
        """The lists of one chunk."""
        asked = under(self.pipeline, queries, *self.terms)
        pinned = self._pinned(asked)
        slate = self._ranked(asked, pinned, self._depth())
        return Pins(pinned, [pin.place for pin in self.pins], self.n)(asked, slate) if self.pins else slate

    def _depth(self) -> int:
        depth = self.n + len(self.pins)
        return max(2 * depth, self.pipeline.spec.depth) if self.caps or self.boosts else depth

    def _ranked(self, asked: Queries, pinned: Ints, depth: int) -> Slate:
        """What is not pinned; rows that caps leave short are asked for again, deeper."""
        with self.timed():
            whole = self.pipeline.recommend(asked, depth)
        whole = self.boosts(asked, whole) if self.boosts else whole
        if not self.caps and not pinned.shape[1]:
            return whole.head(self.n)
        slate = Caps(self.caps, self.n, pinned)(asked, whole)
        wanted = self.n - (pinned != EMPTY).sum(axis=1)
        short = np.flatnonzero((slate.filled.sum(axis=1) < wanted) & (whole.facts["eligible"] > depth))
        if not len(short):
            return slate
        return _replaced(slate, short, self._ranked(asked.take(short), pinned[short], DEEPER * depth))

    def _pinned(self, asked: Queries) -> Ints:
        """``int32[B, P]``: the pinned items that may be shown; seen before or not, a pin is shown."""
        numbers = [self.catalogue.numbers.get(pin.item, EMPTY) for pin in self.pins]
        numbers = [EMPTY if pin.place > self.n else item for pin, item in zip(self.pins, numbers, strict=True)]
        items = np.tile(np.array(numbers, np.int32), (len(asked), 1))
        if not items.shape[1]:
            return items
        rules = replace(asked, include_seen=True).eligible(self.catalogue.n_items)
        closed = (items[rules.rows] == rules.items[:, None]).nonzero()
        items[~rules.open[np.maximum(items, 0)]] = EMPTY
        items[rules.rows[closed[0]], closed[1]] = EMPTY
        return items

    def _caps(self) -> list[Cap]:
        most: dict[str, int] = {}
        for field, cap in (entry for one in self.terms for entry in one.caps.items()):
            most[field] = min(cap, most.get(field, cap))
        return [Cap(self.catalogue.fields.groups(field, f"caps.{field}"), cap) for field, cap in most.items()]

    def _boosts(self) -> Boosts | None:
        """Every boost, more-like and less-like as one amount an item; None where there are none."""
        parts: list[tuple[Bools, float]] = []
        for one in self.terms:
            parts += [(self._of(boost, f"boosts.{at}"), boost.by) for at, boost in enumerate(one.boosts)]
            parts += [
                (self._of(Selection(values=liked.values), place), by)
                for liked, place, by in ((one.more_like, "more_like", 1.0), (one.less_like, "less_like", -1.0))
                if liked.values
            ]
        disliked = self.catalogue.among([name for one in self.terms for name in one.less_like.items])
        if not parts and not len(disliked) and self.lift is None:
            return None
        amounts = np.zeros(self.catalogue.n_items, np.float32) if self.lift is None else self.lift.copy()
        for mask, by in parts:
            amounts[mask] += by
        amounts -= LESS * _likeness(self.pipeline, disliked)
        return Boosts(amounts)

    def _of(self, selection: Selection, place: str) -> Bools:
        return self.catalogue.selected(selection, place)


def _likeness(pipeline: Pipeline, items: Longs) -> Floats:
    """``float32[n_items]``: 1 for what is most like any of the items, falling with the score to 0 after the 100th."""
    likeness = np.zeros(pipeline.data.n_items, np.float32)
    if not len(items) or not any(isinstance(source, Explains) for source in pipeline.sources.values()):
        return likeness
    slate = pipeline.similar(items.astype(np.int32), LIKES)
    scores = slate.column(SCORE)
    low = scores.min(axis=1, keepdims=True, initial=np.inf, where=slate.filled)
    high = scores.max(axis=1, keepdims=True, initial=-np.inf, where=slate.filled)
    shares = np.where(high > low, scores - low, 0) / np.where(high > low, high - low, 1)
    np.maximum.at(likeness, slate.items[slate.filled], shares[slate.filled].astype(np.float32))
    return likeness


def _replaced(slate: Slate, rows: Longs, by: Slate) -> Slate:
    """The slate with other lists in some rows."""
    source = np.arange(len(slate))
    source[rows] = len(slate) + np.arange(len(rows))
    return Slate.stacked([slate, by]).rows(source)
