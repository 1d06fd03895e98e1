"""Scores of pairs of a person and an item: a weighted product of their vectors, a small net over them, or both."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from accord.core.queries import CELLS

Form: TypeAlias = Literal["gmf", "mlp", "neumf"]
ROWS = 1 << 13
"""Items that are scored at a time for one person: what the net holds of them stays in a core's own cache."""


class PairNet(nn.Module):
    """``score(u, v) = g . (u * v) + net([u; v; u * v])``: the first part (GMF), the second (MLP), or both (NeuMF).

    He et al., "Neural Collaborative Filtering", WWW 2017. As there, both parts of NeuMF have vectors of their own: the
    first and the second half of u and v.
    """

    def __init__(self, form: Form, dim: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.form, self.dim = form, dim
        self.product = nn.Parameter(torch.ones(dim)) if form != "mlp" else None
        self.deep = DeepPairs(dim, hidden, dropout) if form != "gmf" else None
        if self.deep is not None and self.product is not None:
            nn.init.zeros_(self.deep.last.weight)  # NeuMF begins as GMF

    @property
    def width(self) -> int:
        """The length of u and v."""
        return self.dim * (2 if self.form == "neumf" else 1)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Logits of N people for m items that they share, ``[m, width]``, or K of each one's own, ``[N, K, width]``.

        Returns ``float32[N, m]`` or ``float32[N, K]``.
        """
        logits = torch.zeros((), device=users.device)
        if self.product is not None:
            weighed, beside = self.product * users[:, : self.dim], items[..., : self.dim]
            logits = logits + (weighed @ beside.T if items.ndim == 2 else (beside @ weighed[:, :, None])[..., 0])
        if self.deep is not None:
            logits = logits + self.deep(users[:, -self.dim :], items[..., -self.dim :])
        return logits

    def halves(self, items: Tensor) -> Tensor:
        """``float32[n, h]``: what the first layer makes of items, whoever asks; of no width where there is no net."""
        return items[:, :0] if self.deep is None else self.deep.of_item(items[:, -self.dim :])

    def scores(self, users: Tensor, items: Tensor, halves: Tensor) -> Tensor:
        """``float32[B, n]``: some people, ``[B, width]``, and many items, ``[n, width]``, with their ``halves``."""
        if self.product is not None:
            scores = (self.product * users[:, : self.dim]) @ items[:, : self.dim].T
        else:
            scores = items.new_zeros((len(users), len(items)))
        if self.deep is not None:
            for row, half in zip(scores, self.deep.of_user(users[:, -self.dim :]), strict=True):
                for start in range(0, len(items), ROWS):
                    row[start : start + ROWS] += self.deep.logits(half[None], halves[start : start + ROWS])[0]
        return scores


class DeepPairs(nn.Module):
    """``last(before(A u + B v + (C u) * (D v)))``: a net over ``[u; v; u * v]``, the product in the space of its layer.

    A pair costs as many operations as the layer is wide: all that is of one side alone is worked out once.
    """

    def __init__(self, dim: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.of_user, self.of_item = nn.Linear(dim, 2 * hidden[0]), nn.Linear(dim, 2 * hidden[0], bias=False)
        layers: list[nn.Module] = [nn.ReLU()]
        for before, after in pairwise(hidden):
            layers += [nn.Dropout(dropout), nn.Linear(before, after), nn.ReLU()]
        self.before = nn.Sequential(*layers)
        self.last = nn.Linear(hidden[-1], 1, bias=False)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """As ``PairNet.forward``; layers hold ``CELLS`` numbers at a time, and work them out again for gradients."""
        halves, others = self.of_user(users), self.of_item(items)
        parts = list(_parts(halves, others))
        if len(parts) == 1:
            return self.logits(halves, others)
        return torch.cat([checkpoint(self.logits, *part, use_reentrant=False) for part in parts])

    def logits(self, users: Tensor, items: Tensor) -> Tensor:
        """``float32[N, m]`` from what the first layer makes of N people, and of m items or ``[N, K]``."""
        of_user, by_user = users[:, None].chunk(2, dim=-1)
        of_item, by_item = items.chunk(2, dim=-1)
        return self.last(self.before(torch.addcmul(of_user + of_item, by_user, by_item)))[..., 0]


def _parts(users: Tensor, items: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    step = max(1, CELLS // (items.shape[-2] * items.shape[-1]))
    for start in range(0, len(users), step):
        some = slice(start, start + step)
        yield users[some], items if items.ndim == 2 else items[some]
