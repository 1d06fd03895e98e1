import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from accord.core.arrays import Floats
from accord.core.errors import InputError
from accord.core.run import Run
from accord.encode.cache import BATCH, VectorCache, encode_cached

RUN = Run(cache=None)


class Model:
    """Gives a text's length and first letter, and remembers what it was asked."""

    def __init__(self, fail_after: int = 1_000_000) -> None:
        self.seen: list[str] = []
        self.fail_after = fail_after

    def __call__(self, texts: list[str]) -> Floats:
        if len(self.seen) >= self.fail_after:
            raise KeyboardInterrupt
        self.seen += texts
        return np.array([[len(text), ord(text[0])] for text in texts], np.float32)


def encoded(texts: list[str], path: Path | None, model: Model) -> Floats:
    return encode_cached(texts, model, VectorCache(path, 2), RUN, "test")


def test_each_text_is_encoded_once_and_empty_ones_never(tmp_path: Path) -> None:
    model = Model()
    for path in (None, tmp_path / "v.sqlite"):
        model.seen.clear()
        rows = encoded(["ab", "", "c", "ab"], path, model)
        assert rows.tolist() == [[2, 97], [0, 0], [1, 99], [2, 97]]
        assert sorted(model.seen) == ["ab", "c"]


def test_a_second_run_encodes_nothing(tmp_path: Path) -> None:
    path, texts = tmp_path / "new" / "v.sqlite", [f"text {n}" for n in range(1500)]
    first, idle = encoded(texts, path, Model()), Model()
    np.testing.assert_array_equal(encoded(texts[::-1], path, idle), first[::-1])
    assert idle.seen == []


def test_without_a_cache_every_run_encodes() -> None:
    model = Model()
    encoded(["a"], None, model)
    encoded(["a"], None, model)
    assert model.seen == ["a", "a"]


def test_an_interrupted_run_resumes(tmp_path: Path) -> None:
    path, texts = tmp_path / "v.sqlite", [f"text {n}" for n in range(3 * BATCH)]
    with pytest.raises(KeyboardInterrupt):
        encoded(texts, path, Model(fail_after=2 * BATCH))
    rest = Model()
    encoded(texts, path, rest)
    assert len(rest.seen) == BATCH


@pytest.mark.parametrize("damage", [b"short", b"", None, "text", np.array([np.nan, 1], "<f4").tobytes()])
def test_damaged_rows_are_encoded_again(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "v.sqlite"
    wanted = encoded(["a", "b"], path, Model())
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("UPDATE vectors SET vector = ?", (damage,))
    again, idle = Model(), Model()
    np.testing.assert_array_equal(encoded(["a", "b"], path, again), wanted)
    np.testing.assert_array_equal(encoded(["a", "b"], path, idle), wanted)
    assert (sorted(again.seen), idle.seen) == (["a", "b"], [])


def test_a_file_that_is_no_database_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "v.sqlite"
    path.write_text("torn")
    assert encoded(["a"], path, Model()).any()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="ACCORD_CACHE"):
        VectorCache(tmp_path / "file" / "v.sqlite", 2)


def test_two_writers_share_the_file(tmp_path: Path) -> None:
    one, two = VectorCache(tmp_path / "v.sqlite", 2), VectorCache(tmp_path / "v.sqlite", 2)
    vectors = np.ones((1, 2), np.float32)
    one.put(["x"], vectors)
    two.put(["x"], vectors)
    two.put(["y"], vectors)
    assert sorted(key for key, _ in one.get(["x", "y", "z"])) == ["x", "y"]
