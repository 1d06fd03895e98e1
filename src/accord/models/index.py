"""An index of item vectors: the highest products without looking at all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, TypeAlias

import numpy as np

from accord.core.arrays import Bools, Floats, Ints, Longs
from accord.core.queries import CELLS
from accord.core.slate import EMPTY

Kind: TypeAlias = Literal["auto", "exact", "ivf"]
"""``exact``: all items are looked at. ``ivf``: those near the query, where faiss is installed. ``auto``: ``ivf`` in
catalogues of more than 300,000 items."""
WIDE = 300_000
"""Items up to which looking at all of them is as fast."""
DEEP = 100
"""Recall is measured among so many."""
EACH = 64
"""Vectors a list that the centres are learned from."""
LISTS = 2.0
"""There are so many lists times the root of the number of vectors."""
ROUNDS = 10
"""Passes of k-means."""
LATE = 0.1
"""A share of vectors that came after the index was built; with more it is built anew."""


def installed() -> bool:
    """Whether faiss is there (the extra ``index``)."""
    return find_spec("faiss") is not None


def wanted(kind: Kind, n: int) -> bool:
    """Whether n vectors are to be indexed."""
    return installed() and n > 1 and (kind == "ivf" or (kind == "auto" and n > WIDE))


@dataclass(frozen=True)
class Index:
    """faiss IVF-Flat by inner product: vectors in lists by their nearest centre, of which a query looks at ``nprobe``.

    Never saved: it is worked out again from the vectors, the same way every time.
    """

    lists: Any
    """A ``faiss.IndexIVFFlat`` of item numbers."""
    n: int
    """Vectors in it."""
    nprobe: int
    """Lists that each query looks at: the fewest that reach the wanted recall."""
    recall: float
    """The share of the true best 100 that is found so, over some queries."""
    late: Floats
    """``float32[m, dim]``: vectors that came later; all of them are looked at."""
    late_items: Ints
    """``int32[m]``: their numbers."""

    @classmethod
    def of(cls, vectors: Floats, items: Ints, asked: Floats, recall: float = 0.95) -> Index:
        """Build it, and tune it to a recall over some queries.

        ``vectors``: ``float32[n, dim]``, ``items``: ``int32[n]``, their numbers; ``asked``: ``float32[q, dim]``. Where
        there is no query the vectors themselves ask.
        """
        lists = _trained(vectors)
        lists.add_with_ids(vectors, items.astype(np.int64))
        asked = asked if len(asked) else vectors[_spread(len(vectors), DEEP)]
        best = np.concatenate([items[part] for part in exact_best(vectors, asked, DEEP)])
        nprobe, reached = 1, _recall(lists, asked, best, 1)
        while reached < recall and nprobe < lists.nlist:
            nprobe = min(lists.nlist, max(nprobe + 1, nprobe * 5 // 4))
            reached = _recall(lists, asked, best, nprobe)
        return cls(lists, len(vectors), nprobe, reached, vectors[:0], items[:0])

    def search(self, asked: Floats, k: int, shown: Bools | None = None) -> Ints:
        """``int32[q, k]``: items with high products with each query, in no order; ``EMPTY`` where there are too few.

        ``shown``: ``bool[n_items]``, the only items looked for.
        """
        found = _found(self.lists, asked, min(k, self.n), self.nprobe, shown)
        if len(self.late_items):
            late = np.tile(self.late_items, (len(asked), 1))
            hidden = np.zeros(late.shape, dtype=bool) if shown is None else ~shown[late]
            found = np.concatenate([found, np.where(hidden, np.int32(EMPTY), late)], axis=1)
        return found

    def with_late(self, vectors: Floats, items: Ints) -> Index | None:
        """The same with further vectors; None where there are so many that it is to be built anew."""
        late = np.concatenate([self.late, vectors])
        if len(late) > LATE * self.n:
            return None
        return replace(self, late=late, late_items=np.concatenate([self.late_items, items]))


def exact_best(vectors: Floats, asked: Floats, k: int) -> Iterator[Ints]:
    """``int32[b, k']`` by chunks of queries: the rows with the highest products, in no order."""
    k, step = min(k, len(vectors)), max(1, CELLS // max(1, len(vectors)))
    for start in range(0, len(asked), step):
        scores = asked[start : start + step] @ vectors.T
        yield np.argpartition(scores, len(vectors) - k, axis=1)[:, len(vectors) - k :].astype(np.int32)


def _faiss() -> Any:
    """The library, whose types say less than it takes."""
    return import_module("faiss")


def _trained(vectors: Floats) -> Any:
    """Lists without vectors; their centres are those of k-means over a sample."""
    faiss = _faiss()
    n, dim = vectors.shape
    count = max(1, min(int(LISTS * n**0.5), n // 2))
    lists = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, count, faiss.METRIC_INNER_PRODUCT)
    lists.cp.niter, lists.cp.max_points_per_centroid, lists.cp.min_points_per_centroid = ROUNDS, EACH, 1
    lists.train(vectors)  # from a seed of its own, always the same
    return lists


def _found(lists: Any, asked: Floats, k: int, nprobe: int, shown: Bools | None = None) -> Ints:
    faiss = _faiss()
    bits = None if shown is None else np.packbits(shown, bitorder="little")
    chosen = None if bits is None else faiss.IDSelectorBitmap(bits)
    settings = faiss.SearchParametersIVF(sel=chosen, nprobe=nprobe)
    return lists.search(np.ascontiguousarray(asked), k, params=settings)[1].astype(np.int32)


def _recall(lists: Any, asked: Floats, best: Ints, nprobe: int) -> float:
    """The share of the true best that is found."""
    found = _found(lists, asked, best.shape[1], nprobe)
    hits = [np.isin(true, some).mean() for true, some in zip(best, found, strict=True)]
    return float(np.mean(hits))


def _spread(n: int, k: int) -> Longs:
    """At most k of n places, at equal distances."""
    return np.linspace(0, n - 1, min(n, k)).astype(np.int64)
