"""Probability combination: each source's scores as probabilities of what comes next, pooled into one."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field

from accord.core.arrays import Bools, Floats, Longs
from accord.core.run import Run
from accord.core.slate import Slate
from accord.fuse.base import SCALES, Fuser, FuserConfig, Panel, is_cold
from accord.fuse.calibration import Calibration, calibration
from accord.fuse.cold import best_shift
from accord.fuse.likelihood import TINY, drawn, evidence, fit_logit, halved, log_softmax, pool_weights

DRAFT = 1_000
"""The most queries that a draft is learned from."""
FEWEST = 20
"""The final temperature is left at 1 on fewer queries than this."""


class SoftmaxConfig(FuserConfig):
    """How probabilities are combined."""

    pool: Literal["linear", "log"] = "log"
    """``linear``: a mixture of the sources' probabilities; ``log``: their product, each with an exponent."""
    normalise: Literal["z", "minmax"] = "z"
    """Per query, over all items that may be shown: standard score, or range from 0 to 1."""
    queries: int = Field(default=4_000, ge=1)
    """The most held-back queries that are learned from; memory is this times the places of a list times sources."""


class Softmax(Fuser):
    """The probability that an item of the list is what comes next.

    A source's normalised scores ``z`` over the places of a list become ``p_s = softmax(z_s / T_s)``, with a temperature
    a source, the likeliest for held-back events. The pool is linear, ``p = sum_s w_s p_s`` (``w`` by expectation
    maximisation), or log-linear, ``p ~ prod_s p_s ^ w_s`` (``w >= 0`` by maximum likelihood); see Genest and Zidek,
    "Combining probability distributions" (1986). A last temperature, learned on queries that the rest was not learned
    from, takes back overconfidence (Guo et al., "On calibration of modern neural networks", 2017).

    All this is conditional on the truth being in the list; ``inside``, the share of held-back truths that the sources
    offered, makes it the probability of an item: the places of a list sum to ``inside``, the rest is "none of these".
    The linear score is the probability, the log-linear one its logarithm.
    """

    Config = SoftmaxConfig
    learned = ("sharpness", "weights", "shift", "temperature", "inside", "held_back")

    def __init__(self, config: SoftmaxConfig | None = None, **values: object) -> None:
        super().__init__(config, **values)
        n = len(self.config.sources)
        self.sharpness: Floats = np.ones((2, n), np.float32)
        """``float32[2, S]``: ``1 / T``; row 0 for items with events, row 1 for cold items."""
        self.weights: Floats = np.full((2, n), 1 / n, np.float32)
        """``float32[2, S]``: mixing weights, or exponents."""
        self.shift: Floats = np.zeros(1, np.float32)
        """Added to the log odds of cold items."""
        self.temperature: Floats = np.ones(1, np.float32)
        """The last one, of the pooled probabilities."""
        self.inside: Floats = np.ones(1, np.float32)
        """The share of truths that the sources offered."""
        self.held_back: Floats = np.full(3, np.nan, np.float32)
        """Log-loss, that of even odds, and calibration error, on queries not learned from; NaN before the fit."""

    def fit(self, panel: Panel, run: Run, *, draft: bool = False) -> Self:
        """Learn temperatures, weights and the odds of cold items by likelihood.

        Unless it is a ``draft``, one half of the queries judges what the other half taught: this gives the last
        temperature and ``held_back``.
        """
        sample = drawn(panel, DRAFT if draft else self.config.queries, run)
        if not len(sample):
            return self
        self._learn(sample)
        self.inside = np.array([_inside(panel)], np.float32)
        if not draft and len(sample) >= FEWEST:
            self._calibrate(sample, run)
        return self

    def fit_cold(self, among_cold: Panel, mixed: Panel | None = None, *, draft: bool = False) -> Self:
        """Learn temperatures and weights of cold items from a panel of cold items alone, their odds from a mixed one.

        What the cold items may cost the others is bounded: see ``cold.best_shift``.
        """
        sample = drawn(among_cold, DRAFT if draft else self.config.queries, Run(cache=None))
        if len(sample):
            sharpness, weights = self._taught(sample)[:2]
            self.sharpness, self.weights = (
                np.stack([self.sharpness[0], sharpness]),
                np.stack([self.weights[0], weights]),
            )
        if mixed is not None:
            self.shift = np.zeros(1, np.float32)
            self.shift = np.array([best_shift(mixed, self._panel_odds(mixed))], np.float32)
        return self

    def with_sources(self, sources: tuple[str, ...]) -> Self:
        """The same fuser over other sources; those it did not know count nothing until ``fit_cold`` learns of them."""
        other = type(self)(self.config.model_copy(update={"sources": sources}))
        known = [self.config.sources.index(name) if name in self.config.sources else -1 for name in sources]
        new = np.array(known) < 0
        other.sharpness = np.where(new, 1, self.sharpness[:, known]).astype(np.float32)
        weights = np.where(new, 0, self.weights[:, known])
        if self.config.pool == "linear":
            weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), TINY)
        other.weights = weights.astype(np.float32)
        other.shift, other.temperature, other.inside = self.shift, self.temperature, self.inside
        other.held_back = self.held_back
        return other

    def probabilities(self, slate: Slate) -> Floats:
        """``float32[B, K]``: the probability that each item comes next; the places of a list sum to ``inside``."""
        odds = self._odds(self._normalised(slate), slate.filled, is_cold(slate))
        return self.inside * np.exp(log_softmax(odds / self.temperature, slate.filled))

    def contributions(self, slate: Slate) -> Floats:
        """``float32[B, K, S]``: shares of the probability (linear pool) or summands of its logarithm.

        What belongs to no source (temperature, cold odds, the sum to one) is split by share, or evenly.
        """
        scores, cold = self._normalised(slate), is_cold(slate)
        if not slate.width:
            return scores
        parts = self._parts(scores, slate.filled, cold)
        odds = self._pooled(parts, cold)
        logs = log_softmax(odds / self.temperature, slate.filled) + np.log(self.inside)
        if self.config.pool == "linear":
            shares = parts / np.maximum(parts.sum(axis=2, keepdims=True), TINY)
            return (np.exp(logs)[:, :, None] * shares).astype(np.float32)
        parts = parts / self.temperature
        rest = np.where(slate.filled, logs - parts.sum(axis=2), 0) / parts.shape[2]
        return (parts + rest[:, :, None]).astype(np.float32)

    def value(self, panel: Panel) -> float:
        """Mean NDCG@10 of the fused lists over all queries of the panel."""
        return panel.ndcg(self._panel_odds(panel))

    def calibration(self, panel: Panel) -> Calibration:
        """How well the probabilities, given that the truth is in the list, agree with what came up."""
        return calibration(log_softmax(self._panel_odds(panel) / self.temperature, panel.slate.filled), panel)

    def _learn(self, panel: Panel) -> None:
        sharpness, weights, shift = self._taught(panel)
        self.sharpness, self.weights = np.tile(sharpness, (2, 1)), np.tile(weights, (2, 1))
        self.shift = np.array([shift], np.float32)

    def _taught(self, panel: Panel) -> tuple[Floats, Floats, float]:
        """Sharpness and weights, ``float32[S]`` each, and the log odds of cold places."""
        sharpness = np.array([self._sharpness(panel, name) for name in self.config.sources], np.float32)
        scores = evidence(panel, self.config.sources, self.config.normalise) * sharpness
        cold = is_cold(panel.slate)[:, :, None].astype(np.float32)
        n = len(sharpness)
        if self.config.pool == "log":
            found = fit_logit(np.concatenate([scores, cold], axis=2), panel, low=[0.0] * n + [-np.inf])
            return sharpness, found[:n].astype(np.float32), float(found[n])
        targets = panel.targets()
        sources = [np.exp(log_softmax(scores[:, :, place], panel.slate.filled)) for place in range(n)]
        weights = pool_weights(np.stack([each[targets] for each in sources], axis=1).astype(np.float64))
        pooled = sum(weight * each for weight, each in zip(weights, sources, strict=True))
        shift = fit_logit(cold, panel, offset=np.log(np.maximum(pooled, TINY)).astype(np.float32))
        return sharpness, weights.astype(np.float32), float(shift[0])

    def _sharpness(self, panel: Panel, source: str) -> float:
        """``1 / T`` of one source alone: the likeliest, and never negative; kept in the panel."""
        key = ("sharpness", source, self.config.normalise)
        if key not in panel.memo:
            scores = evidence(panel, (source,), self.config.normalise)
            panel.memo[key] = float(fit_logit(scores, panel, low=[0.0])[0])
        return panel.memo[key]

    def _calibrate(self, panel: Panel, run: Run) -> None:
        """The last temperature, and the figures on queries that were not learned from: each half judges the other's."""
        halves = halved(panel, run)
        judged = list[tuple[Floats, Panel]]()
        for teacher, judge in (halves, halves[::-1]):
            learner = type(self)(self.config)
            learner._learn(teacher)
            judged.append((learner._panel_odds(judge), judge))
        odds, both = np.concatenate([odds for odds, _ in judged]), Panel.joined([judge for _, judge in judged])
        sharper = fit_logit(np.where(both.slate.filled, odds, 0)[:, :, None], both, low=[0.05])[0]
        self.temperature = np.array([1 / sharper], np.float32)
        found = calibration(log_softmax(odds / self.temperature, both.slate.filled), both)
        self.held_back = np.array([found.log_loss, found.even_log_loss, found.error], np.float32)

    def _normalised(self, slate: Slate) -> Floats:
        return SCALES[self.config.normalise](slate, self.config.sources)

    def _panel_odds(self, panel: Panel) -> Floats:
        scores = evidence(panel, self.config.sources, self.config.normalise)
        return self._odds(scores, panel.slate.filled, is_cold(panel.slate))

    def _odds(self, scores: Floats, filled: Bools, cold: Bools) -> Floats:
        """``float32[B, K]``: pooled log odds before the last temperature, up to a constant a list."""
        return self._pooled(self._parts(scores, filled, cold), cold)

    def _pooled(self, parts: Floats, cold: Bools) -> Floats:
        total = parts.sum(axis=2)
        logs = np.log(np.maximum(total, TINY)) if self.config.pool == "linear" else total
        return (logs + self.shift[0] * cold).astype(np.float32)

    def _parts(self, scores: Floats, filled: Bools, cold: Bools) -> Floats:
        """``float32[B, K, S]``: ``w_s p_s`` of each place (linear pool), or ``w_s z_s / T_s``."""
        rows: Longs = cold.astype(np.int64)
        sharp = scores * self.sharpness[rows]
        if self.config.pool == "linear":
            sharp = np.stack([np.exp(log_softmax(sharp[:, :, s], filled)) for s in range(sharp.shape[2])], axis=2)
        return sharp * self.weights[rows]


def _inside(panel: Panel) -> float:
    """The share of truths that were offered; queries left out of the panel had about as many truths as the others."""
    found, asked = len(panel.targets()[0]), len(panel.truth.values)
    missing = (panel.total - len(panel)) * asked / max(1, len(panel))
    return max(found, 1) / max(asked + missing, 1.0)
