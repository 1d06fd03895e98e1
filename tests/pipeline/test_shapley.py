"""Parts of a fused score: Shapley's axioms, against the definition, and for every fuser there is."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

import shop
from accord.core.columns import SCORE
from accord.core.queries import Queries
from accord.core.slate import Slate
from accord.fuse.base import Fuser
from accord.fuse.product import Product
from accord.fuse.rank import Rank
from accord.fuse.softmax import Softmax
from accord.fuse.weighted import Weighted
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.reasons import explain
from accord.pipeline.shapley import BASE, OTHERS, attributed, shapley
from accord.testing import planted

SOURCES = (*planted.SIGNAL, "silent")


def one_list(seed: int = 0) -> Slate:
    return planted.panel(queries=1, seed=seed).slate


def asked(slate: Slate) -> Queries:
    return Queries.of([[]] * len(slate))


def places_of(slate: Slate, k: int = 5) -> np.ndarray:
    return np.arange(k)


def score_of(fuser: Fuser, slate: Slate, speaking: set[str]) -> np.ndarray:
    for name in SOURCES:
        if name not in speaking:
            slate = slate.with_column(name, np.full(slate.items.shape, np.nan, np.float32))
    return fuser(asked(slate), slate).column(SCORE)[0].astype(np.float64)


@pytest.mark.parametrize("fuser", [Softmax(sources=SOURCES), Product(sources=SOURCES, content=("weak",))])
def test_values_are_means_over_all_orders_of_speaking(fuser: Fuser) -> None:
    fuser.fit(planted.panel(), shop.run())
    slate = one_list()
    orders = list(permutations(SOURCES))
    wanted = {name: np.zeros(slate.width) for name in SOURCES}
    for order in orders:
        for place, name in enumerate(order):
            before, after = set(order[:place]), set(order[: place + 1])
            wanted[name] += (score_of(fuser, slate, after) - score_of(fuser, slate, before)) / len(orders)
    found = shapley(fuser, asked(slate), slate, places_of(slate))
    assert found.names == (*SOURCES, BASE)
    for name, values in zip(SOURCES, found.values.T, strict=False):
        np.testing.assert_allclose(values, wanted[name][:5], atol=1e-4)
    np.testing.assert_allclose(found.values[:, -1], score_of(fuser, slate, set())[:5], atol=1e-5)


@pytest.mark.parametrize("fuser", [Weighted(sources=SOURCES), Rank(sources=SOURCES)])
def test_where_parts_stand_alone_they_are_the_shapley_values(fuser: Fuser) -> None:
    slate = one_list(1)
    found = shapley(fuser, asked(slate), slate, places_of(slate))
    np.testing.assert_allclose(found.values[:, :-1], fuser.contributions(slate)[0, :5], atol=1e-5)
    told = attributed(fuser, asked(slate), slate, places_of(slate)[None])[0]
    assert told.names == SOURCES
    np.testing.assert_array_equal(told.values, fuser.contributions(slate)[0, :5])


class Loudest(Fuser):
    """The highest of all scores: a fuser from outside whose contributions say nothing of the sort."""

    def contributions(self, slate: Slate) -> np.ndarray:
        values = np.stack([np.nan_to_num(slate.column(name)) for name in self.config.sources], axis=2)
        return np.repeat(values.max(axis=2, keepdims=True), values.shape[2], axis=2) / values.shape[2]


def many(n: int, width: int = 6) -> Slate:
    """``n`` sources of falling strength."""
    rng = np.random.default_rng(3)
    scores = {f"s{number}": rng.random((1, width)).astype(np.float32) / (1 + number) ** 2 for number in range(n)}
    return Slate(np.arange(width, dtype=np.int32)[None], scores)


def test_the_highest_of_two_is_shared_by_both() -> None:
    slate = Slate(np.array([[7]], np.int32), {"a": np.array([[1.0]], np.float32), "b": np.array([[3.0]], np.float32)})
    found = shapley(Loudest(sources=("a", "b")), asked(slate), slate, np.array([0]))
    np.testing.assert_allclose(found.values, [[0.5, 2.5, 0.0]], atol=1e-6)


@pytest.mark.parametrize("n", [1, 7, 8, 15])
def test_parts_add_up_and_the_weakest_are_one_part(n: int) -> None:
    slate = many(n)
    fuser = Loudest(sources=tuple(slate.columns))
    found = shapley(fuser, asked(slate), slate, np.arange(6))
    strong = tuple(f"s{number}" for number in range(n if n <= 7 else 6))
    assert found.names == (*strong, *((OTHERS,) if n > 7 else ()), BASE)
    wanted = fuser(asked(slate), slate).column(SCORE)[0]
    np.testing.assert_allclose(found.values.sum(axis=1), wanted, atol=1e-5)


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    slate = many(8)
    whole = shapley(Loudest(sources=tuple(slate.columns)), asked(slate), slate, np.arange(6))
    monkeypatch.setattr("accord.pipeline.shapley.CELLS", 700)
    parts = shapley(Loudest(sources=tuple(slate.columns)), asked(slate), slate, np.arange(6))
    np.testing.assert_array_equal(parts.values, whole.values)


@pytest.mark.parametrize("kind", [Softmax, Product, Loudest])
def test_reasons_of_any_fuser_add_up_to_the_score(pipeline: Pipeline, kind: type[Fuser]) -> None:
    fused = replace(pipeline, fuser=kind(sources=tuple(pipeline.sources)))
    queries = fused.data.queries(np.arange(3))
    slate = fused.recommend(queries, 5)
    for row, reasons in enumerate(explain(fused, queries, slate)):
        for place, reason in enumerate(reasons):
            assert set(reason.sources) == {*fused.sources, BASE}
            assert sum(reason.sources.values()) == pytest.approx(float(slate.column("score")[row, place]), abs=1e-4)
            assert reason.because or kind is Loudest  # it hears popularity alone, which counts in events
