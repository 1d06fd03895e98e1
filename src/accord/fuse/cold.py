"""What cold items may cost the others: the shift of their scores, found on lists that hold both kinds."""

from __future__ import annotations

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


def best_shift(panel: Panel, scores: Floats, k: int = 10) -> float:
    """The shift of cold items with the best NDCG at ``k`` among those that cost the warm truths little enough.

    ``scores``: ``float32[B, K]`` of the places of the panel, without shift. The warm truths may lose ``MAY_COST``
    standard errors, and no more than the share ``MOST_COST``.
    """
    targets = panel.targets()
    cold = is_cold(panel.slate)
    scores = np.where(panel.slate.filled, scores, -np.inf)
    warm = ~cold[targets]
    warm_targets: tuple[Longs, Longs] = (targets[0][warm], targets[1][warm])
    alone = ndcg_of_scores(np.where(cold, -np.inf, scores), panel, warm_targets, k)
    allowed = min(MAY_COST * _standard_error(alone, panel.total), MOST_COST * float(alone.sum()))
    best, best_value = FARTHEST, -1.0
    for shift in SHIFTS:
        moved = np.where(cold, scores + shift, scores)
        lost = float((alone - ndcg_of_scores(moved, panel, warm_targets, k)).sum())
        value = float(ndcg_of_scores(moved, panel, targets, k).sum())
        if lost <= allowed and value > best_value:
            best, best_value = float(shift), value
    return best


def _standard_error(values: Doubles, total: int) -> float:
    """Of the sum of ``total`` values, of which those that are not given are 0."""
    return float(np.sqrt(max(0.0, (values**2).sum() - values.sum() ** 2 / max(1, total))))
