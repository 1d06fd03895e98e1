"""RP3beta: where a walk of three steps over users and items ends, with popular ends discounted."""

from __future__ import annotations

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, diags_array

from accord.core.arrays import Sparse
from accord.core.dataset import Dataset
from accord.core.run import Run
from accord.models.graph import inverse_power, largest_products, positive_part
from accord.models.linear import HistoryConfig, LinearItems


class Rp3betaConfig(HistoryConfig):
    """Shape of the walk, and how much popularity is taken back."""

    alpha: float = Field(default=1.0, gt=0)
    """Every transition probability is raised to this power."""
    beta: float = Field(default=0.5, ge=0)
    """Ends with d events are divided by ``d ** beta``; 0 gives P3alpha."""
    k: int = Field(default=200, ge=1)
    """How many ends each item keeps."""


class Rp3beta(LinearItems):
    """``W = P_iu^alpha P_ui^alpha diag(d)^-beta`` with the row-normalised transitions of both directions.

    Cooper et al., "Random Walks in Recommender Systems: Exact Computation and Simulations", WWW 2014; beta: Paudel et
    al., "Updatable, Accurate, Diverse, and Scalable Recommendations for Interactive Applications", TiiS 2017. Powers
    are taken of each entry. Events of negative weight are no edges. Rows are made in bounded blocks and cut to ``k``.
    """

    Config = Rp3betaConfig

    def _fit(self, data: Dataset, run: Run) -> None:
        edges = positive_part(data.matrix)
        to_items = _transitions(edges, self.config.alpha)
        to_users = _transitions(csr_array(edges.T), self.config.alpha)
        degrees = np.asarray(edges.sum(axis=0), np.float32)
        ends = csr_array(to_items @ diags_array(inverse_power(degrees, self.config.beta)))
        self.weights = largest_products(to_users, ends, self.config.k)


def _transitions(edges: Sparse, alpha: float) -> Sparse:
    """Rows that sum to one, each entry then raised to ``alpha``."""
    sums = np.asarray(edges.sum(axis=1), np.float32)
    share = csr_array(diags_array(inverse_power(sums, 1.0)) @ edges)
    return csr_array((share.data**alpha, share.indices, share.indptr), shape=edges.shape)
