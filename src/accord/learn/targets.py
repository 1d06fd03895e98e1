"""What a model is to predict at each token: one item or several, with weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Targets:
    """What came up after each of N states."""

    items: Tensor
    """``int64[N, K]``: column numbers of the candidates; -1 at empty places, of which the first is none."""
    weights: Tensor
    """``float32[N, K]``: how much each counts; 0 at empty places."""
    seen_rows: Tensor
    """``int64[S]``: with ``seen_items``, the pairs of state and candidate that are no choice there (known already)."""
    seen_items: Tensor
    """``int64[S]``, ascending in ``seen_rows``."""

    def __len__(self) -> int:
        return len(self.items)

    @property
    def filled(self) -> Tensor:
        """``int64[N, K]``: the items, and the first of the row once more at empty places (where the weight is 0)."""
        return torch.where(self.items >= 0, self.items, self.items[:, :1])

    @property
    def total(self) -> Tensor:
        """The sum of all weights, by which a sum of losses becomes a mean."""
        return self.weights.sum()

    def numbered(self, number: Tensor) -> Targets:
        """The same with other numbers for the items: ``number[item]``."""
        items = torch.where(self.items >= 0, number[self.items.clamp(min=0)], self.items)
        return Targets(items, self.weights, self.seen_rows, number[self.seen_items])

    def part(self, start: int, end: int) -> Targets:
        """Some states in a row."""
        bounds = torch.tensor([start, end], device=self.seen_rows.device)
        low, high = torch.searchsorted(self.seen_rows, bounds).tolist()
        return Targets(
            self.items[start:end], self.weights[start:end], self.seen_rows[low:high] - start, self.seen_items[low:high]
        )
