"""Which columns of the items table are attributes, and how each gives values such as ``genres=Comedy``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.types as kinds
from pydantic import BaseModel, ConfigDict

from accord.core import columns as c
from accord.encode.content import clean, readable

PROSE = {c.ITEM, c.ITEM_NUMBER, c.TITLE, c.DESCRIPTION, c.TEXT, c.IMAGE, c.AVAILABLE_AT, "url", "id", "name"}
DERIVED = re.compile(r"_(z|missing)$")
SEPARATORS = ("|", ";", ",")
MAX_CHARS, MAX_VALUES, FEW = 100, 200, 20
"""Bounds of one value, of the values of one cell, and the numbers that are kept as values rather than bands."""


class Trait(BaseModel):
    """How one column gives values; learned from the catalogue and saved with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    how: Literal["values", "bands", "year"]
    separator: str | None = None
    """Where one string holds several values: what stands between them."""
    edges: tuple[float, ...] = ()
    """Inner borders of the bands, ascending."""

    def values(self, items: pa.Table) -> list[list[str]]:
        """The values of each item; a column that the table lacks gives none."""
        if self.name not in items.column_names:
            return [[] for _ in range(items.num_rows)]
        return [self._of(cell) for cell in items[self.name].to_pylist()]

    def _of(self, cell: object) -> list[str]:
        if self.how == "bands":
            return self._band(cell)
        cells = cell if isinstance(cell, list) else [cell]
        found = (clean(piece, MAX_CHARS) for value in cells for piece in self._split(readable(value)[: MAX_CHARS**2]))
        names = list(dict.fromkeys(islice(filter(None, found), MAX_VALUES)))
        return names + [f"{name[:3]}0s" for name in names if self.how == "year" and re.fullmatch(r"\d{4}", name)]

    def _split(self, text: str) -> list[str]:
        return text.split(self.separator) if self.separator else [text]

    def _band(self, cell: object) -> list[str]:
        if not isinstance(cell, (int, float)) or not np.isfinite(cell):
            return []
        place = int(np.searchsorted(self.edges, cell, side="right"))
        low = f"{self.edges[place - 1]:g}" if place else ""
        high = f"{self.edges[place]:g}" if place < len(self.edges) else ""
        return [f"{low}..{high}"]


def trait(items: pa.Table, name: str, bands: int, named: bool) -> Trait | None:
    """How a column gives values; None where it is no attribute (prose, all different, derived, of another type).

    ``named``: the caller asked for this column, so only its type may stand in the way.
    """
    if not named and (name in PROSE or DERIVED.search(name)):
        return None
    kind = items.schema.field(name).type
    if kinds.is_dictionary(kind):
        kind = kind.value_type
    if _is_list(kind):
        return Trait(name=name, how="values") if _is_scalar(kind.value_type) else None
    if name == "year" or name.endswith("_year"):
        return Trait(name=name, how="year") if _is_scalar(kind) else None
    if kinds.is_integer(kind) or kinds.is_floating(kind):
        return _numeric(items, name, bands, named)
    if _is_string(kind):
        return _strings(items, name, named)
    return Trait(name=name, how="values") if kinds.is_boolean(kind) else None


def _numeric(items: pa.Table, name: str, bands: int, named: bool) -> Trait | None:
    values = np.array([value for value in items[name].to_pylist() if value is not None], np.float64)
    values = values[np.isfinite(values)]
    if name != c.PRICE and len(np.unique(values)) <= FEW:
        return Trait(name=name, how="values")
    if not len(values) or not (named or name == c.PRICE):
        return None
    edges = np.unique(np.quantile(values, np.arange(1, bands) / bands))
    return Trait(name=name, how="bands", edges=tuple(edges.tolist()))


def _strings(items: pa.Table, name: str, named: bool) -> Trait | None:
    cells = [cell for cell in items[name].to_pylist() if cell]
    separator = next((mark for mark in SEPARATORS if _separates(cells, mark)), None)
    found = Trait(name=name, how="values", separator=separator)
    return found if named or _repeats(found.values(items)) else None


def _separates(cells: list[str], mark: str) -> bool:
    """Whether many cells hold the mark between short pieces."""
    holding = [cell for cell in cells if mark in cell]
    pieces = [len(piece.strip()) for cell in holding for piece in islice(cell.split(mark), MAX_VALUES)]
    return len(holding) >= max(2, len(cells) / 5) and float(np.median(pieces)) <= 30


def _repeats(rows: Iterable[list[str]]) -> bool:
    """Whether the values are short, and at least a fifth of the items share one with another item."""
    rows = [row for row in rows if row]
    counts = Counter(value for row in rows for value in row)
    shared = sum(any(counts[value] > 1 for value in row) for row in rows)
    return bool(rows) and shared * 5 >= len(rows) and float(np.median([len(value) for value in counts])) <= 40


def _is_list(kind: pa.DataType) -> bool:
    return kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind)


def _is_string(kind: pa.DataType) -> bool:
    return kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind)


def _is_scalar(kind: pa.DataType) -> bool:
    if kinds.is_dictionary(kind):
        kind = kind.value_type
    return _is_string(kind) or kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_boolean(kind)
