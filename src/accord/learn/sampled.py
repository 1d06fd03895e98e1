"""Losses over a few sampled candidates, for catalogues that are too large for a full softmax."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import softplus

from accord.learn.targets import Targets

Table: TypeAlias = Callable[[Tensor], Tensor]
"""Vectors of some candidates: ``int64[...]`` to ``float32[..., dim]``."""
HIDDEN = -1e9
"""The logit of a candidate that is no choice in its row."""


def sampled_logits(states: Tensor, table: Table, n: int, drawn: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
    """Logits of the targets ``[N, K]`` and of drawn candidates ``[N, m]``, which all states share.

    ``table`` gives the vectors of some of the n candidates; ``drawn``: ``int64[m]``. A drawn candidate that is a target
    of a row, or seen there, is hidden in it.
    """
    positive = torch.einsum("nd,nkd->nk", states, table(targets.filled))
    negative = states @ table(drawn).T
    return positive.float(), negative.float().masked_fill(no_choice(n, drawn, targets), HIDDEN)


def no_choice(n: int, drawn: Tensor, targets: Targets) -> Tensor:
    """``bool[N, m]``: where a drawn one of the n candidates is a target of the row, or seen there."""
    hit = (targets.items[:, :, None] == drawn).any(dim=1)
    place = torch.full((n,), -1, dtype=torch.int64, device=drawn.device)
    place[drawn] = torch.arange(len(drawn), device=drawn.device)
    column = place[targets.seen_items]
    known = column >= 0
    hit[targets.seen_rows[known], column[known]] = True
    return hit


def sampled_softmax(positive: Tensor, negative: Tensor, weights: Tensor, correction: Tensor | None = None) -> Tensor:
    """Sum of ``-w log softmax`` of each target among the negatives.

    Uniformly drawn negatives need no correction. For others ``correction`` holds ``log q`` of each negative
    (``float32[m]``), which is taken from its logit; the target keeps its own, for it did not come by the draw
    (Khrylchenko et al., "Correcting the LogQ Correction", RecSys 2025).
    """
    if correction is not None:
        negative = negative - correction
    below = negative.logsumexp(dim=1, keepdim=True)
    return (weights * softplus(below - positive)).sum()


def bce(positive: Tensor, negative: Tensor, weights: Tensor) -> Tensor:
    """Binary cross-entropy of each target against the mean over its negatives (Kang and McAuley, SASRec, 2018)."""
    against = (softplus(negative) * (negative > HIDDEN / 2)).sum(dim=1) / (negative > HIDDEN / 2).sum(dim=1).clamp(1)
    return (weights * (softplus(-positive) + against[:, None])).sum()


def gbce(positive: Tensor, negative: Tensor, weights: Tensor, share: float, trust: float) -> Tensor:
    """Generalised binary cross-entropy: the positive probability to the power ``beta`` undoes the overconfidence.

    ``share``: of all candidates that are drawn, ``alpha``; ``trust``: t between 0 (plain BCE) and 1 (calibrated):
    ``beta = alpha (t (1 - 1 / alpha) + 1 / alpha)`` (Petrov and Macdonald, "gSASRec", RecSys 2023).
    """
    beta = share * (trust * (1 - 1 / share) + 1 / share)
    against = softplus(negative).masked_fill(negative < HIDDEN / 2, 0.0).sum(dim=1)
    return (weights * (beta * softplus(-positive) + against[:, None])).sum()


def bpr(positive: Tensor, negative: Tensor, weights: Tensor) -> Tensor:
    """Each target above each of its negatives, in the mean (Rendle et al., "BPR", UAI 2009)."""
    shown = negative > HIDDEN / 2
    pairs = softplus(negative[:, None, :] - positive[:, :, None]) * shown[:, None, :]
    return (weights * pairs.sum(dim=2) / shown.sum(dim=1).clamp(1)[:, None]).sum()
