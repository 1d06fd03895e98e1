"""The rating head: how many stars this user would give."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array
from sklearn.linear_model import RidgeCV

from accord.core import columns as c
from accord.core.arrays import Doubles, Floats, Sparse
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.history import History
from accord.core.run import Run
from accord.core.slate import Slate
from accord.fuse.biases import learn_biases, user_biases
from accord.fuse.heads import Cells, Head, HeadConfig, Scale, evidence, marked, predicted_by
from accord.fuse.neighbourhood import deviations, similarities

FEWEST = 30
"""With fewer held-back ratings nothing is learned on top of biases and neighbours."""
PENALTIES = np.logspace(0, 5, 11)
"""Ridge penalties to choose from, by leave-one-out error."""


class RatingConfig(HeadConfig):
    """Damping and neighbours."""

    damp_items: float = Field(default=3.0, ge=0)
    """An item's bias counts as if it had so many more ratings at the mean."""
    damp_users: float = Field(default=5.0, ge=0)
    """The same for users."""
    neighbours: int = Field(default=200, ge=0)
    """How many similar items each item keeps; 0: none, and no table of items by neighbours."""
    shrink: float = Field(default=100.0, ge=0)
    """Two items that so many users rated both count with half their correlation."""
    hold: float = Field(default=2.0, gt=0)
    """Weight of "no deviation" among the neighbours' deviations."""


