"""Beyond accuracy: what the lists do to the catalogue, and how alike the items of a list are."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array, diags_array

from accord.core.arrays import Bools, Doubles, Floats, Ints, Longs, Matrix, offsets_of
from accord.core.history import History
from accord.core.slate import Slate

CELLS = 1 << 22
"""The most vector components held at a time."""


def exposure(slate: Slate, k: int, available: Bools) -> Longs:
    """How often each available item is in the first ``k`` places; ``available[n_items]`` may be recommended."""
    top = slate.head(k)
    return np.bincount(top.items[top.filled], minlength=len(available))[available]


def coverage(slate: Slate, k: int, available: Bools) -> float:
    """Share of the available items that anybody is shown in the first ``k`` places."""
    return float((exposure(slate, k, available) > 0).mean())


def gini(slate: Slate, k: int, available: Bools) -> float:
    """Gini coefficient of the exposure of the available items: 0 all alike, towards 1 one item takes all."""
    shown = np.sort(exposure(slate, k, available)).astype(np.float64)
    n, total = len(shown), shown.sum()
    return float(((2 * np.arange(1, n + 1) - n - 1) * shown).sum() / (n * total)) if total else float("nan")


def novelty(slate: Slate, k: int, counts: Longs) -> Floats:
    """``float32[B]``: mean surprise ``-log2 p`` of the first ``k`` items; ``p`` is the item's share of the training
    events, one event added to every item so that cold items stay finite (Zhou et al., PNAS 2010)."""
    surprise = -np.log2((counts + 1) / (counts.sum() + len(counts)))
    return _list_mean(slate.head(k), surprise).astype(np.float32)


def popularity_lift(slate: Slate, k: int, counts: Longs, history: History) -> float:
    """How much more popular the lists are than their readers' histories: ``(shown - had) / had``, from the means
    over users of the mean training events an item; NaN without histories (Abdollahpouri et al., RecSys 2020)."""
    lengths = history.lengths
    total = np.bincount(history.rows, counts[history.items], minlength=len(history))
    had = np.divide(total, lengths, out=np.full(len(history), np.nan), where=lengths > 0)
    shown = _list_mean(slate.head(k), counts.astype(np.float64))
    both = ~np.isnan(had) & ~np.isnan(shown)
    usual = had[both].mean() if both.any() else 0.0
    return float(shown[both].mean() / usual - 1) if usual > 0 else float("nan")


def diversity(slate: Slate, k: int, vectors: Matrix) -> Floats:
    """``float32[B]``: mean of ``1 - cosine`` over the pairs of the first ``k`` items (intra-list diversity, Ziegler
    et al., WWW 2005). Items without content (a zero row) are left out; NaN where fewer than two are left."""
    units, has = _unit_rows(vectors)
    top = slate.head(k)
    chunk = max(1, CELLS // max(1, vectors.shape[1]))
    parts = [_spread(top.items[at : at + chunk], units, has) for at in range(0, len(top), chunk)]
    return np.concatenate([np.empty(0, np.float32), *parts])


def _list_mean(top: Slate, values: Doubles) -> Doubles:
    """Mean over the filled places of each list; NaN where it is empty."""
    filled = top.filled
    total = np.where(filled, values[np.maximum(top.items, 0)], 0.0).sum(axis=1)
    return np.divide(total, filled.sum(axis=1), out=np.full(len(top), np.nan), where=filled.any(axis=1))


def _unit_rows(vectors: Matrix) -> tuple[Matrix, Bools]:
    """Rows of length 1 (zero rows stay zero), and which rows are not zero."""
    if isinstance(vectors, csr_array):
        lengths = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
        return csr_array(diags_array(1 / np.where(lengths > 0, lengths, 1)) @ vectors), lengths > 0
    lengths = np.linalg.norm(vectors, axis=1)
    return (vectors / np.where(lengths > 0, lengths, 1)[:, None]).astype(np.float32), lengths > 0


def _spread(items: Ints, units: Matrix, has: Bools) -> Floats:
    """From the length of the sum of unit vectors: all pairs' cosines without forming the pairs."""
    used = (items >= 0) & has[np.maximum(items, 0)]
    n = used.sum(axis=1)
    chosen = csr_array((np.ones(n.sum(), np.float32), items[used], offsets_of(n)), shape=(len(items), len(has)))
    sums: Any = chosen @ units
    squared = (sums * sums).sum(axis=1)  # elementwise for dense and sparse arrays alike
    pairs = n * (n - 1.0)
    alike = np.divide(np.asarray(squared).ravel() - n, pairs, out=np.full(len(n), np.nan), where=pairs > 0)
    return (1 - alike).astype(np.float32)
