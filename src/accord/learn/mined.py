"""Losses over drawn candidates with hard ones beside them."""

from __future__ import annotations

import torch
from torch import Tensor

from accord.learn.objective import Objective
from accord.learn.sampled import Table, sampled_logits, sampled_softmax
from accord.learn.targets import Targets


class MinedObjective(Objective):
    """An objective that is given hard candidates for each batch; the full softmax holds them already.

    The softmax over a part of the candidates estimates the full one: each logit is lowered by the logarithm of the
    probability that its candidate stands against the batch (Horvitz and Thompson, 1952), which is one for the hard ones
    and at least ``1 - (1 - p)^N`` for a target of one of N states. So frequent items are not pushed down for coming up
    often, nor are hard ones for being looked for.
    """

    def against(self, states: Tensor, table: Table, targets: Targets, hard: Tensor) -> Tensor:
        """The sum of the losses of all states; ``hard``: ``int64[h]``, distinct candidates, perhaps none."""
        if self.kind == "softmax":
            return self(states, table, targets)
        drawn = self._drawn(targets)
        drawn = drawn[~torch.isin(drawn, hard)]
        both = torch.cat([drawn, hard])
        positive, negative = sampled_logits(states, table, self.n, both, targets)
        if self.kind in ("sampled", "in_batch"):
            correction = torch.cat([self._log_probability(drawn, targets), torch.zeros(len(hard), device=hard.device)])
            return sampled_softmax(positive, negative, targets.weights, correction)
        return self._of(positive, negative, both, targets)
