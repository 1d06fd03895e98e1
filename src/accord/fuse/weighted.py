"""Weighted sum of normalised scores: a handful of global weights, learned by likelihood and by the lists' quality."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Self, TypeAlias

import numpy as np

from accord.core.arrays import Floats, Longs
from accord.core.part import State
from accord.core.run import Run
from accord.core.slate import Slate
from accord.fuse.base import EVENTS, SCALES, Fuser, FuserConfig, Panel
from accord.fuse.cold import Balance, best_line
from accord.fuse.likelihood import drawn, evidence, fit_logit

FACTORS = (0.0, 0.25, 0.5, 0.7, 0.85, 1.2, 1.4, 2.0, 4.0)
"""What a weight is multiplied with when it is tried."""
ENTRIES = (0.025, 0.05, 0.1, 0.2)
"""The weights that are tried for a source that has none."""
PASSES = 4
QUERIES = 6_000
"""The most lists that the likelihood is learned from: some 200 MB with 20 sources and 440 places."""
BLENDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""The events at which an item is half a cold one, that are tried."""
Scale: TypeAlias = Callable[[Slate, tuple[str, ...]], Floats]
FAR = np.float32(1e6)
"""How far below every item an empty place lies."""


class WeightedConfig(FuserConfig):
    """How scores are made comparable."""

    normalise: Literal["z", "minmax"] = "z"
    """Per query, over all items that may be shown: standard score, or range from 0 to 1."""
    k: int = 10
    """The ascent maximises NDCG at k."""


