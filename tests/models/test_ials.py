"""Fold-in against plain maths and against the package that learned the factors."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix
from threadpoolctl import threadpool_limits

from accord.core.errors import CannotFit
from accord.core.history import History
from accord.core.queries import Queries
from accord.core.run import Run
from accord.core.state import load_state, save_state
from accord.models import ials
from accord.models.ials import Ials
from accord.testing.planted import checkerboard

pytest.importorskip("implicit")

RUN = Run(cache=None)
WORLD = checkerboard(seed=5)
DATA = WORLD.data
SOURCE = Ials(dim=6, alpha=3.0, reg=0.5, tau=2.0).fit(DATA, RUN)


def weighted(rows: list[list[tuple[int, float]]]) -> Queries:
    """Queries from lists of (item, weight)."""
    plain = Queries.of([[item for item, _ in row] for row in rows])
    weights = np.array([weight for row in rows for _, weight in row], np.float32)
    history = plain.history
    return replace(plain, history=History(history.offsets, history.items, history.times, weights))


def test_a_history_is_folded_in_by_the_plain_solve():
    rows = [[(1, 2.0), (4, 1.0), (9, -1.5)], [], [(7, 1.0), (7, 2.0), (30, 0.5)]]
    rows.append([(item, 1.0 + item / 40) for item in range(10)])  # longer than the factors: solved another way
    Y = SOURCE.factors.astype(np.float64)
    wanted = []
    for row in rows:
        newest = {item: (weight, np.exp(-(len(row) - 1 - place) / 2.0)) for place, (item, weight) in enumerate(row)}
        left, right = Y.T @ Y + 0.5 * np.eye(6), np.zeros(6)
        for item, (weight, fading) in newest.items():
            left += fading * 3.0 * abs(weight) * np.outer(Y[item], Y[item])
            right += (fading * (1 + 3.0 * weight) if weight > 0 else 0.0) * Y[item]
        wanted.append(np.linalg.solve(left, right))
    np.testing.assert_allclose(SOURCE.fold_in(weighted(rows)), wanted, rtol=1e-5, atol=1e-6)


def test_fold_in_is_what_implicit_recalculates():
    from implicit.cpu.als import AlternatingLeastSquares

    source = Ials(dim=6, alpha=3.0, reg=0.5).fit(DATA, RUN)
    believed = ials._confidences(DATA.matrix, 3.0)
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(factors=6, regularization=0.5)
        model.item_factors = source.factors
        wanted = model.recalculate_user(np.arange(DATA.n_users), csr_matrix(believed))
    np.testing.assert_allclose(source.fold_in(DATA.queries()), wanted, rtol=1e-3, atol=1e-4)


def test_fold_in_does_not_depend_on_the_size_of_blocks(monkeypatch):
    whole = SOURCE.fold_in(DATA.queries())
    monkeypatch.setattr(ials, "CELLS", 2 * 36 * 7)
    np.testing.assert_array_equal(SOURCE.fold_in(DATA.queries()), whole)


def test_the_learned_factors_fit_the_log_better_than_chance():
    scores = SOURCE.scored(replace(DATA.queries(), include_seen=True)).scores
    seen = DATA.matrix.toarray() > 0
    assert scores[seen].mean() > scores[~seen].mean() + 0.3


def test_items_without_events_come_last():
    scores = SOURCE.scored(replace(DATA.queries(), include_seen=True)).scores
    known = np.setdiff1d(np.arange(DATA.n_items), WORLD.cold)
    np.testing.assert_array_equal(scores[:, WORLD.cold].max(axis=1), scores[:, known].min(axis=1))


def test_a_weight_of_zero_is_no_event():
    weights = csr_array((np.array([0.0, 2.0, -2.0], np.float32), ([0, 0, 0], [0, 1, 2])), shape=(1, 4))
    believed = ials._confidences(weights, 3.0)
    assert believed.nnz == 2
    np.testing.assert_array_equal(believed.toarray(), [[0, 7, -7, 0]])


def test_a_saved_source_is_scored_without_the_package(tmp_path, monkeypatch):
    save_state(tmp_path / "ials.safetensors", SOURCE.state())
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)  # any import of it fails
    loaded = Ials(dim=6, alpha=3.0, reg=0.5, tau=2.0).load_state(load_state(tmp_path / "ials.safetensors"))
    np.testing.assert_array_equal(loaded.fold_in(DATA.queries()), SOURCE.fold_in(DATA.queries()))
    with pytest.raises(CannotFit, match=r"\[als\]"):
        Ials().fit(DATA, RUN)
