"""SLIT, Markov and L3AE against plain formulas."""

import math

import numpy as np
import pytest

from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.models.gram import transposed_in_place
from accord.models.l3ae import L3ae
from accord.models.markov import Markov
from accord.models.slit import NEGLIGIBLE, Slit
from accord.testing.planted import checkerboard

RUN = Run(cache=None)
DATA = checkerboard(seed=5).data


def cuts(past, future, newest):
    """Rows of past and future of every cut, by loops."""
    X, Y = [], []
    for user in range(DATA.n_users):
        one = DATA.histories.take(np.array([user])).last(newest)
        for t in range(1, len(one.items)):
            x, y = np.zeros(DATA.n_items), np.zeros(DATA.n_items)
            for k in range(len(one.items)):
                row, gap, decay = (x, t - 1 - k, past) if k < t else (y, k - t, future)
                weight = math.exp(-gap / decay)
                row[one.items[k]] += one.weights[k] * (weight if weight > NEGLIGIBLE else 0)
            X.append(x)
            Y.append(y)
    return np.array(X), np.array(Y)


@pytest.mark.parametrize("side", [{}, {"tfidf": 2.0, "minilm": 0.5, "absent": 3.0}])
@pytest.mark.parametrize(("past", "future", "newest"), [(2.0, 3.0, 60), (0.4, math.inf, 4)])
def test_slit_is_the_plain_formula(past, future, newest, side, monkeypatch):
    monkeypatch.setattr("accord.models.gram.block_rows", lambda _: 7)
    X, Y = cuts(past, future, newest)
    S = np.zeros((DATA.n_items, DATA.n_items))
    if side:
        text, dense = DATA.vectors["tfidf"].toarray(), DATA.vectors["minilm"].astype(np.float64)
        S = 4 * text @ text.T + 0.25 * dense @ dense.T
    S0 = S - np.diag(np.diag(S))
    wanted = np.linalg.solve(X.T @ X + S + 20 * np.eye(DATA.n_items), X.T @ Y + S0)
    learned = Slit(reg=20, past=past, future=future, newest=newest, side=side).fit(DATA, RUN).weights
    np.testing.assert_allclose(learned, wanted, atol=1e-5)
    assert learned.flags.c_contiguous  # products with it would copy it otherwise


def test_a_square_is_transposed_in_blocks():
    square = np.arange(49, dtype=np.float32).reshape(7, 7, order="F")
    wanted = square.T.copy()
    assert transposed_in_place(square, block=3) is square
    np.testing.assert_array_equal(square, wanted)


def test_markov_is_a_double_loop():
    n = DATA.n_items
    counts = np.zeros((n, n))
    for user in range(DATA.n_users):
        one = DATA.histories.take(np.array([user]))
        for a in range(len(one.items)):
            for b in range(a + 1, len(one.items)):
                decay = math.exp(-(b - a - 1) / 1.5)
                if decay >= 0.01:
                    counts[one.items[a], one.items[b]] += one.weights[a] * one.weights[b] * decay
    np.fill_diagonal(counts, 0)
    wanted = counts / (counts.sum(axis=1, keepdims=True) + 5)
    np.testing.assert_allclose(Markov().fit(DATA, RUN).weights.toarray(), wanted, rtol=1e-5, atol=1e-7)


def test_l3ae_is_the_least_of_its_loss():
    model = L3ae(side={"tfidf": 1.0, "minilm": 0.5}, reg=10, content_reg=2, pull=30)
    B = model.fit(DATA, RUN).weights.astype(np.float64)
    assert not B.diagonal().any()
    text, dense = DATA.vectors["tfidf"].toarray(), DATA.vectors["minilm"].astype(np.float64)
    P = np.linalg.inv(text @ text.T + 0.25 * dense @ dense.T + 2 * np.eye(DATA.n_items))
    C = np.eye(len(P)) - P / np.diag(P)
    X = DATA.matrix.toarray().astype(np.float64)
    gradient = X.T @ (X @ B - X) + 10 * B + 30 * (B - C)
    np.fill_diagonal(gradient, 0)  # the diagonal is fixed at zero
    np.testing.assert_allclose(gradient, 0, atol=2e-3)
    assert np.abs(X.T @ X - 30 * C).max() > 1  # the gradient at B = 0 is far from nothing


def test_l3ae_without_content_is_refused():
    with pytest.raises(CannotFit, match="absent"):
        L3ae(side={"absent": 1.0}).fit(DATA, RUN)


@pytest.mark.parametrize("kind", [Slit, Markov])
def test_order_is_needed(kind):
    from dataclasses import replace

    with pytest.raises(CannotFit, match="order"):
        kind().fit(replace(DATA, order="none"), RUN)
