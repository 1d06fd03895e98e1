"""Sources for catalogues past a dense inverse: where nothing is left out they are EASE."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from accord.core.errors import CannotFit
from accord.core.queries import Queries
from accord.core.run import Run
from accord.models import local_ease, memory
from accord.models.ease import Ease
from accord.models.local_ease import LocalEase
from accord.models.low_rank import LowRank
from accord.testing.planted import checkerboard

RUN = Run(cache=None)
DATA = checkerboard(seed=5).data
SIDE = {"tfidf": 2.0, "minilm": 0.5, "absent": 3.0}


def every_row(source) -> np.ndarray:
    everything = np.arange(DATA.n_items)
    return source._block(everything, everything)


@pytest.mark.parametrize("side", [{}, SIDE])
def test_all_directions_make_it_ease(side):
    wanted = Ease(reg=30, side=side).fit(DATA, RUN).weights
    learned = LowRank(reg=30, side=side, dim=DATA.n_items).fit(DATA, RUN)
    np.testing.assert_allclose(every_row(learned), wanted, atol=2e-4)


def test_few_directions_keep_each_item_s_own_count():
    """The approximated Gram matrix has the diagonal of the true one, and its inverse is the plain formula's."""
    source = LowRank(reg=30, dim=5).fit(DATA, RUN)
    X = DATA.matrix.toarray().astype(np.float64)
    u, s, _ = np.linalg.svd(X.T, full_matrices=False)
    low = (u[:, :5] * s[:5] ** 2) @ u[:, :5].T
    gram = low + np.diag(np.diag(X.T @ X) - np.diag(low)) + 30 * np.eye(DATA.n_items)
    P = np.linalg.inv(gram)
    wanted = np.eye(len(P)) - P / np.diag(P)
    np.testing.assert_allclose(every_row(source), wanted, atol=2e-4)


def test_scores_are_sums_of_rows():
    source = LowRank(reg=30, dim=5, tau=3.0).fit(DATA, RUN)
    asked = DATA.queries(np.arange(6), include_seen=True)
    read = source._read(asked.history)[1].toarray()
    np.testing.assert_allclose(source._scores(asked), read @ every_row(source), atol=1e-5)


@pytest.mark.parametrize("side", [{}, {"tfidf": 2.0, "minilm": 0.5}])
def test_all_neighbours_make_it_ease(side):
    """Items that never met and say nothing alike have weight 0 here, and a weight in EASE that is hardly any."""
    wanted = Ease(reg=30, side=side).fit(DATA, RUN).weights
    learned = LocalEase(reg=30, side=side, neighbours=DATA.n_items, entries=DATA.n_items).fit(DATA, RUN).weights
    kept = learned.toarray() != 0
    assert kept.mean() > 0.1
    np.testing.assert_allclose(learned.toarray()[kept], wanted[kept], atol=5e-3)
    assert np.abs(wanted[~kept]).max() < 0.06


def test_each_column_is_a_small_ridge_regression():
    X = DATA.matrix.toarray().astype(np.float64)
    gram = X.T @ X
    weights = LocalEase(reg=30, neighbours=3).fit(DATA, RUN).weights.toarray()
    for item in np.flatnonzero(DATA.item_counts)[:20]:
        near = np.flatnonzero(weights[:, item])
        assert 0 < len(near) <= 3
        wanted = np.linalg.solve(gram[np.ix_(near, near)] + 30 * np.eye(len(near)), gram[near, item])
        np.testing.assert_allclose(weights[near, item], wanted, rtol=1e-4)


def test_neighbours_are_those_of_the_highest_cosine():
    X = DATA.matrix.toarray().astype(np.float64)
    norms = np.linalg.norm(X, axis=0) + 1e-9
    cosines = X.T @ X / np.outer(norms, norms)
    np.fill_diagonal(cosines, 0)
    weights = LocalEase(reg=30, neighbours=3).fit(DATA, RUN).weights.toarray()
    for item in np.flatnonzero(DATA.item_counts):
        found = np.sort(cosines[weights[:, item] != 0, item])
        np.testing.assert_allclose(found, np.sort(cosines[:, item])[-len(found) :], rtol=1e-5)


def test_entries_left_out_count_as_independence_says():
    """Of a matrix of rank one without its diagonal, nothing is lost however few entries are kept."""
    popular = np.arange(1.0, 9.0)
    gram = csr_array(np.outer(popular, popular) * (1 - np.eye(8)))
    solver = local_ease._Regressions(csr_array((8, 8)), np.full(8, 100.0), np.asarray(gram.sum(axis=1)))
    solver.place[np.arange(3)] = np.arange(3)
    assumed = solver._among(np.arange(3, dtype=np.int32))
    rest = np.asarray(gram.sum(axis=1))
    np.testing.assert_allclose(assumed[0, 1], rest[0] * rest[1] / rest.sum())
    np.testing.assert_allclose(assumed.diagonal(), 100.0)


def test_what_very_many_items_have_is_left_out(monkeypatch):
    attributes = DATA.vectors["attributes"]
    assert np.bincount(attributes.indices).tolist() == [12] * 4
    with_side = LocalEase(side={"attributes": 2.0}).fit(DATA, RUN).weights.toarray()
    monkeypatch.setattr(local_ease, "COMMON", 11)
    left_out = LocalEase(side={"attributes": 2.0}).fit(checkerboard(seed=5).data, RUN).weights.toarray()
    np.testing.assert_allclose(left_out, LocalEase().fit(DATA, RUN).weights.toarray(), atol=1e-6)
    assert np.abs(with_side - left_out).max() > 0.01


def test_neighbours_do_not_depend_on_the_size_of_blocks(monkeypatch):
    whole = LocalEase(neighbours=4, entries=6).fit(DATA, RUN).weights.toarray()
    monkeypatch.setattr("accord.models.local_ease.block_rows", lambda _: 7)
    again = LocalEase(neighbours=4, entries=6).fit(checkerboard(seed=5).data, RUN).weights.toarray()
    np.testing.assert_allclose(again, whole, atol=1e-6)


@pytest.mark.parametrize("kind", [LocalEase, LowRank])
def test_exactly_one_of_the_dense_and_the_large_source_is_fitted(kind, monkeypatch):
    n = DATA.n_items
    with pytest.raises(CannotFit, match="Use ease"):
        kind(min_items=n).fit(DATA, RUN)
    Ease(max_items=n).fit(DATA, RUN)
    kind(min_items=n - 1).fit(DATA, RUN)
    with pytest.raises(CannotFit):
        Ease(max_items=n - 1).fit(DATA, RUN)
    monkeypatch.setattr(memory, "memory_limit", lambda: 1000)
    kind(min_items=n).fit(DATA, RUN)
    with pytest.raises(CannotFit, match="local_ease"):
        Ease(max_items=n).fit(DATA, RUN)


def test_an_empty_history_scores_nothing():
    for source in (LocalEase(), LowRank()):
        assert not source.fit(DATA, RUN).scored(Queries.of([[]])).facts["spread"].any()
