"""User-kNN: what the people did whose histories are most like the one that asks."""

from __future__ import annotations

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, diags_array

from accord.core.arrays import Floats, Longs, Sparse
from accord.core.dataset import Dataset
from accord.core.queries import Queries
from accord.core.run import Run
from accord.core.slate import EMPTY
from accord.core.topk import top_k
from accord.models.linear import HistoryConfig, HistoryReader, block_rows
from accord.models.placed import resized


class UserKnnConfig(HistoryConfig):
    """Who is alike, and how many of them are heard."""

    k: int = Field(default=100, ge=1)
    """How many people each query hears."""
    shrink: float = Field(default=5.0, ge=0)
    """Added to the denominator, so that a history of one or two events is like nobody's very much."""
    power: float = Field(default=2.0, gt=0)
    """Similarities are raised to this power: the higher, the more the nearest count."""
    idf: bool = True
    """Whether an item that few have touched says more about likeness (``log(users / users of the item)``)."""


class UserKNN(HistoryReader):
    """``score(u, j) = sum over the k people v most like u of sim(u, v) ** power x_vj``.

    ``sim(u, v) = u . x_v / (|u| |x_v| + shrink)`` over events, weighted by idf if wanted (Resnick et al., CSCW 1994;
    Herlocker et al., SIGIR 1999). People are those of the training log, and the query is compared with them by its
    history alone, so a stranger is served as they are. Privacy: what is learned is the training matrix itself, every
    person's items without the name; a saved source must be guarded as the log is, and fitted again after an erasure.
    Memory: ``queries.CELLS`` similarities at a time, and both orders of the matrix.
    """

    Config = UserKnnConfig
    learned = ("people", "readers", "norms", "idf", "ordered")
    read_late = frozenset({"tau", "last", "k", "shrink", "power"})
    evidence = "people alike"
    people: Sparse
    """``float32[n_users, n_items]``: the training matrix."""
    readers: Sparse
    """``float32[n_items, n_users]``: the same transposed, items weighted by idf squared."""
    norms: Floats
    """``float32[n_users]``: lengths of the people's weighted rows."""
    idf: Floats
    """``float32[n_items]``: how much each item says about likeness."""

    def _fit(self, data: Dataset, run: Run) -> None:
        self.people = data.matrix.copy()
        rarity = np.log(data.n_users / np.maximum(np.bincount(self.people.indices, minlength=data.n_items), 1))
        self.idf = (rarity if self.config.idf else np.ones(data.n_items)).astype(np.float32)
        weighted = csr_array(self.people @ diags_array(self.idf))
        self.norms = _lengths(weighted)
        self.readers = csr_array((weighted @ diags_array(self.idf)).T)

    def _grow(self, data: Dataset, added: Longs, edited: Longs) -> None:
        n, n_people = data.n_items, len(self.norms)
        rarity = np.log(n_people) if self.config.idf else 1.0  # as of an item of one reader, as in the fit
        self.idf = np.pad(self.idf, (0, len(added)), constant_values=np.float32(rarity))
        self.people = resized(self.people, n_people, n)
        self.readers = resized(self.readers, n, n_people)

    def _scores(self, queries: Queries) -> Floats:
        asked, keys = self._read(queries.history)[1], queries.tie_keys()
        lengths = _lengths(csr_array(asked @ diags_array(self.idf)))
        out = np.zeros((len(queries), self.n_items), np.float32)
        step = block_rows(len(self.norms))
        for start in range(0, len(queries), step):
            rows = slice(start, start + step)
            alike = (asked[rows] @ self.readers).toarray()
            alike /= np.outer(lengths[rows], self.norms) + np.float32(self.config.shrink + 1e-9)
            out[rows] = (self._nearest(alike, keys[rows]) @ self.people).toarray()
        return out

    def _nearest(self, alike: Floats, keys: Longs) -> Sparse:
        """``[B, n_users]``: the powers of each row's ``k`` largest positive similarities."""
        picked, values = top_k(np.where(alike > 0, alike, -np.inf).astype(np.float32), self.config.k, keys)
        rows, places = np.nonzero(picked != EMPTY)
        powers = values[rows, places] ** np.float32(self.config.power)
        return csr_array((powers, (rows, picked[rows, places])), shape=alike.shape)


def _lengths(rows: Sparse) -> Floats:
    return np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1))).astype(np.float32)
