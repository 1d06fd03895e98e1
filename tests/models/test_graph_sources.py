"""RP3beta, the spectral filters and user-kNN against plain formulas over dense arrays."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from accord.core.errors import CannotFit
from accord.core.queries import Queries
from accord.core.run import Run
from accord.models import spectral, user_knn
from accord.models.rp3beta import Rp3beta
from accord.models.spectral import Spectral
from accord.models.user_knn import UserKNN
from accord.testing.planted import checkerboard

RUN = Run(cache=None)
DATA = checkerboard(seed=5).data
X = DATA.matrix.toarray().astype(np.float64)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.0), (0.7, 0.6)])
def test_rp3beta_is_the_plain_walk(alpha, beta):
    degrees = np.maximum(X.sum(axis=0), 1)
    to_users = (X / degrees).T ** alpha
    to_items = (X / X.sum(axis=1, keepdims=True)) ** alpha
    wanted = to_users @ to_items / degrees**beta
    np.fill_diagonal(wanted, 0)
    learned = Rp3beta(alpha=alpha, beta=beta, k=DATA.n_items).fit(DATA, RUN).weights
    np.testing.assert_allclose(learned.toarray(), wanted, rtol=1e-4, atol=1e-7)
    few = Rp3beta(alpha=alpha, beta=beta, k=3).fit(DATA, RUN).weights.toarray()
    np.testing.assert_allclose(np.sort(few)[:, -3:], np.sort(wanted)[:, -3:], rtol=1e-4, atol=1e-7)
    assert ((few > 0).sum(axis=1) <= 3).all()


def test_rp3beta_does_not_depend_on_the_size_of_blocks(monkeypatch):
    whole = Rp3beta(k=3).fit(DATA, RUN).weights
    monkeypatch.setattr("accord.models.graph.block_rows", lambda _: 7)
    assert (Rp3beta(k=3).fit(DATA, RUN).weights != whole).nnz == 0


def test_events_against_an_item_are_no_edges():
    events = DATA.events
    place = events.column_names.index("weight")
    against = replace(DATA, events=events.set_column(place, "weight", pa.array(-DATA.event_weights)))
    assert Rp3beta().fit(against, RUN).weights.nnz == 0
    with pytest.raises(CannotFit, match="no event"):
        Spectral().fit(against, RUN)


@pytest.mark.parametrize(("dim", "power", "share"), [(48, 0.5, 0.5), (5, 0.3, 0.2)])
def test_spectral_is_the_sum_of_two_plain_filters(dim, power, share):
    items, users = np.maximum(X.sum(axis=0), 1e-9), X.sum(axis=1, keepdims=True)
    graph = X / users**power / np.sqrt(items)
    _, values, rows = np.linalg.svd(graph)
    V = rows[:dim][values[:dim] > 1e-6].T
    near = items ** (share - 0.5) * (graph.T @ graph).T / values[0] ** 2
    near = near.T * items ** (0.5 - share)
    np.fill_diagonal(near, 0)
    wanted = near + 0.7 * (V @ V.T) / np.sqrt(items)[:, None] * np.sqrt(items)
    source = Spectral(dim=dim, alpha=0.7, user_power=power, item_power=share, k=DATA.n_items).fit(DATA, RUN)
    asked = replace(DATA.queries(), include_seen=True)
    np.testing.assert_allclose(source.scored(asked).scores, X @ wanted, atol=1e-4)


def test_the_randomised_decomposition_is_close_to_the_exact_one(monkeypatch):
    exact = Spectral(dim=4).fit(DATA, RUN)
    monkeypatch.setattr(spectral, "SMALL", 10)
    drawn = Spectral(dim=4).fit(DATA, RUN)
    np.testing.assert_allclose(drawn.vectors @ drawn.vectors.T, exact.vectors @ exact.vectors.T, atol=1e-3)
    np.testing.assert_allclose(drawn.weights.toarray(), exact.weights.toarray(), rtol=1e-4, atol=1e-6)


def test_user_knn_is_the_cosine_of_another_implementation():
    source = UserKNN(k=DATA.n_users, shrink=0.0, idf=False, power=1.0).fit(DATA, RUN)
    asked = replace(DATA.queries(), include_seen=True)
    np.testing.assert_allclose(source.scored(asked).scores, cosine_similarity(X) @ X, rtol=1e-4, atol=1e-5)


def test_user_knn_weighs_rare_items_and_cuts_and_shrinks():
    source = UserKNN(k=4, shrink=3.0, power=3.0).fit(DATA, RUN)
    asked = Queries.of([[0, 1, 2], [5]])
    rare = X * np.log(DATA.n_users / np.maximum((X > 0).sum(axis=0), 1))
    query = np.zeros((2, DATA.n_items))
    query[[0, 0, 0, 1], [0, 1, 2, 5]] = 1
    query *= np.log(DATA.n_users / np.maximum((X > 0).sum(axis=0), 1))
    alike = query @ rare.T / (np.outer(np.linalg.norm(query, axis=1), np.linalg.norm(rare, axis=1)) + 3.0)
    for row, scores in enumerate(source.scored(replace(asked, include_seen=True)).scores):
        best = np.argsort(-alike[row])[:4]
        np.testing.assert_allclose(scores, alike[row, best] ** 3 @ X[best], rtol=1e-4, atol=1e-6)


def test_user_knn_does_not_depend_on_the_size_of_blocks(monkeypatch):
    source = UserKNN(k=3).fit(DATA, RUN)
    whole = source.scored(DATA.queries()).scores
    monkeypatch.setattr(user_knn, "block_rows", lambda _: 7)
    np.testing.assert_array_equal(source.scored(DATA.queries()).scores, whole)
