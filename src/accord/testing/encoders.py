"""What every encoder must keep. Inherit in three lines::

class TestMine(EncoderContract):
    name = "mine"
    needs = ("package_it_loads",)
"""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from accord.core import catalog
from accord.core.arrays import Floats, Matrix
from accord.core.errors import CannotFit
from accord.core.roles import Encoder
from accord.core.run import Run
from accord.core.state import load_state, save_state

RUN = Run(cache=None)
EMPTY_ROW = 5

ITEMS = pa.table(
    {
        "item_id": [f"i{n}" for n in range(8)],
        "title": [
            *("Red nail polish", "Blue nail polish", "Matte red lipstick", "Matte lipstick for dry lips"),
            *("Wireless computer mouse", None, "Wireless computer keyboard", "无线键盘 wireless keyboard"),
        ],
        "description": [
            "A shiny polish",
            "A shiny polish",
            "",
            "For dry lips",
            "For the office",
            None,
            "Office",
            "办公",
        ],
        "tags": [
            ["nails"],
            ["nails"],
            ["lips"],
            ["lips", "care"],
            ["tech"],
            None,
            ["tech", "office"],
            ["tech", "office"],
        ],
        "brand": ["OPI", "OPI", "Mac", "Mac", "Logi", None, "Logi", "Logi"],
        "price": [4.0, 4.5, 12.0, 13.0, 30.0, None, 41.0, 39.0],
    }
)
"""Two pairs and a triple of like items, and one of which nothing is known."""

HOSTILE = [
    *("", " \n\t", "\x00\x01\x7f", "[SEP][CLS][PAD]", "{title.__class__} {0} %s", "'; DROP TABLE vectors; --"),
    *("💅🏽👩‍👩‍👧‍👦", "́" * 300, "\u202eright to left\u202c", "漢" * 5000, "nail " * 50_000, "x" * 100_000, "½ ﬁ Ⅷ"),
]
"""Texts that have broken somebody's program."""


class EncoderContract:
    """Tests of one registered encoder; see the module for how to inherit them."""

    name: ClassVar[str]
    """The registered name."""
    settings: ClassVar[dict[str, Any]] = {}
    """Configuration to test, where the default does not suit a catalogue of eight items."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Packages without which the tests are skipped."""
    tolerance: ClassVar[float] = 1e-6
    """How far two runs over differently cut batches may differ."""

    @classmethod
    def make(cls) -> Encoder:
        """A new encoder, not fitted."""
        missing = [package for package in cls.needs if importlib.util.find_spec(package) is None]
        if missing:
            pytest.skip(f"{cls.name} needs packages that are not installed: {', '.join(missing)}")
        return catalog.find("encoders", cls.name)(**cls.settings)

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls) -> Encoder:
        """One encoder fitted on the contract's items."""
        return cls.make().fit(ITEMS, RUN)

    @pytest.fixture(scope="class")
    @classmethod
    def rows(cls, fitted: Encoder) -> Floats:
        """What it makes of these items."""
        return dense(fitted.encode(ITEMS, RUN))

    def test_one_row_an_item(self, fitted: Encoder) -> None:
        """Dense or sparse float32 of the promised width, also for a table without rows."""
        for items in (ITEMS, ITEMS.slice(0, 1), ITEMS.slice(0, 0)):
            vectors = fitted.encode(items, RUN)
            assert isinstance(vectors, (np.ndarray, csr_array))
            assert vectors.shape == (items.num_rows, fitted.dim)
            assert vectors.dtype == np.float32

    def test_unit_rows_and_zero_for_no_content(self, rows: Floats) -> None:
        """Rows have length one; the item of which nothing is known has a zero row."""
        wanted = np.ones(len(rows))
        wanted[EMPTY_ROW] = 0
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), wanted, atol=1e-5)

    def test_like_items_are_near(self, rows: Floats) -> None:
        """The nearest item is one of the same group."""
        likeness = rows @ rows.T - 2 * np.eye(len(rows))
        assert likeness[:4].argmax(axis=1).tolist() == [1, 0, 3, 2]
        assert likeness[6].argmax() in (4, 7)

    def test_deterministic(self, rows: Floats) -> None:
        """A second fit with the same seed gives the same vectors."""
        again = dense(self.make().fit(ITEMS, RUN).encode(ITEMS, RUN))
        np.testing.assert_allclose(again, rows, atol=self.tolerance)

    def test_saved_and_loaded(self, fitted: Encoder, rows: Floats, tmp_path: Path) -> None:
        """Configuration and arrays are all there is: they give the same vectors and the same fingerprint."""
        save_state(tmp_path / "part.safetensors", fitted.state())
        loaded = type(fitted)(**fitted.config.model_dump(mode="json"))
        loaded.load_state(load_state(tmp_path / "part.safetensors"))
        np.testing.assert_allclose(dense(loaded.encode(ITEMS, RUN)), rows, atol=self.tolerance)
        assert loaded.dim == fitted.dim
        assert loaded.fingerprint == fitted.fingerprint

    def test_rows_follow_items(self, fitted: Encoder, rows: Floats) -> None:
        """Items in another order give the same rows in that order."""
        order = np.random.default_rng(0).permutation(len(rows))
        moved = dense(fitted.encode(ITEMS.take(order.tolist()), RUN))
        np.testing.assert_allclose(moved, rows[order], atol=self.tolerance)

    def test_order_of_the_catalogue_does_not_matter(self, rows: Floats) -> None:
        """Fitted on the items in another order, the same items are as near as before."""
        order = np.arange(len(rows))[::-1]
        encoder = self.make().fit(ITEMS.take(order.tolist()), RUN)
        again = dense(encoder.encode(ITEMS, RUN))
        np.testing.assert_allclose(again @ again.T, rows @ rows.T, atol=max(self.tolerance, 1e-5))

    def test_alone_or_among_others(self, fitted: Encoder, rows: Floats) -> None:
        """An item's vector does not depend on what is encoded with it."""
        for row in range(len(rows)):
            alone = dense(fitted.encode(ITEMS.slice(row, 1), RUN))
            np.testing.assert_allclose(alone[0], rows[row], atol=self.tolerance)

    def test_hostile_text(self, fitted: Encoder) -> None:
        """Whatever a text holds, rows are finite, of length one or zero, and in place."""
        columns = {"title": HOSTILE, "description": HOSTILE, "brand": HOSTILE, "tags": [[text] for text in HOSTILE]}
        vectors = dense(fitted.encode(pa.table(columns), RUN))
        length = np.linalg.norm(vectors, axis=1)
        assert np.isfinite(vectors).all()
        assert (np.isclose(length, 1, atol=1e-5) | (length == 0)).all()
        assert not length[:3].any()

    def test_absent_columns(self, fitted: Encoder) -> None:
        """New items may lack columns that the first ones had."""
        assert not dense(fitted.encode(pa.table({"item_id": ["new"]}), RUN)).any()

    def test_nothing_to_read(self) -> None:
        """A catalogue of bare ids cannot be fitted, and the reason is given."""
        with pytest.raises(CannotFit):
            self.make().fit(ITEMS.select(["item_id"]), RUN)


def dense(vectors: Matrix) -> Floats:
    """The vectors as a dense array."""
    return vectors.toarray() if isinstance(vectors, csr_array) else vectors
