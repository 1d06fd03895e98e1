"""The click head: how probable it is that this user chooses an item."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from accord.core.arrays import Doubles, Floats, Longs
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.history import History
from accord.core.run import Run
from accord.core.slate import Slate
from accord.data.choices import SHOWN, chosen_events
from accord.data.holdout import Holdout
from accord.fuse.biases import learn_biases, user_biases
from accord.fuse.heads import Cells, Head, HeadConfig, Scale, evidence, marked, predicted_by

FEWEST = 10
"""With fewer held-back choices, or fewer cells not chosen, everybody gets the base rate."""
TINY = 1e-7
"""Probabilities stay this far from 0 and 1."""


class ClickConfig(HeadConfig):
    """What counts as not chosen."""

    shown: tuple[str, ...] = SHOWN
    """Kinds of events that say an item was shown, not that it was chosen."""
    negatives: int = Field(default=20, ge=1)
    """Cells drawn for each choice where the log has no impressions."""
    damp: float = Field(default=10.0, ge=0)
    """With impressions: rates of items and users count as if so many more showings had the mean rate."""
    calibrate: Literal["isotonic", "none"] = "none"
    """``isotonic``: a rising step function on top of the logistic one (Zadrozny and Elkan, KDD 2002)."""


class Click(Head):
    """``sigmoid(a + w . features)``, by logistic regression on held-back choices.

    Where the log holds impressions (events of the kinds ``shown``, or a ``value`` that is 0 or 1) the probability is
    that of being chosen once shown, learned on items shown. Else it is that of being among what the user chooses next
    (as many events as validation holds of each user), over all items he has not met: cells not chosen are drawn
    uniformly, and each counts for as many as it stands for, so that probabilities keep the rate of all cells (King and
    Zeng, "Logistic regression in rare events data", 2001). Features: every source's standard score, the fused score,
    the item's events, the length of the history, with impressions the rates of item and user, and the log-odds of the
    sources that predict choices themselves.
    """

    Config = ClickConfig
    measures = "click"
    learned = ("rates", "item_bias", "item_mean", "weights", "feature_mean", "feature_spread", "steps")

    def __init__(self, config: ClickConfig | None = None, **values: object) -> None:
        super().__init__(config, **values)
        n = len(self.config.sources) + 5 + len(self.config.predicting)
        self.rates: Doubles = np.zeros(3)
        """Share of cells chosen, choices a query, and 1 where the log has impressions."""
        self.item_bias: Floats = np.zeros(0, np.float32)
        self.item_mean: Floats = np.zeros(0, np.float32)
        """With impressions the rate of each item, else its share of all events."""
        self.weights: Doubles = np.zeros(n + 1)
        """Intercept, then one weight a feature."""
        self.feature_mean: Doubles = np.zeros(n)
        self.feature_spread: Doubles = np.ones(n)
        self.steps: Doubles = np.zeros((2, 0))
        """Calibration: places on the logistic probability and what they become; empty: as it is."""

    def marks(self, data: Dataset) -> Floats:
        """``float32[E]``: 1 for chosen and 0 for shown only; a pair ever chosen is chosen."""
        chosen = chosen_events(data, self.config.shown)
        if chosen.all():
            return np.ones(data.n_events, np.float32)
        _, of = np.unique(data.event_users.astype(np.int64) * data.n_items + data.event_items, return_inverse=True)
        return np.minimum(np.bincount(of, weights=chosen), 1).astype(np.float32)[of]

    def fit(self, data: Dataset, run: Run) -> Self:
        """How often each item is chosen. Raises ``CannotFit`` where nothing was ever chosen."""
        marks = self.marks(data)
        if not marks.any():
            raise CannotFit("the log has no event that counts as chosen", value=self.config.shown)
        self.item_bias = np.zeros(data.n_items, np.float32)
        exposed = bool((marks == 0).any())
        if exposed:
            biases = learn_biases(data, marks, self.config.damp, self.config.damp)
            self.item_bias, self.item_mean = biases.items, biases.item_means
            base, choices = biases.mean, 1.0
        else:
            smooth = data.item_counts + 0.5
            self.item_mean = (smooth / smooth.sum()).astype(np.float32)
            base, choices = 1 / data.n_items, 1.0
        if not self.weights.any():  # nothing was learned from held-back choices yet
            self.rates = np.array([base, choices, float(exposed)])
            self.weights[0] = logit(np.clip(base, TINY, 1 - TINY))
        return self

    def _grow(self, n_items: int) -> None:
        more = (0, n_items - len(self.item_bias))
        unseen = self.rates[0] if self.rates[2] else self.item_mean.min(initial=1.0)
        self.item_bias = np.pad(self.item_bias, more)
        self.item_mean = np.pad(self.item_mean, more, constant_values=np.float32(unseen))

    def learn(self, slate: Slate, rated: History, cells: Cells, run: Run) -> Self:
        """Logistic regression on cells chosen and not chosen."""
        known = cells.known
        outcomes, weights = cells.outcomes[known] > 0, cells.weights[known].astype(np.float64)
        if min(outcomes.sum(), (~outcomes).sum()) < FEWEST:
            return self
        features = self._features(slate, rated)[known]
        scale = Scale.of(features, weights)
        fitted = LogisticRegression(max_iter=500).fit(scale(features), outcomes, sample_weight=weights)
        self.rates = np.array([np.average(outcomes, weights=weights), outcomes.sum() / len(slate), self.rates[2]])
        self.weights = np.append(fitted.intercept_, fitted.coef_[0])
        self.feature_mean, self.feature_spread = scale.mean, scale.spread
        if self.config.calibrate == "isotonic":
            rising = IsotonicRegression(y_min=TINY, y_max=1 - TINY, out_of_bounds="clip")
            rising.fit(expit(self.weights[0] + scale(features) @ self.weights[1:]), outcomes, sample_weight=weights)
            self.steps = np.stack([rising.X_thresholds_, rising.y_thresholds_])
        return self

    def predict(self, slate: Slate, rated: History) -> Floats:
        """``float32[B, K]``: probabilities."""
        scale = Scale(self.feature_mean, self.feature_spread)
        chance = expit(self.weights[0] + scale(self._features(slate, rated)) @ self.weights[1:])
        if self.steps.shape[1]:
            chance = np.interp(chance, *self.steps)
        return self._shown(slate, chance)

    def floors(self, slate: Slate, rated: History) -> dict[str, Floats]:
        """The base rate, and the item's own rate (with impressions) or its share of all events."""
        own = self.item_mean[np.maximum(slate.items, 0)].astype(np.float64)
        rates = {"base rate": np.full(slate.items.shape, self.rates[0])}
        rates |= {"item rate": own} if self.rates[2] else {"popularity": own * self.rates[1]}
        return {name: self._shown(slate, values) for name, values in rates.items()}

    def cells(self, holdout: Holdout, known: Dataset, rng: np.random.Generator) -> Cells:
        """What was held back, and where the log has no impressions a uniform sample of what was not chosen."""
        if self.rates[2]:
            return super().cells(holdout, known, rng)
        rows, items, weight = _not_chosen(holdout, known.n_items, self.config.negatives, rng)
        truth = holdout.truth
        n, more = len(truth.values), len(rows)
        outcomes = np.repeat(np.array([1, 0], np.float32), [n, more])
        weights = np.repeat(np.array([1, weight], np.float32), [n, more])
        order = rng.permutation(n + more)  # the place of a cell says nothing
        columns = np.concatenate([truth.rows, rows]), np.concatenate([truth.values, items]).astype(np.int32)
        return Cells.of(columns[0][order], columns[1][order], outcomes[order], weights[order], len(truth))

    def _features(self, slate: Slate, rated: History) -> Doubles:
        """``float64[B, K, F]``."""
        items = np.maximum(slate.items, 0)
        user = np.zeros(len(slate))
        if self.rates[2]:
            user = user_biases(marked(rated), float(self.rates[0]), self.item_bias, self.config.damp)
        given = np.stack([user, np.log1p(rated.lengths)], axis=1)[:, None, :]
        told = np.moveaxis(np.broadcast_to(given, (*items.shape, 2)), 2, 0)
        chances = [slate.column(predicted_by(name, self.measures)) for name in self.config.predicting]
        odds = [np.nan_to_num(logit(np.clip(chance.astype(np.float64), TINY, 1 - TINY))) for chance in chances]
        own = self.item_bias[items].astype(np.float64)
        return np.stack([own, *told, *evidence(slate, self.config.sources), *odds], axis=2)

    def _shown(self, slate: Slate, values: Doubles) -> Floats:
        """Away from 0 and 1, NaN at empty places."""
        return np.where(slate.filled, np.clip(values, TINY, 1 - TINY), np.nan).astype(np.float32)


def _not_chosen(
    holdout: Holdout, n_items: int, per_choice: int, rng: np.random.Generator
) -> tuple[Longs, Longs, float]:
    """Rows and items of cells drawn uniformly from all that were eligible and not chosen, and what each stands for."""
    asked, truth = holdout.queries, holdout.truth
    rules = asked.eligible(n_items)
    items = np.flatnonzero(rules.open)
    total = len(asked) * len(items)
    drawn = min(total, per_choice * len(truth.values))
    rows, places = np.divmod(rng.choice(total, drawn, replace=False, shuffle=False), max(1, len(items)))
    cells = rows * n_items + items[places]
    closed = np.concatenate([rules.rows * n_items + rules.items, truth.rows * n_items + truth.values])
    left = np.sort(cells[~np.isin(cells, closed)])
    return left // n_items, left % n_items, total / max(1, drawn)
