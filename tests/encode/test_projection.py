import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array, random_array

from accord.core.errors import CannotFit, InputError
from accord.core.run import Run
from accord.encode.projection import Projection, main_axes
from accord.encode.tfidf import Tfidf

RUN = Run(cache=None)


def test_whitening_gives_the_identity_as_covariance() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(10_000, 12)) @ rng.normal(size=(12, 12)) + 5).astype(np.float32)
    mean, axes = main_axes(vectors, 8, whiten=True, seed=0)
    np.testing.assert_allclose(np.cov((vectors - mean) @ axes, rowvar=False), np.eye(8), atol=1e-3)


def test_axes_are_the_main_ones() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(500, 6)).astype(np.float32) * [1, 9, 2, 1, 5, 1]
    _, axes = main_axes(vectors.astype(np.float32), 2, whiten=False, seed=0)
    assert np.abs(axes).argmax(axis=0).tolist() == [1, 4]
    assert (axes.max(axis=0) > 0.9).all()


def test_sparse_vectors_keep_their_likeness_and_whiten_their_second_moment() -> None:
    vectors = csr_array(random_array((60, 40), density=0.2, rng=np.random.default_rng(0), dtype=np.float32))
    mean, axes = main_axes(vectors, 40, whiten=False, seed=0)
    projected = vectors @ axes
    assert not mean.any()
    np.testing.assert_allclose(projected @ projected.T, (vectors @ vectors.T).toarray(), atol=1e-4)
    _, axes = main_axes(vectors, 10, whiten=True, seed=0)
    white = vectors @ axes
    np.testing.assert_allclose(white.T @ white / 60, np.eye(10), atol=1e-4)


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_vectors_that_do_not_vary_cannot_be_fitted(rows: int) -> None:
    with pytest.raises(CannotFit):
        main_axes(np.ones((rows, 3), np.float32), 2, whiten=True, seed=0)


def test_noise_is_not_blown_up() -> None:
    line = np.outer(np.arange(9.0), [1, 2, 3]).astype(np.float32)
    assert main_axes(line, 3, whiten=True, seed=0)[1].shape == (3, 1)


def test_wraps_an_encoder_with_its_settings() -> None:
    items = pa.table({"title": ["red nail polish", "blue nail polish", "red lipstick", "blue lipstick", None]})
    projection = Projection(of="tfidf", params={"min_df": 1}, dim=2).fit(items, RUN)
    assert projection.encode(items, RUN).shape == (5, 2)
    assert isinstance(projection.inner, Tfidf)
    assert projection.inner.config.min_df == 1
    assert projection.fingerprint != Projection(of="tfidf", dim=2).fit(items, RUN).fingerprint


def test_wrong_settings_of_the_inner_encoder_are_named() -> None:
    with pytest.raises(InputError, match="min_df"):
        Projection(of="tfidf", params={"min_df": "many"})
    with pytest.raises(InputError, match="There are"):
        Projection(of="nonsense")
