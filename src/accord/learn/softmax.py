"""Full softmax over a large catalogue in bounded memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from accord.core.queries import CELLS
from accord.learn.targets import Targets


def full_softmax(states: Tensor, items: Tensor, targets: Targets) -> Tensor:
    """Sum over states and targets of ``-w log p(target | state)`` with p the softmax of ``states @ items.T``.

    ``states``: ``float32[N, dim]``; ``items``: ``float32[n, dim]``, the candidates. What is ``seen`` is no candidate in
    its row, unless it is a target there. The logits live for ``CELLS`` cells at a time in one buffer of fixed size, and
    the gradient is worked out in the same pass: no ``[N, n]`` array ever exists, and nothing is computed twice.
    """
    return _ChunkedSoftmax.apply(states, items, targets)


class _ChunkedSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, items: Tensor, targets: Targets) -> Tensor:
        step = max(1, min(len(states), CELLS // max(1, len(items))))
        buffer = states.new_empty((step, len(items)))
        grad_states, grad_items = torch.empty_like(states), torch.zeros_like(items)
        loss = states.new_zeros(())
        for start in range(0, len(states), step):
            part, chosen = states[start : start + step], targets.part(start, start + step)
            logits = torch.mm(part, items.T, out=buffer[: len(part)])
            loss += _loss_to_gradient(logits, chosen)
            torch.mm(logits, items, out=grad_states[start : start + step])
            grad_items.addmm_(logits.T, part)
        ctx.save_for_backward(grad_states, grad_items)
        return loss

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_states, grad_items = ctx.saved_tensors
        return grad_states * outer[0], grad_items * outer[0], None


def _loss_to_gradient(logits: Tensor, targets: Targets) -> Tensor:
    """The loss of some rows; their logits become its gradient, in place."""
    places, weights = targets.filled, targets.weights
    of_targets = logits.gather(1, places)
    logits[targets.seen_rows, targets.seen_items] = -torch.inf
    logits.scatter_(1, places, of_targets)
    normaliser = logits.logsumexp(dim=1, keepdim=True)
    loss = (weights * (normaliser - of_targets)).sum()
    logits.sub_(normaliser).exp_().mul_(weights.sum(dim=1, keepdim=True))
    logits.scatter_add_(1, places, -weights)
    return loss
