"""Heads on a trunk whose states and item vectors are shared: numbers for pairs of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from accord.core.arrays import Floats, Ints
from accord.learn.weights import with_weights

DAMP = 5.0
"""The bias of an item begins as if so many more of its marks lay on the mean."""


class PairHead(nn.Module):
    """``h . (W v_j + a) + b_j + b``: what a state h says of an item j, in standard units.

    ``b_j`` is an item's bias as of matrix factorisation (Koren, Bell and Volinsky, 2009); an item that came after the
    fit has none.
    """

    scale: Tensor

    def __init__(self, dim: int, biases: Floats, scale: Floats) -> None:
        """``biases``: ``float32[n]``, to begin with; ``scale``: ``float32[4]``, mean, spread, lowest and highest."""
        super().__init__()
        self.map = nn.Linear(dim, dim)
        self.biases = nn.Parameter(torch.from_numpy(biases.copy()))
        self.base = nn.Parameter(torch.zeros(1))
        self.register_buffer("scale", torch.from_numpy(scale.copy()))
        nn.init.normal_(self.map.weight, std=0.1 * dim**-0.5)
        nn.init.zeros_(self.map.bias)

    @classmethod
    def of_marks(cls, dim: int, n_items: int, items: Ints, marks: Floats) -> Self:
        """For marks of events, ``float32[E]`` (NaN: none), that are to be predicted as numbers."""
        some = ~np.isnan(marks)
        known = marks[some].astype(np.float64)
        mean, spread = known.mean(), known.std()
        biases = _damped(items[some], (known - mean) / spread, n_items)
        return cls(dim, biases, np.array([mean, spread, known.min(), known.max()], np.float32))

    @classmethod
    def of_choices(cls, dim: int, n_items: int, items: Ints, chosen: NDArray[np.bool_]) -> Self:
        """For events that are choices or not, of which the probability (as a logit) is to be predicted."""
        rate = float(chosen.mean())
        rates = rate + _damped(items, chosen - rate, n_items).astype(np.float64)
        base = np.log(rate / (1 - rate))
        biases = np.log(rates / (1 - rates)) - base
        return cls(dim, biases.astype(np.float32), np.array([base, 1, -np.inf, np.inf], np.float32))

    @classmethod
    def of_state(cls, dim: int, arrays: Mapping[str, NDArray[np.float32]]) -> Self:
        """From saved arrays. Raises ``ArtefactError`` where they do not fit."""
        head = cls(dim, arrays.get("biases", np.empty(0, np.float32)), np.zeros(4, np.float32))
        return with_weights(head, dict(arrays))

    def forward(self, states: Tensor, vectors: Tensor, items: Tensor) -> Tensor:
        """``float32[...]``, standard: of ``states`` and ``vectors`` ``[..., dim]`` and ``items`` ``int64[...]``."""
        known = items < len(self.biases)
        biases = self.biases[items.clamp(max=len(self.biases) - 1)] * known
        return (states * self.map(vectors)).sum(dim=-1) + biases + self.base

    def told(self, standard: Tensor) -> Tensor:
        """The same in the units of the marks (a logit, for choices), within what was seen."""
        mean, spread, low, high = self.scale
        return (mean + spread * standard).clamp(low, high)

    def squared(self, standard: Tensor, marks: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of squared errors, in standard units, and how many marks (NaN: none) there were."""
        known = ~marks.isnan()
        wanted = (marks[known] - self.scale[0]) / self.scale[1]
        return ((standard[known] - wanted) ** 2).sum(), known.sum().to(standard.dtype)

    def crossed(self, standard: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of cross-entropies in which ``chosen`` is 1 or 0, and their number."""
        loss = binary_cross_entropy_with_logits(self.told(standard), chosen, reduction="sum")
        return loss, chosen.new_tensor(float(len(chosen)))


def _damped(items: Ints, away: NDArray[np.floating], n_items: int) -> Floats:
    """``float32[n_items]``: how far the marks of each item lie from the mean, as if ``DAMP`` more lay on it."""
    sums, counts = (np.bincount(items, weights=values, minlength=n_items) for values in (away, np.ones(len(away))))
    return (sums / (counts + DAMP)).astype(np.float32)
