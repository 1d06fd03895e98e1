"""Full softmax over a large catalogue in bounded memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from accord.core.queries import CELLS
from accord.learn.targets import Targets


def full_softmax(states: Tensor, items: Tensor, targets: Targets) -> Tensor:
    """Sum over states and targets of ``-w log p(target | state)`` with p the softmax of ``states @ items.T``.

    ``states``: ``float32[N, dim]``; ``items``: ``float32[n, dim]``, the candidates; what is of less precision becomes
    float32. What is ``seen`` is no candidate in its row, unless it is a target there. The logits live for ``CELLS``
    cells at a time in two buffers of fixed size, and the gradient is worked out in the same pass: no ``[N, n]`` array
    ever exists, and nothing is computed twice.
    """
    return _ChunkedSoftmax.apply(states.float(), items.float(), targets)


class _ChunkedSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, items: Tensor, targets: Targets) -> Tensor:
        step = max(1, min(len(states), CELLS // max(1, len(items))))
        logits, shares = (states.new_empty((step, len(items))) for _ in range(2))
        grad_states, grad_items = torch.empty_like(states), torch.zeros_like(items)
        loss = states.new_zeros(())
        for start in range(0, len(states), step):
            part, chosen = states[start : start + step], targets.part(start, start + step)
            torch.mm(part, items.T, out=logits[: len(part)])
            gradient, of_part = _gradient(logits[: len(part)], chosen, shares[: len(part)])
            counted = chosen.weights.sum(dim=1, keepdim=True)
            loss += of_part
            torch.mm(gradient, items, out=grad_states[start : start + step])
            grad_states[start : start + step].mul_(counted)
            grad_items.addmm_(gradient.T, part * counted)
        ctx.save_for_backward(grad_states, grad_items)
        return loss

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_states, grad_items = ctx.saved_tensors
        return grad_states * outer[0], grad_items * outer[0], None


def _gradient(logits: Tensor, targets: Targets, out: Tensor) -> tuple[Tensor, Tensor]:
    """What a weight of one in each row gives as gradient by the logits, in ``out``; and the loss with all weights."""
    places, weights = targets.filled, targets.weights
    of_targets = logits.gather(1, places)
    logits[targets.seen_rows, targets.seen_items] = -torch.inf
    logits.scatter_(1, places, of_targets)
    torch.softmax(logits, dim=1, out=out)
    # the greatest share never vanishes, as that of a target may
    normaliser = logits.amax(dim=1, keepdim=True) - out.amax(dim=1, keepdim=True).log()
    loss = (weights * (normaliser - of_targets)).sum()
    return out.scatter_add_(1, places, -weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-30)), loss
