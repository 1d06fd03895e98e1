"""EASE, item-kNN and popularity against plain formulas and other implementations."""

import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from accord.core.dataset import Dataset
from accord.core.errors import CannotFit, InputError
from accord.core.queries import Queries
from accord.core.run import Run
from accord.models.ease import Ease
from accord.models.item_knn import ItemKNN
from accord.models.popular import DAY, Popular
from accord.testing.planted import checkerboard

RUN = Run(cache=None)
DATA = checkerboard(seed=5).data


def log(rows, n_items, order="time") -> Dataset:
    """Rows of (user, item, weight, day)."""
    user, item, weight, day = zip(*rows, strict=True)
    events = pa.table(
        {
            "user": pa.array(user, pa.int32()),
            "item": pa.array(item, pa.int32()),
            "weight": pa.array(weight, pa.float32()),
            "timestamp": pa.array([DAY * value for value in day]),
        }
    )
    items = pa.table({"item_id": [str(n) for n in range(n_items)]})
    users = pa.table({"user_id": [str(n) for n in range(max(user) + 1)]})
    return Dataset(events, items, users, order=order)


@pytest.mark.parametrize("side", [{}, {"tfidf": 2.0, "minilm": 0.5, "absent": 3.0}])
def test_ease_is_the_plain_formula(side, monkeypatch):
    monkeypatch.setattr("accord.models.gram.block_rows", lambda _: 7)
    X = DATA.matrix.toarray().astype(np.float64)
    gram = X.T @ X + 30 * np.eye(DATA.n_items)
    if side:
        text = DATA.vectors["tfidf"].toarray().astype(np.float64)
        dense = DATA.vectors["minilm"].astype(np.float64)
        gram += 4 * text @ text.T + 0.25 * dense @ dense.T
    P = np.linalg.inv(gram)
    wanted = np.eye(len(P)) - P / np.diag(P)
    learned = Ease(reg=30, side=side).fit(DATA, RUN).weights
    np.testing.assert_allclose(learned, wanted, atol=1e-5)
    assert not learned.diagonal().any()


def test_the_inverse_is_mirrored_in_blocks():
    from accord.models.ease import _mirror

    full = np.arange(49, dtype=np.float32).reshape(7, 7)
    full = full + full.T
    lower = np.tril(full)
    _mirror(lower, block=3)
    np.testing.assert_array_equal(lower, full)


def test_ease_refuses_what_does_not_fit():
    with pytest.raises(CannotFit, match="max_items"):
        Ease(max_items=10).fit(DATA, RUN)
    with pytest.raises(InputError, match=r"Ease\.reg"):
        Ease(reg=0)


def test_item_knn_is_the_cosine_of_another_implementation():
    wanted = cosine_similarity(DATA.matrix.toarray().T)
    np.fill_diagonal(wanted, 0)
    weights = ItemKNN(shrink=0, k=DATA.n_items).fit(DATA, RUN).weights
    np.testing.assert_allclose(weights.toarray(), wanted, atol=1e-6)


@pytest.mark.parametrize(("near", "back", "shrink"), [(2.0, 0.3, 5.0), (1.0, 0.0, 0.0), (50.0, 1.0, 1.0)])
def test_item_knn_by_nearness_and_direction_is_a_double_loop(near, back, shrink):
    n, ahead = DATA.n_items, np.zeros((DATA.n_items, DATA.n_items))
    history = DATA.histories
    for user in range(DATA.n_users):
        one = history.take(np.array([user]))
        for a in range(len(one.items)):
            for b in range(a + 1, len(one.items)):
                decay = math.exp(-(b - a - 1) / near)
                if decay >= 0.01:
                    ahead[one.items[a], one.items[b]] += one.weights[a] * one.weights[b] * decay
    norms = np.linalg.norm(DATA.matrix.toarray(), axis=0)
    wanted = (ahead + back * ahead.T) / (np.outer(norms, norms) + shrink + 1e-9)
    np.fill_diagonal(wanted, 0)
    weights = ItemKNN(near=near, back=back, shrink=shrink, k=n).fit(DATA, RUN).weights.toarray()
    np.testing.assert_allclose(weights, wanted, rtol=1e-4, atol=1e-6)
    best_three = ItemKNN(near=near, back=back, shrink=shrink, k=3).fit(DATA, RUN).weights.toarray()
    for item in range(n):
        np.testing.assert_allclose(
            np.sort(best_three[:, item])[-3:], np.sort(wanted[:, item])[-3:], rtol=1e-4, atol=1e-6
        )
        assert (best_three[:, item] > 0).sum() <= 3


@pytest.mark.parametrize("near", [math.inf, 2.0])
def test_item_knn_does_not_depend_on_the_size_of_blocks(near, monkeypatch):
    whole = ItemKNN(k=3, near=near).fit(DATA, RUN).weights
    monkeypatch.setattr("accord.models.item_knn.block_rows", lambda _: 7)
    assert (ItemKNN(k=3, near=near).fit(DATA, RUN).weights != whole).nnz == 0


def test_nearness_is_not_read_without_an_order():
    unordered = replace(DATA, order="none")
    near, plain = (ItemKNN(**given).fit(unordered, RUN).weights for given in ({"near": 1.0}, {}))
    assert (near != plain).nnz == 0


def test_what_comes_after_is_offered_and_what_came_before_is_not():
    data = log([(u, i, 1.0, i) for u in range(5) for i in range(3)], 3)
    source = ItemKNN(near=1.0, back=0.0, shrink=0.0).fit(data, RUN)
    assert source.offer(Queries.of([[1]]), 1).items.tolist() == [[2]]


def test_recency_and_length_of_the_history():
    data = log([(0, 0, 1, 0), (0, 1, 1, 1), (1, 2, 1, 0), (1, 3, 1, 1)], 4)
    asked = Queries.of([[0, 2]])
    faded = ItemKNN(shrink=0, tau=2.0).fit(data, RUN).score(asked, np.array([[1, 3]], np.int32))
    np.testing.assert_allclose(faded, [[math.exp(-0.5), 1.0]], rtol=1e-5)
    newest = ItemKNN(shrink=0, last=1).fit(data, RUN).score(asked, np.array([[1, 3]], np.int32))
    np.testing.assert_allclose(newest, [[0.0, 1.0]], rtol=1e-5)


def test_popularity_counts_weights():
    data = log([(0, 0, 1, 0), (1, 0, 2, 1), (0, 1, 1, 4), (1, 2, -1, 4)], 4)
    np.testing.assert_allclose(Popular().fit(data, RUN).popularity, np.log1p([3, 1, 0, 0]), rtol=1e-6)


@pytest.mark.parametrize("start", [0, 20_000, -20_000])
def test_half_life(start):
    rows = [(0, 0, 1, start), (1, 0, 2, start + 2), (0, 1, 1, start + 4)]
    fading = Popular(half_life=2).fit(log(rows, 3), RUN)
    np.testing.assert_allclose(fading.popularity, np.log1p([1 / 4 + 2 / 2, 1, 0]), rtol=1e-5)


def test_fading_needs_a_clock():
    with pytest.raises(CannotFit, match="clock"):
        Popular(half_life=2).fit(log([(0, 0, 1, 0)], 2, order="row"), RUN)
