"""Link prediction: people who have friends in common."""

from __future__ import annotations

from typing import cast

import numpy as np
from scipy.sparse import csr_array, diags_array

from accord.core.arrays import Doubles, Longs, Sparse
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.models.linear import HistoryConfig, LinearItems


class CommonNeighbours(LinearItems):
    """How many friends two people have in common: ``score(u, v) = sum over friends w of u of A[w, v]``.

    A is the symmetric matrix of links without its diagonal. The history of somebody holds the own friends, so the
    friends of a friend need one product only. Liben-Nowell and Kleinberg, "The Link-Prediction Problem for Social
    Networks", CIKM 2003. Raises ``CannotFit`` where the items are not people.
    """

    Config = HistoryConfig
    evidence = "common friends"

    def _fit(self, data: Dataset, run: Run) -> None:
        graph = _graph(data)
        worth = self._worth(np.diff(graph.indptr))
        self.weights = csr_array(diags_array(worth.astype(np.float32)) @ graph)

    def _worth(self, degree: Longs) -> Doubles:
        """``float64[n]``: what a friend in common counts who has so many friends."""
        return np.ones(len(degree))


class AdamicAdar(CommonNeighbours):
    """As common neighbours, a friend with d friends counting ``1 / log d``: who knows everybody says little.

    Adamic and Adar, "Friends and Neighbors on the Web", Social Networks 2003.
    """

    def _worth(self, degree: Longs) -> Doubles:
        return 1.0 / np.log(np.maximum(degree, 2))  # somebody with a single friend is nobody's common friend


class ResourceAllocation(CommonNeighbours):
    """As common neighbours, a friend with d friends counting ``1 / d``.

    Zhou, Lü and Zhang, "Predicting Missing Links via Local Information", European Physical Journal B 2009.
    """

    def _worth(self, degree: Longs) -> Doubles:
        return 1.0 / np.maximum(degree, 1)


def _graph(data: Dataset) -> Sparse:
    """``float32[n, n]``: 1 where two different people are linked, by item number on both sides."""
    numbers = np.array([data.item_numbers.get(name, -1) for name in data.user_ids], dtype=np.int64)
    rows = numbers[data.event_users] if len(numbers) else np.empty(0, np.int64)
    if (rows < 0).any():
        raise CannotFit("the items are not people", remedy="Links are read with --target users.")
    apart = rows != data.event_items
    ends = (
        np.concatenate([rows[apart], data.event_items[apart]]),
        np.concatenate([data.event_items[apart], rows[apart]]),
    )
    graph = csr_array((np.ones(len(ends[0]), np.float32), ends), shape=(data.n_items, data.n_items))
    graph.sum_duplicates()
    graph.data[:] = 1.0
    return cast("Sparse", graph)
