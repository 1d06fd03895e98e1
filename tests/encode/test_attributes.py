import numpy as np
import pyarrow as pa
import pytest

from accord.core.errors import CannotFit, InputError
from accord.core.run import Run
from accord.encode.attributes import Attributes

RUN = Run(cache=None)
FILMS = pa.table(
    {
        "item_id": ["1", "2", "3", "4"],
        "title": ["Same", "Same", "Same", "Same"],
        "genres": [["Comedy", "Drama"], ["Comedy"], ["Drama", "War"], None],
        "director": pa.array(["Lee", "Lee", "Ang", None]).dictionary_encode(),
        "cast": ["Ann, Bob", "Bob, Cid", "Ann", ""],
        "year": ["1995", "1996", "2003", "2003"],
        "price": [1.0, 2.0, 30.0, None],
        "price_z": [-1.0, 0.0, 1.0, 0.0],
        "sku": ["q1", "q2", "q3", "q4"],
    }
)


def test_columns_are_chosen_by_themselves() -> None:
    encoder = Attributes(bands=2).fit(FILMS, RUN)
    assert encoder.vocabulary == [
        *("cast=Ann", "cast=Bob", "director=Lee", "genres=Comedy", "genres=Drama"),
        *("price=2..", "year=1990s", "year=2000s", "year=2003"),
    ]
    assert encoder.dim == 9


def test_rarer_values_weigh_more_and_rows_are_of_unit_length() -> None:
    items = pa.table({"tags": [["a", "b"], ["a", "b"], ["a"], []]})
    encoder = Attributes().fit(items, RUN)
    rows = encoder.encode(items, RUN).toarray()
    idf = np.log([5 / 3, 5 / 2])
    np.testing.assert_allclose(rows[0], idf / np.linalg.norm(idf), rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 1, 1, 0], rtol=1e-6)


def test_without_idf_all_values_weigh_alike() -> None:
    items = pa.table({"tags": [["a", "b"], ["a", "b"], ["a"], []]})
    rows = Attributes(idf=False).fit(items, RUN).encode(items, RUN).toarray()
    np.testing.assert_allclose(rows, [[0.5**0.5, 0.5**0.5], [0.5**0.5, 0.5**0.5], [1, 0], [0, 0]], rtol=1e-6)


def test_new_prices_fall_into_the_learned_bands() -> None:
    items = pa.table({"price": np.arange(100.0)})
    encoder = Attributes(bands=4).fit(items, RUN)
    rows = encoder.encode(pa.table({"price": [-5.0, 30.0, 1e9, np.nan]}), RUN).toarray()
    assert [encoder.words(int(row.argmax())) if row.any() else "" for row in rows] == [
        *("price=..24.75", "price=24.75..49.5", "price=74.25..", ""),
    ]


def test_a_named_column_is_read_whatever_it_is() -> None:
    assert Attributes(fields=("title",)).fit(FILMS, RUN).vocabulary == ["title=Same"]
    with pytest.raises(InputError, match="brand"):
        Attributes(fields=("brand",)).fit(FILMS, RUN)


@pytest.mark.parametrize("column", [["a", "b"], [None, None], [{"x": 1}, {"x": 1}], [[], []]])
def test_nothing_shared_cannot_be_fitted(column: list) -> None:
    with pytest.raises(CannotFit):
        Attributes().fit(pa.table({"item_id": ["1", "2"], "brand": column}), RUN)


def test_a_share_drops_what_is_rare() -> None:
    items = pa.table({"tags": [["a", "b"]] * 2 + [["a"]] * 8})
    assert Attributes(min_share=0.5).fit(items, RUN).vocabulary == ["tags=a"]
