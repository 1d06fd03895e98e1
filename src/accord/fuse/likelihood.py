"""Which place comes up: a softmax over the places of each list, and its maximum likelihood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy.optimize import minimize

from accord.core.arrays import Doubles, Floats
from accord.core.run import Run
from accord.fuse.base import SCALES, Panel

Loss: TypeAlias = Callable[[Doubles], tuple[float, Doubles]]
"""A loss and its gradient."""
STEPS = 200
"""The most steps of expectation maximisation."""
TINY = 1e-30
"""The least likelihood of an event: no source can make one impossible."""


def drawn(panel: Panel, most: int, run: Run) -> Panel:
    """At most ``most`` random queries of the panel, of those with a true item among their places; drawn once a panel.

    ``total`` counts in proportion to the queries drawn.
    """
    key = ("drawn", most)
    if key not in panel.memo:
        rows = np.unique(panel.targets()[0])
        if len(rows) == len(panel) <= most:
            return panel
        taken = np.sort(run.rng("queries of a fuser").permutation(rows)[:most])
        panel.memo[key] = panel.take(taken, round(panel.total * len(taken) / max(1, len(rows))))
    return panel.memo[key]


def halved(panel: Panel, run: Run) -> tuple[Panel, Panel]:
    """The panel's queries in two random halves; who asks several is in one of them."""
    part = panel.parts(2, run.rng("halves of a fuser"))
    return panel.take(np.flatnonzero(part == 0)), panel.take(np.flatnonzero(part == 1))


def evidence(panel: Panel, sources: tuple[str, ...], normalise: Literal["z", "minmax"]) -> Floats:
    """``float32[B, K, S]``: the sources' normalised scores of a panel's places; each source is kept in the panel."""
    scale = SCALES[normalise]
    out = np.empty((*panel.slate.items.shape, len(sources)), np.float32)
    for place, name in enumerate(sources):
        key = ("evidence", name, normalise)
        if key not in panel.memo:
            panel.memo[key] = scale(panel.slate, (name,))[:, :, 0]
        out[:, :, place] = panel.memo[key]
    return out


def hits(panel: Panel) -> Floats:
    """``float32[B, K]``: 1 at the places of true items."""
    out = np.zeros(panel.slate.items.shape, np.float32)
    out[panel.targets()] = 1
    return out


def log_softmax(scores: Floats, filled: np.ndarray) -> Floats:
    """``float32[B, K]``: log of the probability of each place in its list; ``-inf`` at empty places."""
    masked = np.where(filled, scores, -np.inf)
    top = masked.max(axis=1, keepdims=True, initial=-1e30)
    total = np.exp(masked - top).sum(axis=1, keepdims=True, dtype=np.float64)
    return (masked - top - np.log(np.maximum(total, TINY))).astype(np.float32)


def fit_logit(
    features: Floats,
    panel: Panel,
    *,
    offset: Floats | None = None,
    low: list[float] | None = None,
    reg: float = 1.0,
) -> Doubles:
    """``float64[F]``: the coefficients that make what came up likeliest, a place's odds being ``exp(features @ c)``.

    ``features``: ``float32[B, K, F]``; ``offset``: ``float32[B, K]`` added to the log odds; ``low``: bounds from below;
    ``reg``: ridge, in events. It is the conditional logit of McFadden (1974), concave, by L-BFGS.
    """
    size = features.shape[2]
    hit = hits(panel)
    asked = hit.sum(axis=1)
    flat = features.reshape(-1, size)
    base = np.where(panel.slate.filled, 0 if offset is None else offset, -np.inf).astype(np.float32)
    observed = (hit.ravel() @ flat).astype(np.float64)
    events = max(1.0, float(asked.sum()))

    def loss(coefficients: Doubles) -> tuple[float, Doubles]:
        scores = (flat @ coefficients.astype(np.float32)).reshape(base.shape) + base
        top = scores.max(axis=1, keepdims=True)
        odds = np.exp(scores - top)
        total = odds.sum(axis=1)
        value = float((asked * (np.log(total) + top[:, 0])).sum(dtype=np.float64)) - float(observed @ coefficients)
        expected = (odds * (asked / total)[:, None]).ravel() @ flat
        penalty = reg * coefficients
        return (value + 0.5 * float(penalty @ coefficients)) / events, (expected - observed + penalty) / events

    bounds = [(bound, None) for bound in low or [-np.inf] * size]
    start = np.array([0.0 if np.isneginf(bound) else 1.0 for bound, _ in bounds])
    return minimised(loss, start, bounds)


def minimised(loss: Loss, start: Doubles, bounds: Sequence[tuple[float | None, float | None]]) -> Doubles:
    """``float64[F]``: where a convex loss is least, by L-BFGS; float32 sums are not good for more precision."""
    options: Any = {"maxiter": 100, "maxls": 10, "ftol": 1e-6}
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x, np.float64)


def pool_step(likelihoods: Doubles, weights: Doubles) -> Doubles:
    """``float64[S]``: one step of expectation maximisation of a mixture's weights (Dempster et al., 1977).

    ``likelihoods``: ``float64[T, S]``, what each source thought of each event.
    """
    shares = likelihoods * weights
    return (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)


def pool_weights(likelihoods: Doubles) -> Doubles:
    """``float64[S]``: the weights of a mixture of sources under which the events are likeliest."""
    weights = np.full(likelihoods.shape[1], 1 / likelihoods.shape[1])
    likelihoods = np.maximum(likelihoods, TINY)
    for _ in range(STEPS if len(likelihoods) else 0):
        before, weights = weights, pool_step(likelihoods, weights)
        if np.abs(weights - before).max() < 1e-5:
            break
    return weights
