"""Products of content and collaborative evidence through a learned logistic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from pydantic import Field
from scipy.special import expit, log_expit

from accord.core.arrays import Bools, Doubles, Floats
from accord.core.run import Run
from accord.core.slate import Slate
from accord.fuse.base import SCALES, Fuser, FuserConfig, Panel, is_cold
from accord.fuse.cold import best_shift
from accord.fuse.likelihood import drawn, evidence, hits, minimised

DRAFT = 1_000
"""The most queries that a draft is learned from."""


class ProductConfig(FuserConfig):
    """Which sources read content, and how evidence is multiplied."""

    content: tuple[str, ...] = ("content", "bridge")
    """The sources whose evidence is content; all others are collaborative. Names that are not fused are ignored."""
    form: Literal["matrix", "elementwise", "log"] = "matrix"
    """``matrix``: every collaborative score times every content score; ``elementwise``: the k-th times the k-th, the
    shorter list again from its start; ``log``: a product of experts, without cross products."""
    normalise: Literal["z", "minmax"] = "z"
    """Per query, over all items that may be shown: standard score, or range from 0 to 1."""
    reg: float = Field(default=10.0, ge=0)
    """Ridge on the coefficients of features of unit spread, in true items."""
    queries: int = Field(default=4_000, ge=1)
    """The most held-back queries that are learned from."""
    negatives: int = Field(default=50, ge=1)
    """Places without a true item that are drawn from each list, each counting for those not drawn."""


class Product(Fuser):
    """``sigmoid(h . M . y + u . h + v . y + b)`` of collaborative scores ``h`` and content scores ``y`` of a place.

    ``M``, ``u``, ``v`` and ``b`` are learned by logistic regression with ridge: true items against other places of
    their lists. A positive cell of ``M`` says that the two must agree, which no weighted sum can say. The form ``log``
    is a product of experts (Hinton, 2002) instead: each source has a logistic of its own, and the score is
    ``sum_s a_s log sigmoid(k_s z_s + c_s) + b`` with ``a >= 0``, in which one source that is sure to say no outweighs
    many that say yes. The score is the logit; ``probabilities`` are those of a place of the list being true.
    """

    Config = ProductConfig
    learned = ("products", "linear", "bias", "shift", "slope", "offset")

    def __init__(self, config: ProductConfig | None = None, **values: object) -> None:
        super().__init__(config, **values)
        n = len(self.config.sources)
        self.products: Floats = np.zeros((2, n, n), np.float32)
        """``float32[2, S, S]``: ``M`` at the cells (collaborative, content); row 0 items with events, row 1 cold."""
        self.linear: Floats = np.full((2, n), 1 / n, np.float32)
        """``float32[2, S]``: ``u`` and ``v``, or the exponents of the experts."""
        self.bias: Floats = np.zeros(2, np.float32)
        self.shift: Floats = np.zeros(1, np.float32)
        """Added to the logit of cold items."""
        self.slope: Floats = np.ones((2, n), np.float32)
        self.offset: Floats = np.zeros((2, n), np.float32)
        """``float32[2, S]``: each expert's logistic (form ``log`` only)."""

    def fit(self, panel: Panel, run: Run, *, draft: bool = False) -> Self:
        """Learn all coefficients from held-back events, those of cold items alike but for an intercept."""
        sample = drawn(panel, DRAFT if draft else self.config.queries, run)
        if len(sample):
            self.shift = self._learn(slice(None), Places.of(sample, self.config, run))
        return self

    def fit_cold(self, among_cold: Panel, mixed: Panel | None = None, *, draft: bool = False) -> Self:
        """Learn the coefficients of cold items from a panel of cold items alone, their shift from a mixed one.

        What the cold items may cost the others is bounded: see ``cold.best_shift``.
        """
        sample = drawn(among_cold, DRAFT if draft else self.config.queries, Run(cache=None))
        if len(sample):
            self._learn(slice(1, 2), Places.of(sample, self.config, Run(cache=None)))
        if mixed is not None:
            self.shift = np.zeros(1, np.float32)
            self.shift = np.array([best_shift(mixed, self._panel_logits(mixed))], np.float32)
        return self

    def with_sources(self, sources: tuple[str, ...]) -> Self:
        """The same fuser over other sources; those it did not know count nothing until ``fit_cold`` learns of them."""
        other = type(self)(self.config.model_copy(update={"sources": sources}))
        known = [self.config.sources.index(name) if name in self.config.sources else -1 for name in sources]
        old = np.array(known) >= 0
        other.linear = np.where(old, self.linear[:, known], 0).astype(np.float32)
        other.slope = np.where(old, self.slope[:, known], 1).astype(np.float32)
        other.offset = np.where(old, self.offset[:, known], 0).astype(np.float32)
        cells = self.products[:, known][:, :, known]
        other.products = np.where(old[:, None] & old, cells, 0).astype(np.float32)
        other.bias, other.shift = self.bias, self.shift
        return other

    def probabilities(self, slate: Slate) -> Floats:
        """``float32[B, K]``: the probability that each item comes up, given that something of the list does."""
        return expit(self.contributions(slate).sum(axis=2))

    def contributions(self, slate: Slate) -> Floats:
        """``float32[B, K, S]``: parts of the logit; each product is split evenly between its two sources.

        So are the bias and the shift of cold items, between all sources.
        """
        scores = SCALES[self.config.normalise](slate, self.config.sources)
        return self._parts(scores, is_cold(slate))

    def value(self, panel: Panel) -> float:
        """Mean NDCG@10 of the fused lists over all queries of the panel."""
        return panel.ndcg(self._panel_logits(panel))

    def _panel_logits(self, panel: Panel) -> Floats:
        return self._parts(self._evidence(panel), is_cold(panel.slate)).sum(axis=2)

    def _evidence(self, panel: Panel) -> Floats:
        return evidence(panel, self.config.sources, self.config.normalise)

    def _parts(self, scores: Floats, cold: Bools) -> Floats:
        parts = self._row_parts(scores, 0)
        if cold.any():
            parts[cold] = self._row_parts(scores[cold], 1) + self.shift[0] / scores.shape[-1]
        return parts

    def _row_parts(self, scores: Floats, row: int) -> Floats:
        """Parts by the coefficients of items with events (row 0) or of cold items (row 1); ``scores[..., S]``."""
        shared = self.bias[row] / scores.shape[-1]
        if self.config.form == "log":
            return (self.linear[row] * log_expit(self.slope[row] * scores + self.offset[row]) + shared).astype(
                np.float32
            )
        both = self.products[row] + self.products[row].T
        return (scores * (self.linear[row] + 0.5 * scores @ both) + shared).astype(np.float32)

    def _learn(self, rows: slice, cells: Places) -> Floats:
        """Keep what drawn places teach as the coefficients of the given rows; return the log odds of cold places."""
        n, scores = len(self.config.sources), cells.scores
        first, second = self._pairs()
        if self.config.form == "log":
            experts = [fit_logistic(scores[:, [s]], cells, self.config.reg, low=[0.0]) for s in range(n)]
            slope, offset = (np.array([e[at] for e in experts], np.float32) for at in (0, 1))
            self.slope[rows], self.offset[rows] = slope, offset
            features, low = log_expit(slope * scores + offset), [0.0] * n
        else:
            features, low = np.concatenate([scores, scores[:, first] * scores[:, second]], axis=1), None
        features = np.concatenate([features, cells.cold[:, None]], axis=1).astype(np.float32)
        found = fit_logistic(features, cells, self.config.reg, low=[*low, -np.inf] if low else None)
        self.linear[rows], self.bias[rows] = found[:n], found[-1]
        self.products[rows, first, second] = found[n:-2]
        return np.array([found[-2]], np.float32)

    def _pairs(self) -> tuple[list[int], list[int]]:
        """The cells of ``M``: places of the collaborative and of the content source of each product."""
        names, content = self.config.sources, set(self.config.content)
        h = [place for place, name in enumerate(names) if name not in content]
        y = [place for place, name in enumerate(names) if name in content]
        if not h or not y or self.config.form == "log":
            return [], []
        if self.config.form == "matrix":
            pairs = [(one, other) for one in h for other in y]
        else:
            pairs = [(h[k % len(h)], y[k % len(y)]) for k in range(max(len(h), len(y)))]
        return [one for one, _ in pairs], [other for _, other in pairs]


