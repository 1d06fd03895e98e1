"""Idf-weighted attributes: categories, tags, brand, year, price band."""

from __future__ import annotations

import json
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, ValidationError
from scipy.sparse import csr_array

from accord.core.arrays import Floats, Longs
from accord.core.config import Config
from accord.core.errors import ArtefactError, InputError
from accord.core.part import State
from accord.core.run import Run
from accord.encode.terms import TermEncoder, pack, plain_idf, unpack
from accord.encode.traits import Trait, trait


class AttributesConfig(Config):
    """Settings of ``Attributes``."""

    fields: tuple[str, ...] | None = None
    """Columns to read; None: every list, and every column whose values many items share (no prose, no ids)."""
    min_df: int = Field(default=2, ge=1)
    """Values of fewer items are dropped."""
    min_share: float = Field(default=0.0, ge=0, le=1)
    """The same as a share of the items."""
    max_features: int = Field(default=200_000, ge=1)
    """Of more values than this the commonest are kept."""
    idf: bool = True
    """Rare values weigh more, which is better for cosines; false: all alike, which is better where a regression
    (``bridge_ridge``) weighs them itself."""
    bands: int = Field(default=10, ge=2, le=1000)
    """Numbers (price) are cut into this many bands of equally many items."""


class Attributes(TermEncoder):
    """Sparse ``float32[n, values]``, rows of unit length; columns are named like ``genres=Comedy``."""

    Config: ClassVar[type[Config]] = AttributesConfig
    config: AttributesConfig
    traits: list[Trait]
    """The columns that are read, and how."""

    def fit(self, items: pa.Table, run: Run) -> Self:
        """Choose columns and learn values. Raises ``CannotFit`` where no value is shared, ``InputError`` for a
        named column that is not there."""
        self.traits = self._choose(items)
        least = max(self.config.min_df, int(np.ceil(self.config.min_share * items.num_rows)))
        self._learn(self._rows(items), items.num_rows, least, self.config.max_features)
        return self

    def encode(self, items: pa.Table, run: Run) -> csr_array:
        """One row an item; zero where it has none of the values."""
        return self._weigh(self._rows(items), sublinear=False)

    def state(self) -> State:
        """Weights and names, and the columns read as JSON in bytes."""
        return super().state() | pack("traits", [one.model_dump_json() for one in self.traits])

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave."""
        try:
            self.traits = [Trait.model_validate(json.loads(text)) for text in unpack("traits", arrays)]
        except (ValueError, ValidationError) as error:
            raise ArtefactError(f"the saved columns cannot be read ({error})", remedy="Train it again.") from None
        return super().load_state(arrays)

    def _rarity(self, df: Longs, n: int) -> Floats:
        # No smoothing: an attribute is there or not, and a common one (a genre of half the films) says little.
        return plain_idf(df, n) if self.config.idf else np.ones(len(df), np.float32)

    def _choose(self, items: pa.Table) -> list[Trait]:
        fields = self.config.fields
        missing = [name for name in fields or () if name not in items.column_names]
        if missing:
            found = ", ".join(items.column_names)
            raise InputError("the items have no such columns", value=missing, remedy=f"There are: {found}.")
        names = items.column_names if fields is None else fields
        found = [trait(items, name, self.config.bands, named=fields is not None) for name in names]
        return [one for one in found if one is not None]

    def _rows(self, items: pa.Table) -> list[list[str]]:
        rows: list[list[str]] = [[] for _ in range(items.num_rows)]
        for one in self.traits:
            for row, values in zip(rows, one.values(items), strict=True):
                row += [f"{one.name}={value}" for value in values]
        return rows
