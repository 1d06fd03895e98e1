"""A small task with a known answer: weights that give back a line, learned from noisy points."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

RIGHT = torch.tensor([[2.0, -1.0, 0.5]])


class Line:
    """Least squares over 64 points in batches of 8; the figure is minus the distance from the right weights."""

    def __init__(self, *, stop_at: int = 0, table: bool = False) -> None:
        generator = torch.Generator().manual_seed(0)
        self.points = torch.randn(64, 3, generator=generator)
        self.values = self.points @ RIGHT.T
        self.module = nn.Linear(3, 1, bias=False)
        nn.init.zeros_(self.module.weight)
        if table:
            self.module.add_module("table", nn.Embedding(4, 3))
        self.stop_at, self.judged = stop_at, 0

    def batches(self, rng: np.random.Generator) -> list[np.ndarray]:
        return np.split(rng.permutation(64), 8)

    def loss(self, batch: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        rows = torch.from_numpy(batch)
        dropped = nn.functional.dropout(self.points[rows], 0.1)
        error = self.module(dropped) - self.values[rows]
        table = getattr(self.module, "table", None)
        extra = (table.weight * self.points[:4]).sum() if table is not None else 0.0
        return (error**2).sum() + extra, torch.tensor(float(len(rows)))

    def judge(self) -> float:
        self.judged += 1
        if self.judged == self.stop_at:
            raise KeyboardInterrupt
        return -float((self.module.weight - RIGHT).norm())
