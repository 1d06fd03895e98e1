"""Sources that read content, against naive cosines and the formula written out."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from accord.core.errors import CannotFit
from accord.core.queries import Queries
from accord.core.run import Run
from accord.models import content as content_module
from accord.models.bridge import Bridge
from accord.models.content import Content, nearest, unit_rows
from accord.models.item_knn import ItemKNN
from accord.testing.planted import checkerboard

RUN = Run(cache=None)
WORLD = checkerboard(seed=6)
DATA = WORLD.data
N = DATA.n_items


def dense(values):
    return values.toarray() if isinstance(values, csr_array) else np.asarray(values)


def unit(vectors, centre=False):
    vectors = dense(vectors).astype(np.float64)
    if centre:
        vectors = vectors - vectors.mean(axis=0)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def asked() -> Queries:
    return replace(DATA.queries(), include_seen=True)


FORMS = [("tfidf", False), ("minilm", False), ("minilm", True)]


@pytest.mark.parametrize(("column", "centre"), FORMS)
def test_profile_is_the_cosine_with_the_weighted_sum(column, centre):
    vectors = unit(DATA.vectors[column], centre)
    source = Content(column=column, centre=centre, mode="profile", tau=3.0).fit(DATA, RUN)
    history = DATA.histories.matrix(N, 3.0).toarray()
    for user, scores in enumerate(source.scored(asked()).scores):
        profile = sum(history[user, item] * vectors[item] for item in np.flatnonzero(history[user]))
        np.testing.assert_allclose(scores, vectors @ profile / np.linalg.norm(profile), atol=1e-5)


@pytest.mark.parametrize(("column", "centre"), FORMS)
@pytest.mark.parametrize("k", [5, 1000])
def test_knn_is_the_sum_of_cosines_with_neighbours(column, centre, k):
    vectors = unit(DATA.vectors[column], centre)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    source = Content(column=column, centre=centre, k=k).fit(DATA, RUN)
    near = {item: set(np.argsort(-cosines[item])[:k].tolist()) for item in range(N)}
    for user, scores in enumerate(source.scored(asked()).scores[:20]):
        history = dict.fromkeys(DATA.histories.ragged[user].tolist())
        weight = DATA.matrix[[user]].toarray()[0]
        wanted = [sum(weight[i] * max(cosines[j, i], 0) for i in history if i in near[j]) for j in range(N)]
        np.testing.assert_allclose(scores, wanted, atol=1e-5)


def test_neighbours_do_not_depend_on_the_size_of_blocks(monkeypatch):
    vectors = unit_rows(DATA.vectors["tfidf"])
    eligible = np.arange(0, N, 2, dtype=np.int32)
    whole = nearest(vectors, vectors, 5, exclude_self=True, eligible=eligible).toarray()
    assert not whole[:, 1::2].any()
    assert not whole.diagonal().any()
    monkeypatch.setattr(content_module, "block_rows", lambda _: 7)
    np.testing.assert_allclose(nearest(vectors, vectors, 5, exclude_self=True, eligible=eligible).toarray(), whole)


def test_an_item_without_content_stays_without():
    vectors = DATA.vectors["minilm"].copy()
    vectors[3] = 0
    assert not unit_rows(vectors, centre=True)[3].any()
    np.testing.assert_allclose(np.linalg.norm(np.delete(unit_rows(vectors, centre=True), 3, 0), axis=1), 1, rtol=1e-5)
    for mode in ("profile", "knn"):
        source = Content(column="bare", mode=mode, centre=True).fit(DATA.with_vectors("bare", vectors), RUN)
        assert not source.scored(Queries.of([[3]])).scores[0, :3].any()


@pytest.mark.parametrize("mode", ["profile", "knn"])
@pytest.mark.parametrize("kind", [csr_array, np.asarray])
def test_no_content_at_all_is_said(mode, kind):
    bare = DATA.with_vectors("bare", kind(np.zeros((N, 4), np.float32)))
    with pytest.raises(CannotFit, match="no item has content"):
        Content(column="bare", mode=mode).fit(bare, RUN)
    with pytest.raises(CannotFit, match="no item has content"):
        Bridge(column="bare").fit(bare, RUN)


def test_sparse_vectors_are_not_centred_in_silence():
    with pytest.raises(CannotFit, match="centred"):
        Content(column="tfidf", centre=True).fit(DATA, RUN)


def written_out(own: np.ndarray, vectors: np.ndarray, neighbours: int, power: float) -> np.ndarray:
    """Borrowed columns: the mean of the neighbours' own columns, weighted by powered cosines."""
    cosines, borrowed = vectors @ vectors.T, np.zeros_like(own)
    for item in range(N):
        lenders = [n for n in np.flatnonzero(DATA.item_counts) if n != item and cosines[item, n] > 0]
        lenders = sorted(lenders, key=lambda n: -cosines[item, n])[:neighbours]
        weights = np.array([cosines[item, n] for n in lenders]) ** power
        borrowed[:, item] = sum(w * own[:, n] for w, n in zip(weights / weights.sum(), lenders, strict=True))
    return borrowed


@pytest.mark.parametrize(("column", "power", "near"), [("tfidf", 1.0, np.inf), ("minilm", 3.0, 4.0)])
def test_bridge_is_its_formula(column, power, near):
    own = ItemKNN(near=near).fit(DATA, RUN).weights.toarray().astype(np.float64)
    borrowed = written_out(own, unit(DATA.vectors[column]), 4, power)
    counts = DATA.item_counts
    known = np.flatnonzero((counts >= 3) & (counts <= 8))
    assert len(known) > 5
    length = np.linalg.norm(own, axis=0), np.linalg.norm(borrowed, axis=0)
    scale = np.median(length[0][known] / length[1][known])
    share = counts / (counts + 2.0)
    wanted = own * share + scale * borrowed * (1 - share)
    np.fill_diagonal(wanted, 0)
    source = Bridge(column=column, power=power, near=near, neighbours=4, own=2.0).fit(DATA, RUN)
    np.testing.assert_allclose(source.weights.toarray(), wanted, rtol=1e-4, atol=1e-6)


def test_borrowed_columns_are_as_long_as_own_ones_of_items_with_about_five_events():
    own = ItemKNN().fit(DATA, RUN).weights.toarray()
    # so large a share is borrowed that only the borrowed columns remain
    borrowed = Bridge(own=1e9).fit(DATA, RUN).weights.toarray()
    known = (DATA.item_counts >= 3) & (DATA.item_counts <= 8)
    ratio = np.linalg.norm(own[:, known], axis=0) / np.linalg.norm(borrowed[:, known], axis=0)
    # the diagonal is taken away after calibration, so borrowed columns come out a little shorter
    assert 1.0 <= np.median(ratio) < 1.2


def test_much_touched_items_keep_their_own_columns():
    own = ItemKNN().fit(DATA, RUN).weights.toarray()
    warm = DATA.item_counts > 0
    mixed = Bridge(own=1e-6).fit(DATA, RUN).weights.toarray()
    np.testing.assert_allclose(mixed[:, warm], own[:, warm], atol=1e-5)


def test_nothing_to_borrow_from():
    with pytest.raises(CannotFit, match="no event"):
        Bridge().fit(DATA.with_events(np.zeros(DATA.n_events, dtype=bool)), RUN)
