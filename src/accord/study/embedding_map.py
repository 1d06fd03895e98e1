"""Maps of vectors: a sample of items, and people beside them, on two axes; and whether neighbours are alike."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from accord.core.arrays import Bools, Doubles, Floats, Ints, Longs
from accord.core.errors import InputError
from accord.study.categories import NO_CATEGORY

Method: TypeAlias = Literal["pca", "umap"]
"""How many numbers become two: the directions of the largest variance, or the neighbourhoods (UMAP)."""

FEWEST = 4
"""Of fewer items there is no map."""
NEIGHBOURS = 10
"""How many of the nearest are looked at."""
_NEAR = 15
"""Neighbours that UMAP keeps together."""
_PLACES = 4
"""Digits that a place on the map is written with."""


def check_method(method: str) -> None:
    """Raises ``InputError`` where the package of a method is not installed."""
    if method == "umap" and importlib.util.find_spec("umap") is None:
        raise InputError(
            "maps by UMAP need the package umap-learn, which is not installed",
            place="inside",
            value=method,
            remedy="pip install '.[inside]', or take pca.",
        )


def sampled(weights: Doubles, groups: Ints, limit: int, rng: np.random.Generator) -> Longs:
    """``int64[m]``, ascending: at most ``limit`` of the rows, drawn without repeats in proportion to their weights.

    A quarter of the places is for all groups alike, so that small ones are there too (Efraimidis and Spirakis,
    "Weighted random sampling with a reservoir", 2006).
    """
    order = np.argsort(rng.exponential(size=len(weights)) / weights, kind="stable")
    kinds = np.unique(groups[groups != NO_CATEGORY])
    each = max(1, limit // (4 * max(1, len(kinds))))
    first = [order[groups[order] == kind][:each] for kind in kinds]
    wanted = np.concatenate([*first, order])
    places = np.unique(wanted, return_index=True)[1]
    return np.sort(wanted[np.sort(places)[:limit]])


def placed_on_two_axes(
    items: Floats, users: Floats, method: Method, rng: np.random.Generator
) -> tuple[Doubles, Doubles, float | None]:
    """Places of items ``float64[n, 2]`` and users ``float64[m, 2]``, none farther than 1 from the middle on any axis.

    And the share of the items' variance that the axes hold, for ``pca`` alone. Rows have unit length, so that what is
    near is what has a large cosine; the axes are those of the items.
    """
    if not len(items):
        return np.empty((0, 2)), np.empty((0, 2)), None
    if method == "umap":
        at, people = _by_umap(items, users, int(rng.integers(1 << 31)))
        share = None
    else:
        at, people, share = _by_pca(items, users)
    middle = (at.max(axis=0) + at.min(axis=0)) / 2
    size = max(float(np.abs(np.concatenate([at, people]) - middle).max(initial=0)), 1e-12)
    return (at - middle) / size, (people - middle) / size, share


def _by_pca(items: Floats, users: Floats) -> tuple[Doubles, Doubles, float]:
    mean = items.mean(axis=0, dtype=np.float64)
    _, sizes, axes = np.linalg.svd(items - mean, full_matrices=False)
    axes = axes[:2] * np.sign(axes[:2][np.arange(len(axes[:2])), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    axes = np.pad(axes, ((0, 2 - len(axes)), (0, 0)))  # vectors of one number
    whole = float((sizes**2).sum())
    share = float((sizes[:2] ** 2).sum()) / whole if whole else 0.0
    return (items - mean) @ axes.T, (users - mean) @ axes.T, share


def _by_umap(items: Floats, users: Floats, seed: int) -> tuple[Doubles, Doubles]:
    """McInnes, Healy and Melville, "UMAP: Uniform Manifold Approximation and Projection", 2018; on one thread."""
    check_method("umap")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of packages that it could use, and of its own use of others
        package: Any = importlib.import_module("umap")
        near = min(_NEAR, len(items) - 1)
        made: Any = package.UMAP(n_neighbors=near, metric="cosine", random_state=seed, n_jobs=1)
        at: Any = made.fit_transform(items)
        people: Any = made.transform(users) if len(users) else np.empty((0, 2))
    return np.asarray(at, np.float64), np.asarray(people, np.float64)


def unit(rows: NDArray[Any]) -> tuple[Floats, Bools]:
    """``float32[n, dim]``, rows of unit length, and ``bool[n]``: those that are not zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    known = lengths[:, 0] > 1e-12
    return (rows / np.maximum(lengths, 1e-12)).astype(np.float32), known


def agreement(rows: NDArray[Any], groups: Ints, *, cosine: bool) -> tuple[float, float] | None:
    """How many of the ten nearest are of the same group, as a share, and the share by chance.

    Rows of no group are left out; None where fewer than two groups or eleven rows are left. Nearest by cosine (of rows
    of unit length) or by distance.
    """
    kept = groups != NO_CATEGORY
    rows, groups = rows[kept].astype(np.float64), groups[kept]
    if len(groups) <= NEIGHBOURS or len(np.unique(groups)) < 2:
        return None
    near = rows @ rows.T
    if not cosine:
        near = 2 * near - np.square(rows).sum(axis=1)  # less the own length, which is the same for all neighbours
    np.fill_diagonal(near, -np.inf)
    nearest = np.argpartition(-near, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
    own = np.bincount(groups)[groups]
    by_chance = float((own - 1).mean()) / (len(groups) - 1)
    return float((groups[nearest] == groups[:, None]).mean()), by_chance


def embedding_map(
    items: Floats, users: Floats, groups: Ints, method: Method, rng: np.random.Generator
) -> dict[str, Any]:
    """``{"items": [[x, y] or null], "users": [[x, y]], "variance", "alike", "alike_on_map", "by_chance"}``.

    ``items``: ``float32[n, dim]``, a row of zeros is not placed; ``users``: ``float32[m, dim]``, perhaps none;
    ``groups``: ``int32[n]``. Nothing is placed where fewer than four items have a vector.
    """
    items, known = unit(items)
    users, seen = unit(users)
    if known.sum() < FEWEST:
        known, seen = np.zeros_like(known), np.zeros_like(seen)
    at, people, variance = placed_on_two_axes(items[known], users[seen], method, rng)
    alike = agreement(items[known], groups[known], cosine=True)
    on_map = agreement(at, groups[known], cosine=False)
    places = iter(_written(at))
    return {
        "items": [next(places) if there else None for there in known.tolist()],
        "users": _written(people),
        "variance": variance,
        "alike": alike[0] if alike else None,
        "alike_on_map": on_map[0] if on_map else None,
        "by_chance": alike[1] if alike else None,
    }


def _written(places: Doubles) -> list[list[float]]:
    return np.round(places, _PLACES).tolist()