@dataclass(frozen=True, slots=True)
class Places:
    """Places drawn from lists: all true items, and some others that stand for all others."""

    scores: Floats
    """``float32[N, S]``, normalised."""
    cold: Floats
    """``float32[N]``: 1 where the item has no events."""
    true: Bools
    weights: Floats
    """``float32[N]``: how many places each stands for."""

    @classmethod
    def of(cls, panel: Panel, config: ProductConfig, run: Run) -> Places:
        """All true places of the panel, and ``config.negatives`` random others a list."""
        true = hits(panel) > 0
        others = panel.slate.filled & ~true
        lots = np.where(others, run.rng("places of a fuser").random(true.shape), 2.0)
        most = min(config.negatives, lots.shape[1])
        bound = np.partition(lots, most - 1, axis=1)[:, most - 1 : most]
        taken = others & (lots <= np.minimum(bound, 1.0))
        weight = others.sum(axis=1) / np.maximum(taken.sum(axis=1), 1)
        places = true | taken
        scores = evidence(panel, config.sources, config.normalise)[places]
        weights = np.where(true, 1.0, weight[:, None])[places]
        return cls(scores, is_cold(panel.slate)[places].astype(np.float32), true[places], weights.astype(np.float32))


def fit_logistic(features: Floats, cells: Places, reg: float, low: list[float] | None = None) -> Doubles:
    """``float64[F + 1]``: coefficients of weighted logistic regression, the intercept last.

    The ridge ``reg`` is on coefficients of features of unit spread; ``low`` bounds the coefficients from below.
    Features are centred and scaled for L-BFGS, and the coefficients turned back.
    """
    share = cells.weights / cells.weights.sum()
    centre = share @ features
    spread = np.sqrt(share @ (features - centre) ** 2)
    spread = np.where(spread > 1e-6, spread, np.inf)
    scaled = ((features - centre) / spread).astype(np.float32)
    true, size = cells.true, features.shape[1]
    total = max(1.0, float(true.sum()))

    def loss(coefficients: Doubles) -> tuple[float, Doubles]:
        logits = scaled @ coefficients[:-1].astype(np.float32) + np.float32(coefficients[-1])
        value = -float((cells.weights * log_expit(np.where(true, logits, -logits))).sum(dtype=np.float64))
        error = cells.weights * (expit(logits) - true)
        slope = np.append(error @ scaled, error.sum(dtype=np.float64)).astype(np.float64)
        penalty = np.append(reg * coefficients[:-1], 0.0)
        return (value + 0.5 * float(penalty @ coefficients)) / total, (slope + penalty) / total

    start = np.zeros(size + 1)
    start[-1] = np.log(total / max(1.0, float(cells.weights[~true].sum())))
    bounds = [(bound, None) for bound in (low or [-np.inf] * size)] + [(None, None)]
    found = minimised(loss, start, bounds)
    slopes = found[:-1] / spread
    return np.append(slopes, found[-1] - slopes @ centre)
