import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from accord.core.errors import CannotFit, InputError
from accord.core.roles import Encoder
from accord.core.run import Run
from accord.encode.concat import Concat
from accord.encode.projection import Projection

RUN = Run(cache=None)
ITEMS = pa.table(
    {
        "title": ["red nail polish", "blue nail polish", "red lipstick", "blue lipstick", None, None],
        "brand": ["OPI", "Mac", "OPI", "Mac", "OPI", None],
    }
)
WORDS = {"kind": "tfidf", "min_df": 1}
BRAND = {"kind": "attributes", "fields": ["brand"]}
DENSE = {"kind": "projection", "of": "tfidf", "params": {"min_df": 1}, "dim": 4, "whiten": False}


def rows(encoder: Encoder) -> np.ndarray:
    vectors = encoder.fit(ITEMS, RUN).encode(ITEMS, RUN)
    return vectors.toarray() if isinstance(vectors, csr_array) else vectors


def likeness(*parts: dict) -> np.ndarray:
    joined = rows(Concat(parts=parts))
    return joined @ joined.T


@pytest.mark.parametrize("words", [WORDS, DENSE])
def test_likeness_is_the_weighted_mean_of_the_likenesses(words: dict) -> None:
    alone, brand = likeness(words), likeness(BRAND)
    joined = likeness({**words, "weight": 3.0}, BRAND)
    np.testing.assert_allclose(joined[:4, :4], (3 * alone + brand)[:4, :4] / 4, atol=1e-5)


def test_a_part_without_content_leaves_the_others() -> None:
    joined = rows(Concat(parts=[{**WORDS, "weight": 3.0}, BRAND]))
    np.testing.assert_allclose(joined[4] @ joined[4], 1, atol=1e-6)
    np.testing.assert_allclose(joined[4] @ joined[0], 0.5, atol=1e-6)
    assert not joined[5].any()


def test_sparse_where_one_part_is() -> None:
    assert isinstance(Concat(parts=[WORDS, DENSE]).fit(ITEMS, RUN).encode(ITEMS, RUN), csr_array)
    assert isinstance(Concat(parts=[DENSE, DENSE]).fit(ITEMS, RUN).encode(ITEMS, RUN), np.ndarray)


def test_projected_it_keeps_the_likeness_in_fewer_numbers() -> None:
    joined = likeness(WORDS, BRAND)
    projected = rows(Projection(of="concat", params={"parts": [WORDS, BRAND]}, dim=5, whiten=False))
    assert projected.shape == (6, 5)
    np.testing.assert_allclose((projected @ projected.T)[:4, :4], joined[:4, :4], atol=1e-3)


def test_settings_and_weights_tell_apart() -> None:
    prints = {
        Concat(parts=parts).fit(ITEMS, RUN).fingerprint
        for parts in ([WORDS, BRAND], [WORDS, {**BRAND, "weight": 2.0}], [BRAND, WORDS])
    }
    assert len(prints) == 3


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([], "parts"),
        ([{"weight": 1.0}], "kind"),
        ([{**WORDS, "weight": 0}], "weight"),
        ([{**WORDS, "weight": "much"}], "weight"),
        ([WORDS, {"kind": "nonsense"}], r"parts\[1\].*There are"),
        ([{"kind": "tfidf", "no_such_key": 1}], r"parts\[0\].*no_such_key"),
    ],
)
def test_mistakes_are_named(parts: list, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Concat(parts=parts)


def test_a_part_that_does_not_apply_stops_it() -> None:
    with pytest.raises(CannotFit):
        Concat(parts=[WORDS, BRAND]).fit(ITEMS.select(["brand"]), RUN)
