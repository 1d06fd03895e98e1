"""Adversarial perturbation of embeddings, a regulariser."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Adversary:
    """Adds the gradient of the loss where all embeddings have moved one step against the model.

    The step has a fixed length along the gradient just computed (Miyato et al., "Adversarial Training Methods for
    Semi-Supervised Text Classification", ICLR 2017; He et al., "Adversarial Personalized Ranking", SIGIR 2018).
    """

    def __init__(self, module: nn.Module, length: float) -> None:
        tables = [part.weight for part in module.modules() if isinstance(part, nn.Embedding | nn.EmbeddingBag)]
        self.length, self.tables = length, [table for table in tables if table.requires_grad]

    @property
    def share(self) -> float:
        """By how much gradients are to be divided: two losses where there is an adversary."""
        return 2.0 if self._at_work else 1.0

    @property
    def _at_work(self) -> bool:
        return self.length > 0 and bool(self.tables)

    def add_gradient(self, loss: Callable[[], Tensor]) -> None:
        """Add the gradient of ``loss()`` at the perturbed embeddings; they are as before afterwards."""
        if not self._at_work:
            return
        steps = [self._step(table) for table in self.tables]
        with torch.no_grad():
            for table, step in zip(self.tables, steps, strict=True):
                table += step
        loss().backward()
        with torch.no_grad():
            for table, step in zip(self.tables, steps, strict=True):
                table -= step

    def _step(self, table: Tensor) -> Tensor:
        """Each row's own step along its gradient; rows without one stay."""
        if table.grad is None:
            return torch.zeros_like(table)
        return self.length * nn.functional.normalize(table.grad, dim=1)
