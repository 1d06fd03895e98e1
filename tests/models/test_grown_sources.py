"""What new items are told to be, worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from accord.core import catalog
from accord.core.queries import Queries
from accord.core.roles import Grows, Recommender, Updates
from accord.models.bridge_ridge import BridgeRidge
from accord.models.content import Content
from accord.models.ease import Ease
from accord.models.kernel import Kernel
from accord.models.kernel_ridge import mixing
from accord.models.low_rank import LowRank
from accord.models.placed import largest
from accord.models.sketch import NARROW, axes_of, features
from accord.models.slit import Slit, rows_of_cuts
from accord.testing.planted import checkerboard, with_arrivals
from accord.testing.sources import RUN, dense, first_items

WORLD = checkerboard()
LATER = with_arrivals(WORLD, 3)
N = WORLD.data.n_items
SIDE = {"tfidf": 2.0, "minilm": 1.0}


def content_gram() -> np.ndarray:
    rows = [weight * dense(LATER.data.vectors[name]) for name, weight in SIDE.items()]
    stacked = np.concatenate(rows, axis=1).astype(np.float64)
    return stacked @ stacked.T


@pytest.mark.parametrize("kind", [Ease, LowRank])
def test_a_new_item_is_regressed_on_the_fitted_ones(kind) -> None:
    gram, users = content_gram(), WORLD.data.matrix.toarray().astype(np.float64)
    fitted = users.T @ users + gram[:N, :N] + 50 * np.eye(N)
    inverse = np.linalg.inv(fitted)
    source = kind(side=SIDE, reg=50.0).fit(WORLD.data, RUN).grow(LATER.data)
    asked = Queries.of([[item] for item in range(N + 3)])
    scores = source._scores(asked)
    column = inverse @ gram[:N, N]
    np.testing.assert_allclose(scores[:N, N], column, atol=1e-4)
    entry = 1 / (gram[N, N] + 50 - gram[:N, N] @ column)
    np.testing.assert_allclose(scores[N, :N], column * entry / np.diag(inverse), atol=1e-4)


def test_the_column_of_slit() -> None:
    gram, source = content_gram(), Slit(side=SIDE, reg=50.0)
    history = WORLD.data.histories.last(source.config.newest)
    past, future = (rows.toarray().astype(np.float64) for rows in rows_of_cuts(history, N, source.config))
    whole, target = np.zeros((N + 1, N + 1)), gram[: N + 1, : N + 1].copy()
    np.fill_diagonal(target, 0)
    whole[:N, :N], target[:N, :N] = past.T @ past, target[:N, :N] + past.T @ future
    weights = np.linalg.solve(whole + gram[: N + 1, : N + 1] + 50 * np.eye(N + 1), target)
    grown = source.fit(WORLD.data, RUN).grow(first_items(LATER.data, N + 1))
    scores = grown._scores(Queries.of([[item] for item in range(N + 1)]))
    np.testing.assert_allclose(scores[:N, N], weights[:N, N], atol=1e-4)
    np.testing.assert_allclose(scores[N, :N], weights[N, :N], atol=1e-4)


def test_wide_side_rows_are_kept_on_their_main_axes() -> None:
    rng = np.random.default_rng(0)
    low = rng.normal(size=(N, 5)) @ rng.normal(size=(5, NARROW + 20))
    data = WORLD.data.with_vectors("wide", low.astype(np.float32))
    axes = axes_of(data, {"wide": 1.0}, RUN)
    assert axes.shape == (NARROW + 20, N)
    rows = features(data, {"wide": 1.0}, axes)
    np.testing.assert_allclose(rows @ rows.T, low @ low.T, rtol=1e-3, atol=0.05)


def test_conjugate_gradients_solve_the_kernel() -> None:
    kernel = Kernel.of(WORLD.data, {"tfidf": 1.0, "minilm": 0.5}, centre=True)
    touched, items = np.arange(0, 30), np.arange(30, 40)
    exact = np.linalg.solve(kernel.between(touched, touched) + 0.5 * np.eye(30), kernel.between(touched, items))
    np.testing.assert_allclose(mixing(kernel, touched, items, 0.5), exact, atol=1e-4)


def test_a_new_item_is_among_the_neighbours_it_is_nearest_to() -> None:
    source = Content(k=3).fit(WORLD.data, RUN)
    grown = source.grow(LATER.data)
    vectors = dense(LATER.data.vectors["tfidf"])
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, 0)
    told = grown._scores(Queries.of([[N]]))[0, :N]
    bounds = np.sort(cosines[:N, :N], axis=0)[-3]
    np.testing.assert_allclose(told, np.where(cosines[N, :N] > bounds, cosines[N, :N], 0), atol=1e-6)
    assert (np.diff(grown.placed.columns.tocsc().indptr) == 3).all()


def test_an_edited_item_of_the_fit_is_as_if_fitted_so() -> None:
    moved = {name: rows[[1, *range(1, N)]] for name, rows in WORLD.data.vectors.items()}
    data = replace(WORLD.data, vectors=moved)
    asked = Queries.of([[0], [5, 0], [7, 8]])
    for kind, settings in ((Content, {}), (Content, {"mode": "profile"}), (catalog.find("sources", "bridge"), {})):
        edited = kind(**settings).fit(WORLD.data, RUN).grow(data, np.array([0]))
        again = kind(**settings).fit(data, RUN)
        np.testing.assert_allclose(edited._scores(asked), again._scores(asked), atol=0.05, err_msg=kind.__name__)


@pytest.mark.parametrize("kind", ["sequential", "two_tower", "lightgcn", "neural_cf", "joint"])
def test_networks_follow_the_edits_of_items_that_nobody_has_met(kind: str) -> None:
    pytest.importorskip("torch")
    cold, warm, late = int(WORLD.cold[0]), int(np.flatnonzero(WORLD.data.item_counts)[0]), N
    rows = np.arange(N + 3)
    for item in (cold, warm, late):
        rows[item] = np.flatnonzero(LATER.item_groups != LATER.item_groups[item])[0]
    data = replace(LATER.data, vectors={name: values[rows] for name, values in LATER.data.vectors.items()})
    make, asked = catalog.find("sources", kind), WORLD.data.queries(np.arange(6))
    fitted = make(dim=8, epochs=2, item="sum", columns=("minilm", "tfidf")).fit(WORLD.data, RUN)
    for source in (fitted, make(fitted.config).load_state(fitted.state())):
        grown = source.grow(LATER.data)
        told = grown._scores(asked)
        moved = np.abs(grown.grow(data, np.array([cold, warm, late]))._scores(asked) - told).max(axis=0) > 1e-5
        assert np.flatnonzero(moved).tolist() == [cold, late]
        np.testing.assert_array_equal(grown._scores(asked), told)


def test_without_what_it_needs_nothing_is_known_of_new_items() -> None:
    """As with sources that an earlier version saved."""
    for kind in (Ease, Slit, BridgeRidge, catalog.find("sources", "bridge"), catalog.find("sources", "local_ease")):
        source = kind(side={"tfidf": 2.0}) if "side" in kind.Config.model_fields else kind()
        source.fit(WORLD.data, RUN)
        for name in source.learned_lately:
            setattr(source, name, None)
        scores = source.grow(LATER.data)._scores(Queries.of([[1, N], [N]]))
        assert not scores[:, N:].any()
        assert not scores[1].any()


def test_the_largest_in_size_are_kept() -> None:
    found = largest(np.array([[9.0, -3.0, 1.0, 2.0]], np.float32), np.array([0]), most=2).toarray()
    np.testing.assert_array_equal(found, [[0, -3, 0, 2]])


class Plain(Recommender):
    """Written without a thought of growing."""

    learned = ("follows",)

    def _fit(self, data, run):
        self.follows = -np.eye(data.n_items, dtype=np.float32)

    def _scores(self, queries):
        return np.asarray(queries.history.matrix(self.n_items) @ self.follows)


def test_a_source_that_knows_nothing_of_growing_grows() -> None:
    grown = Plain().fit(WORLD.data, RUN).grow(LATER.data).grow(with_arrivals(WORLD, 5).data)
    assert isinstance(grown, Grows)
    assert not isinstance(grown, Updates)
    scores = grown.scored(replace(Queries.of([[2, N + 1]]), include_seen=True)).scores
    assert scores.shape == (1, N + 5)
    assert scores[0, 2] == scores[0, N + 4] == -1
    assert scores[0, 3] == 0
    again = Plain().load_state(grown.state())
    assert again.n_fitted == N
