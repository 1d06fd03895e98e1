"""Which loss, over which candidates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from pydantic import Field
from torch import Tensor

from accord.learn.sampled import HIDDEN, Table, bce, bpr, gbce, no_choice, sampled_logits, sampled_softmax
from accord.learn.settings import TrainConfig
from accord.learn.softmax import full_softmax
from accord.learn.targets import Targets

Logits: TypeAlias = Callable[[Tensor], Tensor]
"""Logits of candidates for all N states: of ``int64[m]``, shared by them, ``float32[N, m]``; of ``int64[N, K]``, each
row's own, ``float32[N, K]``."""
UNDRAWN = 1e-12
"""The least probability of a draw, so that its logarithm is finite."""


class ObjectiveConfig(TrainConfig):
    """The loss of a model that picks items."""

    loss: Literal["auto", "softmax", "sampled", "in_batch", "gbce", "bce", "bpr"] = "auto"
    """``softmax``: over all items. ``sampled``: softmax over the target and uniformly drawn ones. ``in_batch``: over
    the other targets of the batch, corrected by how often they come up. ``gbce``, ``bce``, ``bpr``: over uniformly
    drawn ones. ``auto``: ``softmax`` up to 20,000 items with events, else ``sampled``."""
    negatives: int = Field(default=512, ge=1)
    """Items drawn for each batch, where the loss draws any."""
    trust: float = Field(default=0.75, ge=0, le=1)
    """How far ``gbce`` is calibrated: 0 is plain ``bce`` with a sum over the negatives."""


class PatientConfig(ObjectiveConfig):
    """Large steps, averaged over several epochs, which end in a flatter place.

    Izmailov et al., "Averaging Weights Leads to Wider Optima", UAI 2018.
    """

    lr: float = Field(default=3e-3, gt=0)
    """The highest learning rate (AdamW)."""
    average: float = Field(default=0.998, ge=0, lt=1)
    """Decay of the moving average of the weights that is kept in the end, reached step by step."""
    patience: int = Field(default=8, ge=0)
    """Stop after so many epochs without a better validation figure, and go back to the best; 0: train all epochs and
    hold nothing back. The average moves slowly, so it is waited for."""


WIDE = 20_000
"""Candidates from which on ``auto`` samples."""


class Objective:
    """The loss over a set of candidates of which some come up more often than others."""

    def __init__(self, config: ObjectiveConfig, counts: Tensor, generator: torch.Generator) -> None:
        """``counts``: ``float32[n]``, how often each candidate is a target."""
        many = len(counts) > WIDE
        self.kind = config.loss if config.loss != "auto" else ("sampled" if many else "softmax")
        self.config, self.generator, self.n = config, generator, len(counts)
        self.log_share = (counts / counts.sum()).clamp(min=UNDRAWN).log()

    def __call__(self, states: Tensor, table: Table, targets: Targets) -> Tensor:
        """The sum of the losses of all states; ``table`` gives the vectors of some candidates."""
        if self.kind == "softmax":
            return full_softmax(states, table(torch.arange(self.n, device=states.device)), targets)
        drawn = self._drawn(targets)
        return self._of(*sampled_logits(states, table, self.n, drawn, targets), drawn, targets)

    def of_pairs(self, logits: Logits, targets: Targets) -> Tensor:
        """The same for logits that are no products of vectors; the caller bounds the memory of ``logits``.

        Here ``softmax`` stands each target against all candidates but the other targets of its row.
        """
        whole = self.kind == "softmax"
        drawn = torch.arange(self.n, device=targets.items.device) if whole else self._drawn(targets)
        negative = logits(drawn).float().masked_fill(no_choice(self.n, drawn, targets), HIDDEN)
        return self._of(logits(targets.filled).float(), negative, drawn, targets)

    def _of(self, positive: Tensor, negative: Tensor, drawn: Tensor, targets: Targets) -> Tensor:
        """``float32[N, K]`` and ``float32[N, m]``: logits of the targets, and of what was drawn for all rows."""
        if self.kind in ("softmax", "sampled"):
            return sampled_softmax(positive, negative, targets.weights)
        if self.kind == "in_batch":
            return sampled_softmax(positive, negative, targets.weights, self._log_probability(drawn, targets))
        if self.kind == "gbce":
            return gbce(positive, negative, targets.weights, min(1.0, len(drawn) / self.n), self.config.trust)
        return (bce if self.kind == "bce" else bpr)(positive, negative, targets.weights)

    def _drawn(self, targets: Targets) -> Tensor:
        """``int64[m]``: the candidates that stand against the targets, each once."""
        if self.kind == "in_batch":
            return torch.unique(targets.items[targets.items >= 0])
        m = min(self.config.negatives, self.n)
        return torch.randperm(self.n, generator=self.generator)[:m].to(targets.items.device)

    def _log_probability(self, drawn: Tensor, targets: Targets) -> Tensor:
        """``float32[m]``: the logarithm of the probability that each of the drawn candidates was drawn.

        In a batch that is ``1 - (1 - p)^N``: an item stands there once however often it comes up among N targets. The
        share p alone would be too small by about N, and what is drawn count N times as much against the target.
        """
        if self.kind == "sampled":
            share = min(self.config.negatives, self.n) / self.n
            return torch.full((len(drawn),), share, device=drawn.device).log()
        p = self.log_share.to(drawn.device)[drawn].exp()
        draws = int((targets.items >= 0).sum())
        return (-torch.expm1(draws * torch.log1p(-p))).clamp(min=UNDRAWN).log()
