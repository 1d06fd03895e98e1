"""What cold items may cost the others: how their scores are brought to the scale of lists that hold both kinds."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from accord.core.arrays import Doubles, Floats, Longs
from accord.fuse.base import Panel, is_cold, ndcg_of_scores

MAY_COST = 1.0
"""Standard errors of NDCG that items with events may lose to cold items."""
MOST_COST = 0.02
"""The share of their NDCG that they may lose at most, however large the standard error."""
SHIFTS = np.arange(-6, 3.01, 0.25)
"""The shifts that are tried, in the unit of the scores."""
FARTHEST = -10.0
"""The shift where every one that is tried costs too much."""
GAINS = (0.25, 0.35, 0.5, 0.6, 0.75, 0.85, 1.0, 1.2, 1.5, 2.0, 3.0)
"""The factors of cold scores that are tried."""
UNITS = (-4.0, -3.0, -2.5, -2.0, -1.5, -1.25, -1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""The shifts that are tried with each factor, in standard deviations of the scores of a panel's warm places."""


class Balance:
    """What scores of a panel of both kinds are worth, and what they cost the warm truths.

    The measure is ``scores``, ``float32[B, K]``, without the cold items: what the warm truths have in a list of their
    own. They may lose ``MAY_COST`` standard errors, and no more than the share ``MOST_COST``.
    """

    def __init__(self, panel: Panel, scores: Floats, k: int = 10) -> None:
        self.panel, self.k = panel, k
        self.cold = is_cold(panel.slate)
        targets = panel.targets()
        warm = ~self.cold[targets]
        self._targets, self._warm = targets, (targets[0][warm], targets[1][warm])
        alone = self._ndcg(np.where(self.cold, -np.inf, scores), self._warm)
        self.reference = float(alone.sum())
        self.allowed = min(MAY_COST * panel.error(alone), MOST_COST * self.reference)

    def value(self, scores: Floats) -> float:
        """The sum of NDCG of all truths."""
        return float(self._ndcg(scores, self._targets).sum())

    def lost(self, scores: Floats) -> float:
        """What the warm truths lose, in the sum of NDCG; negative where they gain."""
        return self.reference - float(self._ndcg(scores, self._warm).sum())

    def of_cold(self, scores: Floats) -> float:
        """The sum of NDCG of the cold truths."""
        return self.value(scores) - self.reference + self.lost(scores)

    def bearable(self, scores: Floats) -> float | None:
        """The value of scores that cost little enough; None of others."""
        return self.value(scores) if self.lost(scores) <= self.allowed else None

    def _ndcg(self, scores: Floats, targets: tuple[Longs, Longs]) -> Doubles:
        hidden = np.where(self.panel.slate.filled, scores, -np.inf)
        return ndcg_of_scores(hidden, self.panel, targets, self.k)


def best_shift(panel: Panel, scores: Floats, k: int = 10) -> float:
    """The shift of cold items with the best NDCG at ``k`` among those that cost the warm truths little enough.

    ``scores``: ``float32[B, K]`` of the places of the panel, without shift.
    """
    balance = Balance(panel, scores, k)
    best, best_value = FARTHEST, -1.0
    for shift in SHIFTS:
        value = balance.bearable(np.where(balance.cold, scores + shift, scores))
        if value is not None and value > best_value:
            best, best_value = float(shift), value
    return best


def best_line(balance: Balance, warm: Floats, cold: Floats) -> tuple[float, float]:
    """Factor and shift of cold scores that serve the cold truths best, of those that cost the others little enough.

    ``warm``, ``cold``: ``float32[B, K]``, the score of each place by the weights of either kind. Scores of different
    sets and normalisations have different tails, so both are needed: a shift alone lifts the cold items of every query
    alike, whether its warm items are sure or not. What may be spent on cold items is spent: how often one comes up is
    not known beforehand, and an item that is never shown stays cold.
    """
    known = warm[balance.panel.slate.filled & ~balance.cold]
    unit = float(known.std()) if len(known) else 1.0
    best, best_value = (1.0, FARTHEST * unit), (-1.0, -1.0)
    for gain, shift in _lines(unit):
        scores = np.where(balance.cold, gain * cold + shift, warm)
        value = balance.bearable(scores)
        if value is not None and (balance.of_cold(scores), value) > best_value:
            best, best_value = (gain, shift), (balance.of_cold(scores), value)
    return best


def _lines(unit: float) -> Iterable[tuple[float, float]]:
    return ((gain, units * unit) for gain in GAINS for units in UNITS)