class Rating(Head):
    """``mean + item + user + w . features``, cut to the range of ratings seen.

    The base is the damped bias model (Koren, Bell and Volinsky, "Matrix factorization techniques for recommender
    systems", 2009); the user's bias and what he thought of similar items are read from the marks in his history, so
    somebody never seen is served the same. Features: that deviation and its support, both biases, how much was rated,
    the item's events, every source's standard score, and how far from the base the sources that predict ratings
    themselves see it. ``w`` is a ridge on held-back ratings, its penalty chosen by
    leave-one-out; where nothing helps it shrinks to the bias model.
    """

    Config = RatingConfig
    learned = ("limits", "item_bias", "item_mean", "alike", "weights", "feature_mean", "feature_spread")

    def __init__(self, config: RatingConfig | None = None, **values: object) -> None:
        super().__init__(config, **values)
        self.limits: Doubles = np.zeros(3)
        """Mean, lowest and highest rating."""
        self.item_bias: Floats = np.zeros(0, np.float32)
        self.item_mean: Floats = np.zeros(0, np.float32)
        self.alike: Sparse = csr_array(np.zeros((0, 0), np.float32))
        n = len(self.config.sources) + 7 + len(self.config.predicting)
        self.weights: Doubles = np.append(0.0, np.zeros(n))
        """Intercept, then one weight a feature."""
        self.feature_mean: Doubles = np.zeros(n)
        self.feature_spread: Doubles = np.ones(n)

    def marks(self, data: Dataset) -> Floats:
        """``float32[E]``: the ratings, column ``value``."""
        if c.VALUE not in data.events.column_names:
            return np.full(data.n_events, np.nan, np.float32)
        return data.events[c.VALUE].to_numpy().astype(np.float32)

    def fit(self, data: Dataset, run: Run) -> Self:
        """Biases and neighbours of items. Raises ``CannotFit`` where no two ratings differ."""
        marks = self.marks(data)
        some = ~np.isnan(marks)
        if not some.any() or marks[some].min() == marks[some].max():
            raise CannotFit(
                "the log has no ratings that differ", value=int(some.sum()), remedy="Map them with --map value=COLUMN."
            )
        config = self.config
        biases = learn_biases(data, marks, config.damp_items, config.damp_users)
        self.limits = np.array([biases.mean, marks[some].min(), marks[some].max()], np.float64)
        self.item_bias, self.item_mean = biases.items, biases.item_means
        if config.neighbours:
            self.alike = similarities(self._rest_matrix(data, marks), config.neighbours, config.shrink)
        return self

    def _grow(self, n_items: int) -> None:
        more = (0, n_items - len(self.item_bias))
        self.item_bias = np.pad(self.item_bias, more)
        self.item_mean = np.pad(self.item_mean, more, constant_values=np.float32(self.limits[0]))
        if self.alike.shape[0]:
            offsets = np.pad(self.alike.indptr, more, mode="edge")
            self.alike = csr_array((self.alike.data, self.alike.indices, offsets), shape=(n_items, n_items))

    def learn(self, slate: Slate, rated: History, cells: Cells, run: Run) -> Self:
        """Ridge on what the bias model leaves of held-back ratings."""
        known = cells.known
        if known.sum() < FEWEST:
            return self
        features = self._features(slate, rated)[known]
        rest = (cells.outcomes - self._base(slate, rated))[known]
        scale = Scale.of(features)
        fitted = RidgeCV(alphas=PENALTIES).fit(scale(features), rest)
        self.weights = np.append(np.asarray(fitted.intercept_), np.asarray(fitted.coef_))
        self.feature_mean, self.feature_spread = scale.mean, scale.spread
        return self

    def predict(self, slate: Slate, rated: History) -> Floats:
        """``float32[B, K]``: expected ratings."""
        scale = Scale(self.feature_mean, self.feature_spread)
        more = self.weights[0] + scale(self._features(slate, rated)) @ self.weights[1:]
        return self._shown(slate, self._base(slate, rated) + more)

    def floors(self, slate: Slate, rated: History) -> dict[str, Floats]:
        """The mean of all ratings, the item's mean, and the bias model."""
        mean = np.full(slate.items.shape, self.limits[0])
        predicted = {"mean": mean, "item mean": self._of_items(self.item_mean, slate), "bias": self._base(slate, rated)}
        return {name: self._shown(slate, values) for name, values in predicted.items()}

    def _rest_matrix(self, data: Dataset, marks: Floats) -> Sparse:
        """``float32[U, n_items]``: ratings less biases, the newest of each pair; an exact zero stays a stored entry."""
        history = data.histories
        ordered = marks[np.argsort(data.event_users, kind="stable")]
        rated = marked(History(history.offsets, history.items, history.times, ordered))
        rests = self._rests(rated)
        return History(rated.offsets, rated.items, rated.times, rests).matrix(data.n_items)

    def _rests(self, rated: History) -> Floats:
        """``float32[N]``: each rating of the histories less the item's and the user's bias."""
        user = user_biases(rated, self.limits[0], self.item_bias, self.config.damp_users)
        return (rated.weights - self.limits[0] - self.item_bias[rated.items] - user[rated.rows]).astype(np.float32)

    def _base(self, slate: Slate, rated: History) -> Doubles:
        """``float64[B, K]``: mean + item + user."""
        user = user_biases(marked(rated), self.limits[0], self.item_bias, self.config.damp_users)
        return self.limits[0] + self._of_items(self.item_bias, slate) + user[:, None]

    def _features(self, slate: Slate, rated: History) -> Doubles:
        """``float64[B, K, F]``."""
        rated = marked(rated)
        moved, support = np.zeros(slate.items.shape), np.zeros(slate.items.shape)
        if self.alike.shape[0]:
            moved, support = deviations(rated, self._rests(rated), self.alike, slate.items, self.config.hold)
        user = user_biases(rated, self.limits[0], self.item_bias, self.config.damp_users)
        item = self._of_items(self.item_bias, slate)
        given = np.stack([user, np.log1p(rated.lengths)], axis=1)[:, None, :]
        columns = [moved, np.log1p(support), item, *np.moveaxis(np.broadcast_to(given, (*item.shape, 2)), 2, 0)]
        base = self._base(slate, rated) if self.config.predicting else 0.0
        told = [slate.column(predicted_by(name, self.measures)) - base for name in self.config.predicting]
        return np.stack([*columns, *evidence(slate, self.config.sources), *map(np.nan_to_num, told)], axis=2)

    def _of_items(self, values: Floats, slate: Slate) -> Doubles:
        return values[np.maximum(slate.items, 0)].astype(np.float64)

    def _shown(self, slate: Slate, values: Doubles) -> Floats:
        """Cut to the range seen, NaN at empty places."""
        inside = np.clip(values, self.limits[1], self.limits[2])
        return np.where(slate.filled, inside, np.nan).astype(np.float32)
