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

    def gradients(self) -> list[Tensor | None]:
        """The gradients of the embeddings as they are before a batch adds its own; none where there is no adversary."""
        tables = self.tables if self._at_work else []
        return [None if table.grad is None else table.grad.clone() for table in tables]

    def add_gradient(self, loss: Callable[[], Tensor], before: list[Tensor | None]) -> None:
        """Add the gradient of ``loss()`` at the perturbed embeddings; they are as before afterwards.

        ``before``: what ``gradients`` gave before the batch: the step follows what it added.
        """
        if not self._at_work:
            return
        steps = [self._step(table, old) for table, old in zip(self.tables, before, strict=True)]
        with torch.no_grad():
            for table, step in zip(self.tables, steps, strict=True):
                table += step
        loss().backward()
        with torch.no_grad():
            for table, step in zip(self.tables, steps, strict=True):
                table -= step

    def _step(self, table: Tensor, before: Tensor | None) -> Tensor:
        """Each row's own step along what was added to its gradient; rows without any stay."""
        if table.grad is None:
            return torch.zeros_like(table)
        return self.length * nn.functional.normalize(table.grad if before is None else table.grad - before, dim=1)
