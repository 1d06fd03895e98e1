"""How good predictions of single outcomes are: errors of ratings, and what probabilities are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from accord.core.arrays import Doubles, Longs
from accord.core.errors import InputError
from accord.evaluate.significance import resampled_means

BINS = 10
TINY = 1e-15
"""Probabilities are cut this far from 0 and 1 before their logarithm is taken."""
Measures: TypeAlias = Literal["rating", "click"]


@dataclass(frozen=True)
class Outcomes:
    """Known outcomes, and what several systems predicted for each."""

    queries: Longs
    """``int64[N]``: which query (user) each outcome belongs to."""
    truth: Doubles
    """``float64[N]``: ratings, or 1 and 0."""
    predicted: Mapping[str, Doubles]
    """``float64[N]`` by system: the floors first, what is judged last."""
    weights: Doubles = field(default_factory=lambda: np.empty(0))
    """``float64[N]``: for how many outcomes each stands; empty: one each."""

    def __post_init__(self) -> None:
        sizes = {len(self.queries), len(self.truth), *map(len, self.predicted.values())}
        sizes |= {len(self.weights)} if len(self.weights) else set()
        if len(sizes) != 1 or not len(self.truth):
            raise InputError("outcomes and predictions must be of one length, above 0", value=sorted(sizes))

    @property
    def mass(self) -> Doubles:
        """``float64[N]``: the weights."""
        return self.weights if len(self.weights) else np.ones(len(self.truth))

    @staticmethod
    def joined(parts: Sequence[Outcomes]) -> Outcomes:
        """Those of several cuts as one; only systems that all have are kept."""
        names = [name for name in parts[0].predicted if all(name in part.predicted for part in parts)]
        starts = np.cumsum([0, *(1 + int(part.queries.max()) for part in parts[:-1])])
        return Outcomes(
            np.concatenate([part.queries + start for part, start in zip(parts, starts, strict=True)]),
            np.concatenate([part.truth for part in parts]),
            {name: np.concatenate([part.predicted[name] for part in parts]) for name in names},
            np.concatenate([part.mass for part in parts]),
        )


def report(outcomes: Outcomes, measures: Measures, seed: int = 0) -> dict[str, Any]:
    """``{"measures", "n", "n_queries", "base", "systems", "comparisons"}`` and for clicks ``"reliability"``, for JSON.

    ``base`` is the mean outcome. ``systems``: ``{"rmse": {"value"}, "mae": ...}`` or ``log_loss, auc, brier, ece`` by
    system. ``comparisons``: the last system (``a``) against each other one, RMSE or log-loss, negative where it is
    better, with the 95 % interval of a bootstrap over queries. ``reliability``: the bins of the last system.
    """
    last = list(outcomes.predicted)[-1]
    told: dict[str, Any] = {
        "measures": measures,
        "n": len(outcomes.truth),
        "n_queries": len(np.unique(outcomes.queries)),
        "base": float(np.average(outcomes.truth, weights=outcomes.mass)),
        "systems": {name: _figures(outcomes, name, measures) for name in outcomes.predicted},
        "comparisons": _comparisons(outcomes, measures, seed),
    }
    if measures == "click":
        told["reliability"] = reliability(outcomes.truth, outcomes.predicted[last], outcomes.mass)
    return told


def rmse(truth: Doubles, predicted: Doubles, weights: Doubles | None = None) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.average((truth - predicted) ** 2, weights=weights)))


def mae(truth: Doubles, predicted: Doubles, weights: Doubles | None = None) -> float:
    """Mean absolute error."""
    return float(np.average(np.abs(truth - predicted), weights=weights))


def log_loss(truth: Doubles, predicted: Doubles, weights: Doubles | None = None) -> float:
    """Mean of ``-log`` of the probability of what happened, in nats."""
    return float(np.average(_losses(truth, predicted), weights=weights))


def brier(truth: Doubles, predicted: Doubles, weights: Doubles | None = None) -> float:
    """Mean squared difference of probability and outcome (Brier, 1950)."""
    return float(np.average((truth - predicted) ** 2, weights=weights))


def auc(truth: Doubles, predicted: Doubles, weights: Doubles | None = None) -> float | None:
    """Chance that an outcome of 1 has a higher probability than one of 0, ties half; None where one kind is missing."""
    mass = np.ones(len(truth)) if weights is None else weights
    _, of = np.unique(predicted, return_inverse=True)
    ones = np.bincount(of, weights=mass * (truth > 0))
    zeros = np.bincount(of, weights=mass * (truth <= 0))
    pairs = ones.sum() * zeros.sum()
    below = np.cumsum(zeros) - zeros
    return float((ones * (below + zeros / 2)).sum() / pairs) if pairs > 0 else None


def reliability(
    truth: Doubles, predicted: Doubles, weights: Doubles | None = None, bins: int = BINS
) -> list[dict[str, float]]:
    """Bins of equal weight in the order of the probabilities: ``{"said", "came", "share"}``, lowest first.

    ``said`` is the mean probability, ``came`` the share of ones, ``share`` the bin's part of all weight. Outcomes of
    equal probability are never parted, so there may be fewer bins.
    """
    mass = np.ones(len(truth)) if weights is None else weights
    values, of = np.unique(predicted, return_inverse=True)
    held = np.bincount(of, weights=mass)
    ones = np.bincount(of, weights=mass * truth)
    place = np.minimum(((np.cumsum(held) - held / 2) / held.sum() * bins).astype(np.int64), bins - 1)
    total, came, said = (np.bincount(place, weights=w, minlength=bins) for w in (held, ones, held * values))
    return [
        {"said": float(said[b] / total[b]), "came": float(came[b] / total[b]), "share": float(total[b] / held.sum())}
        for b in np.flatnonzero(total)
    ]


def calibration_error(truth: Doubles, predicted: Doubles, weights: Doubles | None = None, bins: int = BINS) -> float:
    """Expected calibration error: mean distance of probability and share over the bins (Naeini et al., AAAI 2015)."""
    return sum(row["share"] * abs(row["said"] - row["came"]) for row in reliability(truth, predicted, weights, bins))


def _losses(truth: Doubles, predicted: Doubles) -> Doubles:
    sure = np.clip(predicted, TINY, 1 - TINY)
    return -(truth * np.log(sure) + (1 - truth) * np.log1p(-sure))


_FIGURES: dict[Measures, dict[str, Callable[..., float | None]]] = {
    "rating": {"rmse": rmse, "mae": mae},
    "click": {"log_loss": log_loss, "auc": auc, "brier": brier, "ece": calibration_error},
}


def _figures(outcomes: Outcomes, system: str, measures: Measures) -> dict[str, dict[str, float | None]]:
    values = outcomes.predicted[system]
    return {
        name: {"value": metric(outcomes.truth, values, outcomes.mass)} for name, metric in _FIGURES[measures].items()
    }


def _comparisons(outcomes: Outcomes, measures: Measures, seed: int, resamples: int = 2_000) -> list[dict[str, Any]]:
    """Queries are drawn with replacement, all their outcomes with them: outcomes of one user are not independent."""
    names = list(outcomes.predicted)
    _, of = np.unique(outcomes.queries, return_inverse=True)
    lost = {name: _lost(outcomes, name, measures) * outcomes.mass for name in names}
    columns = [np.bincount(of, weights=values) for values in (outcomes.mass, *lost.values())]
    sums = np.stack(columns, axis=1).astype(np.float64)
    drawn = resampled_means(sums, resamples, np.random.default_rng(seed))
    every = np.concatenate([sums.mean(axis=0, keepdims=True), drawn])
    means = every[:, 1:] / every[:, :1]
    values = np.sqrt(means) if measures == "rating" else means
    rows = []
    for place, name in enumerate(names[:-1]):
        found, gaps = float(values[0, -1] - values[0, place]), values[1:, -1] - values[1:, place]
        low, high = np.quantile(gaps, [0.025, 0.975])
        p = min(1.0, 2 * (min(int((gaps <= 0).sum()), int((gaps >= 0).sum())) + 1) / (resamples + 1))
        metric = "rmse" if measures == "rating" else "log_loss"
        rows.append(
            {"a": names[-1], "b": name, "metric": metric, "difference": found}
            | {"low": float(low), "high": float(high), "p": p}
        )
    return rows


def _lost(outcomes: Outcomes, system: str, measures: Measures) -> Doubles:
    values = outcomes.predicted[system]
    return (outcomes.truth - values) ** 2 if measures == "rating" else _losses(outcomes.truth, values)
