"""The interests of one person: the history in groups of like items, and which of them each recommendation serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from accord.core.arrays import Bools, Floats, Ints, Longs
from accord.core.run import Run
from accord.study.categories import NO_CATEGORY, Categories
from accord.study.embedding_map import unit

Vectors: TypeAlias = Callable[[Ints | Longs], Floats]
"""Item numbers to ``float32[m, dim]``."""

MANY = 6
"""The most interests."""
EACH = 5
"""The fewest different items an interest has on average."""
LONG = 300
"""Only the newest so many events are grouped."""
CENTRAL = 3
"""Items that speak for an interest."""


def interests(
    vectors: Vectors, history: Ints, items: Ints, categories: Categories | None, run: Run
) -> dict[str, Any] | None:
    """``{"interests": [...], "list": [{"item", "interest", "cosine"}]}`` of one person.

    An interest is ``{"category", "central": item numbers, "events", "share"}``, the largest first.
    ``vectors``: those of some items, by number; ``history``: items, oldest first; ``items``: what is recommended. Items
    without a vector are in no interest (null). None where fewer than ten different items of the history have one.
    """
    met, events = np.unique(history[-LONG:], return_counts=True)
    rows, known = unit(vectors(met))
    met, events, rows = met[known], events[known], rows[known]
    if len(met) < 2 * EACH:
        return None
    groups = _by_size(grouped(rows, int(run.rng("interests").integers(1 << 31))), events)
    centres = unit(np.stack([rows[groups == group].mean(axis=0) for group in range(int(groups.max()) + 1)]))[0]
    told = list[dict[str, Any]]()
    for group, centre in enumerate(centres):
        own = groups == group
        central = met[own][np.argsort(-(rows[own] @ centre), kind="stable")[:CENTRAL]]
        told.append(
            {
                "category": _standing_out(met, events, own, categories),
                "central": central.tolist(),
                "events": int(events[own].sum()),
                "share": float(events[own].sum() / events.sum()),
            }
        )
    return {"interests": told, "list": _assigned(items, vectors(items), centres)}


def grouped(rows: Floats, seed: int) -> Ints:
    """``int32[n]``: groups by k-means; so many as give the best mean silhouette (Rousseeuw 1987), from two on."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    settings: dict[str, Any] = {"n_init": 4, "random_state": seed}
    best, found = -np.inf, np.zeros(len(rows), np.int32)
    for k in range(2, min(MANY, len(rows) // EACH, len(np.unique(rows, axis=0))) + 1):
        groups = np.unique(KMeans(k, **settings).fit_predict(rows), return_inverse=True)[1]
        quality = float(silhouette_score(rows, groups)) if groups.any() else -np.inf
        if quality > best:
            best, found = quality, groups.astype(np.int32)
    return found


def _by_size(groups: Ints, events: Longs) -> Ints:
    """The same groups numbered by their events, the largest first."""
    order = np.argsort(-np.bincount(groups, weights=events), kind="stable")
    return np.argsort(order)[groups].astype(np.int32)


def _standing_out(items: Ints, events: Longs, own: Bools, categories: Categories | None) -> dict[str, Any] | None:
    """``{"name", "share", "of_all"}``: the category whose share of the own events is most above that of all events.

    The commonest one would be the same for most interests of somebody who likes dramas. None where none has one.
    """
    if categories is None or (categories.of_item[items[own]] == NO_CATEGORY).all():
        return None

    def shares(counted: NDArray[Any]) -> NDArray[Any]:
        counts = np.bincount(categories.of_item[items] + 1, weights=counted, minlength=len(categories.names) + 1)
        return counts[1:] / counts.sum()

    inside, of_all = shares(events * own), shares(events)
    best = int((inside - of_all).argmax())
    return {"name": categories.names[best], "share": float(inside[best]), "of_all": float(of_all[best])}


def _assigned(items: Ints, vectors: Floats, centres: Floats) -> list[dict[str, Any]]:
    """The nearest interest of each item by cosine."""
    rows, known = unit(vectors)
    near = rows @ centres.T
    return [
        {"item": item, "interest": int(row.argmax()) if there else None, "cosine": float(row.max()) if there else None}
        for item, row, there in zip(items.tolist(), near, known.tolist(), strict=True)
    ]
