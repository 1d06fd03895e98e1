"""One request, one list: history, rules, scores, fusion, places, reasons, impression."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from accord.core.arrays import Floats
from accord.core.columns import SCORE
from accord.core.errors import AccordError, InputError
from accord.core.queries import Queries
from accord.core.slate import EMPTY, Slate
from accord.core.topk import top_k
from accord.data.store.base import StoreUnavailable
from accord.data.store.events import Impression
from accord.pipeline.eligible import under
from accord.pipeline.placements import Placement, Terms
from accord.pipeline.ruled import all_pins, labels, recommend_under
from accord.pipeline.wording import fitting
from accord.serve.asking import queries_of
from accord.serve.current import Current
from accord.serve.errors import unknown
from accord.serve.guard import Turn
from accord.serve.live import Live
from accord.serve.logs import where
from accord.serve.metrics import Clock
from accord.serve.reasoning import reasons_of
from accord.serve.schemas import ExplainIn, ExplainOut, Listed, ListOut, RecommendIn

PLAIN = Placement()
"""What holds where no placement is named."""
FIT = 3.0
"""Standard deviations of the scores between what fits words best of all and what does not fit them."""


@dataclass(frozen=True)
class Wanted:
    """One list as it is asked of the pipeline."""

    queries: Queries
    placement: Placement
    terms: Terms
    n: int
    lift: Floats | None = None


class Answers:
    """Makes lists from the living state of one worker."""

    def __init__(self, live: Live, placements: Mapping[str, Placement]) -> None:
        self.live, self.placements, self.metrics = live, placements, live.metrics

    def recommend(self, asked: RecommendIn, *, keep: bool = True) -> ListOut:
        """A list for somebody; ``keep``: whether it is shown to them, and so leaves an impression."""
        current, skipped = self.live.current()
        queries, missing = queries_of(self.live, current, asked)
        queries = replace(queries, seed=asked.seed or 0)
        placement = self.placement(asked.placement)
        wanted = Wanted(queries, placement, asked.terms(), asked.n or placement.n)
        if asked.text is not None:
            wanted = self._worded(current, wanted, asked.text)
        with self.live.guards.turn() as turn:
            slate = self._ranked(current, wanted, turn)
        skipped += [*missing, *turn.skipped]
        told = self._reasons(current, wanted, slate, asked, skipped) if asked.explain else {}
        places = _listed(current, slate, told, labels(slate, 0, all_pins(placement, wanted.terms)))
        if not keep:
            self.metrics.skip(_once(skipped))
            return ListOut(items=places, impression_id=None, model=current.model.name, skipped=_once(skipped))
        return self._answer(current, asked.user_id, placement.name, places, skipped, _request(asked, wanted))

    def similar(self, item: str, n: int) -> ListOut:
        """What is like one item."""
        current, skipped = self.live.current()
        number = current.number(item)
        if number is None:
            raise unknown("item", "item_id")
        with self.live.guards.turn() as turn:
            slate = current.pipeline.similar(np.array([number], np.int32), n, current.shown)
        self._times(score=turn.seconds)
        skipped += turn.skipped
        places = _listed(current, slate, {})
        return self._answer(current, None, "similar", places, skipped, {"item_id": item, "n": n})

    def explain(self, asked: ExplainIn) -> ExplainOut:
        """Why given items would be shown, seen before or not."""
        current, skipped = self.live.current()
        numbers = [current.number(item) for item in asked.items]
        if None in numbers:
            raise unknown("item", f"items.{numbers.index(None)}")
        queries, missing = queries_of(self.live, current, asked)
        wanted = Wanted(replace(queries, include_seen=True), PLAIN, Terms(), len(numbers))
        with self.live.guards.turn() as turn:
            slate = current.pipeline.score(wanted.queries, np.array([numbers], np.int32))
        skipped += [*missing, *turn.skipped]
        told = self._reasons(current, wanted, slate, asked, skipped)
        self.metrics.skip(_once(skipped))
        return ExplainOut(items=_listed(current, slate, told), model=current.model.name, skipped=_once(skipped))

    def placement(self, name: str | None) -> Placement:
        """A placement by name. Raises ``InputError`` naming those there are."""
        if name is None:
            return PLAIN
        if name not in self.placements:
            there = ", ".join(self.placements) or "none; start the server with --placements FILE"
            raise InputError("there is no such placement", place="placement", remedy=f"There are: {there}.")
        return self.placements[name]

    def _worded(self, current: Current, wanted: Wanted, text: str) -> Wanted:
        """Only what fits the words best may be shown, and the better it fits the higher it stands."""
        with self.metrics.stage("words"):
            fits = fitting(current.pipeline, text, self.live.run)
        rules = under(current.pipeline, wanted.queries, wanted.placement, wanted.terms).eligible(len(fits))
        fitting_well = np.where(rules.open & (fits > 0), fits, -np.inf).astype(np.float32)
        best = top_k(fitting_well[None], max(current.pipeline.spec.depth, 2 * wanted.n), wanted.queries.tie_keys())[0][
            0
        ]
        shown = np.zeros(len(fits), dtype=bool)
        shown[best[best != EMPTY]] = True
        return replace(wanted, queries=replace(wanted.queries, open=shown), lift=(FIT * fits).astype(np.float32))

    def _ranked(self, current: Current, wanted: Wanted, turn: Turn) -> Slate:
        clock, started = Clock(), time.perf_counter()
        slate = recommend_under(
            current.pipeline, wanted.queries, wanted.placement, wanted.n, wanted.terms, wanted.lift, clock.running
        )
        seconds = time.perf_counter() - started
        self._times(score=turn.seconds, fuse=clock.seconds - turn.seconds, rerank=seconds - clock.seconds)
        return slate

    def _times(self, **seconds: float) -> None:
        for stage, spent in seconds.items():
            self.metrics.stages.labels(stage).observe(max(0.0, spent))

    def _reasons(
        self, current: Current, wanted: Wanted, slate: Slate, asked: RecommendIn | ExplainIn, skipped: list[str]
    ) -> dict[int, dict[str, Any]]:
        """Reasons by place, of the sources that made the list; none, and said so, where they cannot be made."""
        without = isinstance(asked, ExplainIn) and asked.without
        queries = under(current.pipeline, wanted.queries, wanted.placement, wanted.terms)
        try:
            with self.live.guards.without(skipped), self.metrics.stage("explain"):
                return reasons_of(current.pipeline, queries, slate, asked.language, without=without)
        except AccordError:
            raise
        except Exception as error:  # a list without reasons is better than none
            self.live.log.warning("no reasons", **where(error))
            skipped.append("reasons")
            return {}

    def _answer(
        self,
        current: Current,
        user: str | None,
        placement: str,
        places: list[Listed],
        skipped: list[str],
        request: dict[str, Any],
    ) -> ListOut:
        """The list with its impression, which is on the disk before the answer."""
        name = secrets.token_hex(16)
        shown = [
            {
                "item_id": one.item_id,
                "score": one.score,
                "place": place,
                "propensity": 1.0,
                "pinned": one.label is not None,
            }
            for place, one in enumerate(places, 1)
        ]
        impression = Impression(name, user, time.time(), current.model.name, placement, shown, request)
        try:
            with self.metrics.stage("store"):
                self.live.store.put_impression(impression)
        except StoreUnavailable:
            name, skipped = None, [*skipped, "store"]
        self.metrics.skip(_once(skipped))
        return ListOut(items=places, impression_id=name, model=current.model.name, skipped=_once(skipped))


def _listed(
    current: Current, slate: Slate, told: Mapping[int, dict[str, Any]], pinned: Mapping[int, str] | None = None
) -> list[Listed]:
    """The filled places of the one list."""
    ids, scores = current.pipeline.data.item_ids, slate.column(SCORE)[0]
    out = list[Listed]()
    for place, item in enumerate(slate.items[0].tolist()):
        if item != EMPTY:
            score, label = float(scores[place]), (pinned or {}).get(place)
            facts: dict[str, Any] = (
                told.get(place, {}) if label is None else {"label": label}
            )  # a pin is a reason of its own
            out.append(Listed(item_id=str(ids[item]), score=None if math.isnan(score) else score, **facts))
    return out


def _request(asked: RecommendIn, wanted: Wanted) -> dict[str, Any]:
    """What is kept of a request: what later learning needs, and no words of the person."""
    kept = {"n": wanted.n, "context": asked.context, "history": int(wanted.queries.history.lengths[0])}
    return kept | ({"seed": asked.seed} if asked.seed is not None else {})


def _once(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))