class Weighted(Fuser):
    """``score = sum_s w_s z_s``, with weights of their own (and a shift) for items without events.

    Weights of items with events are not negative and sum to one. They lie half way between two: those under which what
    came up is likeliest (a conditional logit: concave, so many sources are no trouble), and those to which coordinate
    ascent on NDCG leads from there: each weight in turn is multiplied with a few factors and the best kept, a few
    passes (Metzler and Croft, "Linear feature-based models for information retrieval", 2007). The ascent alone gets
    stuck where there are many sources, and follows noise where there are few queries; the likelihood alone looks at
    more than the top of a list. The score of an item with k events is ``k / (k + c)`` of that by the warm weights and
    ``c / (k + c)`` of that by the cold ones.
    """

    Config = WeightedConfig
    learned = ("weights", "shift", "blend")

    def __init__(self, config: WeightedConfig | None = None, **values: object) -> None:
        super().__init__(config, **values)
        self.weights: Floats = np.tile(self._equal, (2, 1))
        """``float32[2, S]``: row 0 for items with events, row 1 for cold items, which sums to the gain of their scores
        over the scale of the others."""
        self.shift: Floats = np.zeros(1, np.float32)
        """Added to the score of cold items."""
        self.blend: Floats = np.zeros(1, np.float32)
        """The c above: an item with so many events is half a cold one; 0: only items without events are cold."""

    def fit(self, panel: Panel, run: Run, *, draft: bool = False) -> Self:
        """Learn the weights of items with events; cold items get the same until ``fit_cold``."""
        self.weights = np.tile(self._taught(panel), (2, 1))
        return self

    def fit_cold(self, among_cold: Panel, mixed: Panel | None = None, *, draft: bool = False) -> Self:
        """Learn the weights of cold items from a panel of cold items alone; from a mixed one how both are one list.

        Gain and shift serve the cold truths of the mixed panel best, the blend all of them. What they may cost the
        items with events is bounded: see ``cold.Balance``.
        """
        self.weights = np.stack([self.weights[0], self._taught(among_cold)])
        self.shift, self.blend = np.zeros(1, np.float32), np.zeros(1, np.float32)
        if mixed is not None and len(mixed):
            scores = self._normalised(mixed.slate)
            warm, cold = scores @ self.weights[0], scores @ self.weights[1]
            balance = Balance(mixed, warm, self.config.k)
            gain, shift = best_line(balance, warm, cold)
            blend = _best_blend(balance, warm, gain * cold + np.float32(shift))
            self.weights = np.stack([self.weights[0], np.float32(gain) * self.weights[1]])
            self.shift, self.blend = np.array([shift], np.float32), np.array([blend], np.float32)
        return self

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave; what was saved before items could be half cold has none that are."""
        return super().load_state({"blend": np.zeros(1, np.float32)} | arrays)

    def with_sources(self, sources: tuple[str, ...]) -> Self:
        """The same weights over other sources, made to sum to the same again; equal ones where none is left."""
        known = [self.config.sources.index(name) if name in self.config.sources else -1 for name in sources]
        kept = np.where(np.array(known) < 0, 0, self.weights[:, known])
        total, sums = kept.sum(axis=1, keepdims=True), self.weights.sum(axis=1, keepdims=True)
        other = type(self)(self.config.model_copy(update={"sources": sources}))
        shares = np.where(total > 0, kept / np.where(total > 0, total, 1), 1 / len(sources))
        other.weights = (sums * shares).astype(np.float32)
        other.shift, other.blend = self.shift, self.blend
        return other

    @property
    def tells_parts(self) -> bool:
        """The part of a source does not depend on the others."""
        return True

    def contributions(self, slate: Slate) -> Floats:
        """``float32[B, K, S]``: weight times normalised score; the shift of cold items is spread evenly."""
        cold = _coldness(slate, float(self.blend[0]))[:, :, None]
        parts = self._normalised(slate) * (self.weights[0] + cold * (self.weights[1] - self.weights[0]))
        return parts + cold * (self.shift[0] / np.float32(len(self.config.sources)))

    def value(self, panel: Panel) -> float:
        """Mean NDCG@10 of the fused lists over all queries of the panel."""
        if self.shift[0] or (self.weights[0] != self.weights[1]).any() or self.config.k != 10:
            return super().value(panel)
        return self._search(panel).value(self.weights[0])

    def _search(self, panel: Panel) -> _Search:
        return _Search(panel, self.config.sources, SCALES[self.config.normalise], self.config.k)

    def _normalised(self, slate: Slate) -> Floats:
        return SCALES[self.config.normalise](slate, self.config.sources)

    @property
    def _equal(self) -> Floats:
        n = len(self.config.sources)
        return np.full(n, 1 / n, np.float32)

    def _taught(self, panel: Panel) -> Floats:
        """``float32[S]``: half way from the likeliest weights to those that NDCG on the panel leads to from there."""
        if not len(panel):
            return self._equal
        likeliest = self._likeliest(panel)
        return (0.5 * (likeliest + self._climb(self._search(panel), likeliest))).astype(np.float32)

    def _likeliest(self, panel: Panel) -> Floats:
        """``float32[S]``: the weights that make what came up likeliest; equal ones where nothing tells anything."""
        panel = drawn(panel, QUERIES, Run(cache=None))
        scores = evidence(panel, self.config.sources, self.config.normalise)
        found = fit_logit(scores, panel, low=[0.0] * scores.shape[2])
        found *= scores.any(axis=(0, 1))  # what says nothing gets nothing
        return (found / found.sum()).astype(np.float32) if found.any() else self._equal

    def _climb(self, search: _Search, weights: Floats) -> Floats:
        """Coordinate ascent from the given weights."""
        n, best = len(weights), search.value(weights)
        for _ in range(PASSES):
            before = best
            for source in range(n):
                weights, best = search.improve(weights, source, best)
            if best - before < 1e-5:
                break
        return weights


class _Search:
    """Mean NDCG as a function of the weights, on one panel.

    It reads, by source, how far each place of a slate is above the true item (``[T, K]`` for T true items): the rank
    of a true item is then the number of positive entries of the weighted sum, and trying another weight of one source
    costs one multiplication and one addition.
    """

    def __init__(self, panel: Panel, sources: tuple[str, ...], scale: Scale, k: int) -> None:
        rows, places = targets = panel.targets()
        self.gaps = [_gaps(panel, name, scale, targets) for name in sources]
        ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
        self.share = 1 / ideal[np.minimum(panel.truth.lengths[rows], k)] / max(1, panel.total)
        self.shape = (len(places), panel.slate.width)
        self.k = k

    def value(self, weights: Floats) -> float:
        return self._mean(self._above(weights))

    def improve(self, weights: Floats, source: int, best: float) -> tuple[Floats, float]:
        """Try other values of one weight; return the best weights and their value."""
        old = weights[source]
        others = weights.copy()
        others[source] = 0
        rest = self._above(others)
        tried_above = np.empty_like(rest)
        for option in [old * factor for factor in FACTORS] if old > 0 else ENTRIES:
            tried = others.copy()
            tried[source] = option
            if tried.sum() <= 0:
                continue
            np.multiply(self.gaps[source], np.float32(option), out=tried_above)
            value = self._mean(np.add(tried_above, rest, out=tried_above))
            if value > best + 1e-7 or (option == 0 and value >= best - 1e-7):  # without, where it makes no difference
                weights, best = (tried / tried.sum()).astype(np.float32), value
        return weights, best

    def _above(self, weights: Floats) -> Floats:
        """``float32[T, K]``: how far each place is above the true item."""
        total = np.zeros(self.shape, np.float32)
        for weight, gaps in zip(weights, self.gaps, strict=True):
            if weight:
                total += np.float32(weight) * gaps
        return total

    def _mean(self, above: Floats) -> float:
        """Mean NDCG where ``above[T, K]`` is positive for the places ranked before the true item; ties share ranks."""
        twice = (above > 0).view(np.int8) + (above >= 0).view(np.int8)  # small integers add up faster than booleans
        ranks = 0.5 * (np.add.reduce(twice, axis=1, dtype=np.int32) - 1)
        return float((np.where(ranks < self.k, 1 / np.log2(ranks + 2), 0) * self.share).sum())


def _coldness(slate: Slate, blend: float) -> Floats:
    """``float32[B, K]``: ``c / (k + c)`` of items with k events; 1 where k is 0, also with ``c = 0``."""
    events = np.nan_to_num(slate.column(EVENTS))
    return np.where(events > 0, blend / np.maximum(events + blend, 1e-9), 1).astype(np.float32)


def _best_blend(balance: Balance, warm: Floats, cold: Floats) -> float:
    """The c with the best NDCG of those that cost little enough; 0 where none is better than that."""
    best, best_value = 0.0, balance.value(np.where(balance.cold, cold, warm))
    for blend in BLENDS:
        coldness = _coldness(balance.panel.slate, blend)
        value = balance.bearable((warm + coldness * (cold - warm)).astype(np.float32))
        if value is not None and value > best_value:
            best, best_value = blend, value
    return best


def _gaps(panel: Panel, source: str, scale: Scale, targets: tuple[Longs, Longs]) -> Floats:
    """``float32[T, K]``: one source's normalised score of each place less that of the true item; kept in the panel."""
    key = (source, scale.__name__)
    if key not in panel.memo:
        rows, places = targets
        scores = scale(panel.slate, (source,))[:, :, 0]
        gaps = scores[rows] - scores[rows, places][:, None]
        gaps[~panel.slate.filled[rows]] = -FAR
        panel.memo[key] = gaps
    return panel.memo[key]
