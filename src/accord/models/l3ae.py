"""L3AE: EASE drawn towards what content alone would say."""

from __future__ import annotations

from typing import cast

import numpy as np
from pydantic import Field

from accord.core.arrays import Floats
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.models.ease import inverse, regression
from accord.models.gram import add_product, by_item, side_gram
from accord.models.linear import HistoryConfig
from accord.models.memory import check_dense
from accord.models.sketch import axes_of, features
from accord.models.sketched import Sketched


class L3aeConfig(HistoryConfig):
    """Regularisation of both steps, and how far the first one pulls."""

    side: dict[str, float] = Field(default_factory=lambda: {"tfidf": 1.0})
    """Weights of the encoded item columns that say what content alone would; columns that the data lacks are left
    out."""
    reg: float = Field(default=100.0, gt=0)
    """Added to the diagonal of the Gram matrix of the users."""
    content_reg: float = Field(default=1.0, gt=0)
    """Added to the diagonal of the Gram matrix of the content."""
    pull: float = Field(default=100.0, ge=0)
    """How much a difference from the content's weights costs; 0 is EASE without side rows."""


class L3ae(Sketched):
    """Minimises ``|X - X B|^2 + reg |B|^2 + pull |B - C|^2`` with ``diag(B) = 0``.

    C are the weights of EASE over the content alone. ``B = pull P C - P diag((1 + pull diag(P C)) / diag(P))`` off the
    diagonal, with ``P = (X'X + (reg + pull) I)^-1``. Moon et al., "LLM-enhanced linear autoencoders for
    recommendation", CIKM 2025 (L3AE). Needs three ``float32[n, n]`` arrays while it learns.
    """

    Config = L3aeConfig
    evidence = "behaviour and content"
    ridge = "content_reg"
    learned_lately = (*Sketched.learned_lately, "pulled", "precisions")
    pulled: Floats | None = None
    """``float32[n, dim]``: ``pull P`` times the sketch, which is of the content's Gram matrix."""
    precisions: Floats | None = None
    """``float32[n]``: the diagonal of the inverse of that Gram matrix."""

    def _fit(self, data: Dataset, run: Run) -> None:
        check_dense(data.n_items, copies=3, remedy="Use local_ease or low_rank.")
        if not any(name in data.vectors and weight for name, weight in self.config.side.items()):
            raise CannotFit("none of the content columns is there", value=list(self.config.side))
        content = side_gram(data, self.config.side)
        content[np.diag_indices_from(content)] += self.config.content_reg
        target, self.precisions = regression(content)
        self.axes = axes_of(data, self.config.side, run)
        scaled = features(data, self.config.side, self.axes) * self.precisions[:, None]
        sketch = cast("Floats", scaled - target @ scaled)
        users = _users_inverse(data, self.config.reg + self.config.pull)
        self.pulled = np.float32(self.config.pull) * (users @ sketch)
        self.sketch = sketch
        self.weights = _drawn(users, target, self.config.pull)

    def _inverse_diagonal(self) -> Floats | None:
        return self.precisions

    def _columns(self, solved: Floats, features: Floats, own: Floats, precisions: Floats) -> Floats:
        return cast("Floats", self.pulled) @ features.T

    def _rows(self, targets: Floats, solved: Floats, precisions: Floats) -> Floats:
        """A new item has no users: its row of P is ``1 / (reg + pull)`` on the diagonal, and zero elsewhere."""
        return self._share * super()._rows(targets, solved, precisions)

    def _pairs(self, rest: Floats, speaking: Floats, own: Floats, precisions: Floats) -> Floats:
        return np.zeros_like(rest)  # how much of it the fitted items explain is not kept

    @property
    def _share(self) -> np.float32:
        return np.float32(self.config.pull / (self.config.reg + self.config.pull))


def _users_inverse(data: Dataset, reg: float) -> Floats:
    gram = np.zeros((data.n_items, data.n_items), np.float32, order="F")
    users = by_item(data.matrix)
    add_product(gram, users, users)
    gram[np.diag_indices_from(gram)] += reg
    return inverse(gram)


def _drawn(inverted: Floats, target: Floats, pull: float) -> Floats:
    """``B`` from P and C; P is overwritten."""
    weights = np.float32(pull) * (inverted @ target)
    share = (1 + weights.diagonal()) / inverted.diagonal()
    inverted *= share[None, :]
    weights -= inverted
    np.fill_diagonal(weights, 0.0)
    return weights
