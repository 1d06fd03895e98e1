"""The ridge bridge against ridge regressions that are solved one item at a time."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from accord.core.errors import CannotFit
from accord.core.queries import Queries
from accord.core.run import Run
from accord.models import bridge_ridge, kernel_ridge, linear
from accord.models.bridge_ridge import BridgeRidge
from accord.models.ease import Ease
from accord.models.item_knn import ItemKNN
from accord.models.kernel import Kernel
from accord.testing.planted import checkerboard

RUN = Run(cache=None)
WORLD = checkerboard(seed=6)
DATA = WORLD.data
N = DATA.n_items
COLUMNS = {"tfidf": 1.0, "minilm": 0.5}


def cosines(name: str) -> np.ndarray:
    vectors = DATA.vectors[name]
    dense = vectors.toarray() if isinstance(vectors, csr_array) else vectors - vectors.mean(axis=0)
    unit = dense.astype(np.float64) / np.linalg.norm(dense, axis=1, keepdims=True)
    return unit @ unit.T


def predicted(own: np.ndarray, reg: float) -> np.ndarray:
    """Every item's column, by a regression over the touched items without itself."""
    kernel = sum(weight * cosines(name) for name, weight in COLUMNS.items())
    out = np.zeros_like(own)
    for item in range(N):
        others = [n for n in np.flatnonzero(DATA.item_counts) if n != item]
        gram = kernel[np.ix_(others, others)] + reg * np.eye(len(others))
        out[:, item] = own[:, others] @ np.linalg.solve(gram, kernel[others, item])
    return out


def teachers(near: float) -> dict[str, np.ndarray]:
    knn, ease = ItemKNN(near=near).fit(DATA, RUN).weights.toarray(), Ease(reg=9.0).fit(DATA, RUN).weights
    best = np.where(ease >= np.sort(ease, axis=0)[-20], np.maximum(ease, 0), 0)
    return {"item_knn": knn.astype(np.float64), "ease": best.astype(np.float64)}


@pytest.mark.parametrize("narrow", [0, 10_000])
@pytest.mark.parametrize(
    ("reg", "near", "teacher"), [(0.5, np.inf, "item_knn"), (4.0, 4.0, "item_knn"), (1.0, 4.0, "ease")]
)
def test_columns_are_the_regressions_written_out(reg, near, teacher, narrow, monkeypatch):
    monkeypatch.setattr(bridge_ridge, "NARROW", narrow)
    k = 20 if teacher == "ease" else 100
    own = teachers(near)[teacher]
    borrowed, counts = predicted(own, reg), DATA.item_counts
    known = np.flatnonzero((counts >= 3) & (counts <= 8))
    assert len(known) >= bridge_ridge.ENOUGH
    scale = np.median(np.linalg.norm(own[:, known], axis=0) / np.linalg.norm(borrowed[:, known], axis=0))
    share = counts / (counts + 2.0)
    wanted = own * share + scale * borrowed * (1 - share)
    np.fill_diagonal(wanted, 0)
    fresh = replace(DATA, events=DATA.events.slice(0))  # matrices are shared by their inputs
    source = BridgeRidge(columns=COLUMNS, reg=reg, near=near, own=2.0, teacher=teacher, teacher_reg=9.0, k=k).fit(
        fresh, RUN
    )
    np.testing.assert_allclose(source.weights.toarray(), np.maximum(wanted, 0), rtol=2e-3, atol=2e-5)


def test_the_size_of_blocks_changes_nothing(monkeypatch):
    whole = BridgeRidge(columns=COLUMNS).fit(DATA, RUN).weights.toarray()
    monkeypatch.setattr(kernel_ridge, "block_rows", lambda _: 7)
    monkeypatch.setattr(linear, "block_rows", lambda _: 7)
    fresh = replace(DATA, events=DATA.events.slice(0))  # matrices are shared by their inputs
    np.testing.assert_allclose(BridgeRidge(columns=COLUMNS).fit(fresh, RUN).weights.toarray(), whole, atol=1e-5)


def test_much_touched_items_keep_their_own_columns():
    own = ItemKNN().fit(DATA, RUN).weights.toarray()
    warm = DATA.item_counts > 0
    mixed = BridgeRidge(own=1e-6).fit(DATA, RUN).weights.toarray()
    np.testing.assert_allclose(mixed[:, warm], own[:, warm], atol=1e-5)


def test_without_items_of_about_five_events_the_rarest_are_the_measure():
    often = replace(DATA, events=DATA.events.take(np.repeat(np.arange(DATA.n_events), 20)))
    assert not ((often.item_counts >= 3) & (often.item_counts <= 8)).any()
    own, source = ItemKNN().fit(often, RUN).weights.toarray(), BridgeRidge(own=1e12).fit(often, RUN)
    touched = np.flatnonzero(often.item_counts)
    rare = touched[often.item_counts[touched] <= np.quantile(often.item_counts[touched], 0.05)]
    ratio = np.linalg.norm(own[:, rare], axis=0) / np.linalg.norm(source.weights.toarray()[:, rare], axis=0)
    assert 0.9 < np.median(ratio) < 1.3  # negative entries and the diagonal are taken away after calibration


def test_columns_that_the_data_lacks_are_left_out():
    one = BridgeRidge(columns={"tfidf": 1.0, "absent": 3.0}).fit(DATA, RUN)
    other = BridgeRidge(columns={"tfidf": 1.0}).fit(DATA, RUN)
    np.testing.assert_array_equal(one.weights.toarray(), other.weights.toarray())
    with pytest.raises(CannotFit, match="none of the item columns"):
        BridgeRidge(columns={"absent": 1.0}).fit(DATA, RUN)


def test_an_item_without_content_borrows_nothing():
    bare = DATA.vectors["tfidf"].toarray()
    bare[WORLD.cold[0]] = 0
    source = BridgeRidge(columns={"bare": 1.0}).fit(DATA.with_vectors("bare", csr_array(bare)), RUN)
    assert not source.weights.toarray()[:, WORLD.cold[0]].any()
    assert source.weights.toarray()[:, WORLD.cold[1]].any()


def test_nothing_to_borrow_from():
    with pytest.raises(CannotFit, match="no event"):
        BridgeRidge().fit(DATA.with_events(np.zeros(DATA.n_events, dtype=bool)), RUN)


@pytest.mark.parametrize("teacher", ["item_knn", "ease"])
def test_too_many_items_are_refused(teacher):
    with pytest.raises(CannotFit, match="too many"):
        BridgeRidge(max_items=10, teacher=teacher).fit(DATA, RUN)


def test_a_kernel_is_the_weighted_sum_of_cosines():
    rows, items = np.array([3, 0, 40]), np.arange(N)
    found = Kernel.of(DATA, COLUMNS, centre=True).between(rows, items)
    wanted = cosines("tfidf")[rows] + 0.5 * cosines("minilm")[rows]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_reasons_add_up():
    source = BridgeRidge(columns=COLUMNS).fit(DATA, RUN)
    queries = Queries.of([[0, 5, 9]])
    items = np.arange(N, dtype=np.int32)[None, :]
    sums = source.parts(queries, items).sum(axis=2)
    np.testing.assert_allclose(sums, source.scored(replace(queries, include_seen=True)).scores, atol=1e-5)
