import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from accord.core.queries import Queries
from accord.core.slate import Slate
from accord.fuse.rank import Rank, mean_ranks

NAN = np.nan
SLATE = Slate(
    np.array([[5, 6, 7, 8, -1]], np.int32),
    {
        "a": np.array([[3, 1, 3, NAN, NAN]], np.float32),
        "b": np.array([[0.1, 0.2, NAN, 0.9, NAN]], np.float32),
    },
)


def test_reciprocal_ranks_by_hand():
    parts = Rank(sources=("a", "b")).contributions(SLATE)[0]
    np.testing.assert_allclose(parts[:, 0], np.array([1 / 61.5, 1 / 63, 1 / 61.5, 0, 0]) / 2, rtol=1e-6)
    np.testing.assert_allclose(parts[:, 1], np.array([1 / 63, 1 / 62, 0, 1 / 61, 0]) / 2, rtol=1e-6)
    fused = Rank(sources=("a", "b"), k0=0)(Queries.of([[]]), SLATE)
    wanted = np.array([1 / 1.5 + 1 / 3, 1 / 3 + 1 / 2, 1 / 1.5, 1, NAN]) / 2
    np.testing.assert_allclose(fused.column("score")[0], wanted, rtol=1e-6)


def test_borda_by_hand():
    parts = Rank(sources=("a", "b"), method="borda").contributions(SLATE)[0]
    np.testing.assert_allclose(parts[:, 0], np.array([2.5 / 3, 1 / 3, 2.5 / 3, 0, 0]) / 2, rtol=1e-6)
    np.testing.assert_allclose(parts[:, 1], np.array([1 / 3, 2 / 3, 0, 3 / 3, 0]) / 2, rtol=1e-6)


@given(st.integers(0, 100_000), st.integers(1, 4))
def test_mean_ranks_are_those_of_another_implementation(seed, levels):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-levels, levels + 1, rng.integers(1, 9, 2)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.2] = NAN
    ranks = mean_ranks(scores)
    assert np.array_equal(np.isnan(ranks), np.isnan(scores))
    for row, wanted in zip(ranks, scores, strict=True):
        known = ~np.isnan(wanted)
        np.testing.assert_allclose(row[known], rankdata(-wanted[known], method="average"))


def test_sources_in_another_order_give_the_same_scores():
    one, other = (Rank(sources=names)(Queries.of([[]]), SLATE) for names in (("a", "b"), ("b", "a")))
    np.testing.assert_allclose(one.column("score"), other.column("score"), rtol=1e-6)
