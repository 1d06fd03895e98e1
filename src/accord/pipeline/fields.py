"""The fields of the items table as arrays that rules are evaluated on: read once, asked on every request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from accord.core import columns as c
from accord.core.arrays import Bools, Doubles, Longs, Ragged, offsets_of
from accord.core.errors import InputError
from accord.core.tables import is_text

Kind: TypeAlias = Literal["text", "list", "yes or no", "number", "time"]
"""What a field holds."""
TIMES = frozenset({c.AVAILABLE_AT, c.TIME})
"""Columns of seconds since 1970 that are times by their name."""


@dataclass(frozen=True)
class Words:
    """A field of labels: one an item, several, or none."""

    words: list[str]
    """The distinct labels by code."""
    of_item: Ragged
    """The codes of each item, each once."""

    @cached_property
    def codes(self) -> dict[str, int]:
        """The code of each label."""
        return {word: code for code, word in enumerate(self.words)}

    @cached_property
    def of_word(self) -> Ragged:
        """The items of each code, ascending."""
        return Ragged.grouped(self.of_item.values, self.of_item.rows, len(self.words))

    @cached_property
    def known(self) -> Bools:
        """``bool[n_items]``: items that have a label."""
        return self.of_item.lengths > 0

    def having(self, words: Iterable[str]) -> Bools:
        """``bool[n_items]``, fresh: items with any of the labels; a label that no item has is no error."""
        mask = np.zeros(len(self.of_item), dtype=bool)
        for word in words:
            if word in self.codes:
                mask[self.of_word[self.codes[word]]] = True
        return mask


@dataclass(frozen=True)
class Numbers:
    """A field of numbers, times as seconds since 1970."""

    values: Doubles
    """``float64[n_items]``, NaN where unknown. Whole numbers beyond 2**53 are rounded."""

    @cached_property
    def known(self) -> Bools:
        """``bool[n_items]``: items that have a number."""
        return ~np.isnan(self.values)


class Fields:
    """The columns of an items table, each compiled when it is first asked for and kept.

    Memory is at most some 24 bytes for each label of each item and 9 for each number.
    """

    def __init__(self, items: pa.Table) -> None:
        self.items = items
        self.kinds = dict[str, Kind]()
        """What each usable column holds."""
        for name in items.column_names:
            if (kind := _kind(name, items.schema.field(name).type)) is not None:
                self.kinds[name] = kind
        self._words: dict[str, Words] = {}
        self._numbers: dict[str, Numbers] = {}
        self._groups: dict[str, Ragged] = {}

    def kind(self, name: str, place: str) -> Kind:
        """What a field holds. Raises ``InputError`` naming the fields there are."""
        if name not in self.kinds:
            have = ", ".join(f"{field} ({kind})" for field, kind in self.kinds.items())
            raise InputError("the items have no such field", place=place, value=name, remedy=f"There are: {have}.")
        return self.kinds[name]

    def need(self, name: str, place: str, *kinds: Kind) -> Kind:
        """As ``kind``; raises ``InputError`` where the field holds something else than what a rule reads."""
        kind = self.kind(name, place)
        if kind not in kinds:
            raise InputError(
                f"the field {name!r} holds {_told(kind)}", place=place, value=name, remedy=self._others(kinds)
            )
        return kind

    def _others(self, kinds: tuple[Kind, ...]) -> str:
        have = [name for name, kind in self.kinds.items() if kind in kinds]
        wanted = " or ".join(_told(kind) for kind in kinds)
        return f"Fields that hold {wanted}: {', '.join(have) or 'none'}."

    def words(self, name: str) -> Words:
        """A field of labels; yes and no are the labels ``true`` and ``false``."""
        return _kept(self._words, name, lambda: _read_words(self.items[name]))

    def numbers(self, name: str) -> Numbers:
        """A field of numbers or times."""
        return _kept(self._numbers, name, lambda: Numbers(_read_numbers(self.items[name])))

    def groups(self, name: str, place: str) -> Ragged:
        """The values of each item as codes, whatever the field holds; items of one number have one code."""
        if self.kind(name, place) not in ("number", "time"):
            return self.words(name).of_item
        return _kept(self._groups, name, lambda: _by_number(self.numbers(name)))


def _kept(kept: dict[str, Any], name: str, make: Callable[[], Any]) -> Any:
    """Two threads may both make it; they make the same."""
    if name not in kept:
        kept[name] = make()
    return kept[name]


def _by_number(numbers: Numbers) -> Ragged:
    rows = np.flatnonzero(numbers.known)
    codes = np.unique(numbers.values[rows], return_inverse=True)[1]
    return Ragged.grouped(rows, codes, len(numbers.values))


def _told(kind: Kind) -> str:
    return {"text": "text", "list": "lists", "yes or no": "yes or no", "number": "numbers", "time": "times"}[kind]


def _kind(name: str, kind: pa.DataType) -> Kind | None:
    """None for columns that rules cannot read, such as structures."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_temporal(kind) and not pa.types.is_duration(kind) and not pa.types.is_time(kind):
        return "time"
    if pa.types.is_boolean(kind):
        return "yes or no"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "time" if name in TIMES else "number"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        nested = pa.types.is_nested(kind.value_type)
        return None if nested else "list"
    return "text" if is_text(kind) else None


def _read_numbers(column: pa.ChunkedArray[Any]) -> Doubles:
    if pa.types.is_temporal(column.type):
        column = pc.divide(column.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.float64()), 1e6)
    return column.cast(pa.float64(), safe=False).to_numpy().astype(np.float64)


def _read_words(column: pa.ChunkedArray[Any]) -> Words:
    flat: Any = column.combine_chunks()
    several = pa.types.is_list(flat.type) or pa.types.is_large_list(flat.type)
    if several:
        rows = pc.list_parent_indices(flat).to_numpy(zero_copy_only=False).astype(np.int64)
        flat = pc.list_flatten(flat)
    else:
        rows = np.arange(len(flat))
    encoded = flat.cast(pa.large_string()).dictionary_encode()
    words: list[str] = encoded.dictionary.to_pylist()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    said = codes >= 0
    if "" in words:  # says nothing
        said &= codes != words.index("")
    rows, codes = rows[said], codes[said]
    if several:
        rows, codes = _distinct(rows, codes, len(words))
    return Words(words, Ragged(codes, offsets_of(np.bincount(rows, minlength=len(column)))))  # rows ascend


def _distinct(rows: Longs, codes: Longs, n_codes: int) -> tuple[Longs, Longs]:
    """Each pair of item and label once, ascending; by sorting, which is many times faster than ``np.unique``."""
    cells = np.sort(rows * max(1, n_codes) + codes)
    cells = cells[np.append(np.ones(min(1, len(cells)), dtype=bool), cells[1:] != cells[:-1])]
    return cells // max(1, n_codes), cells % max(1, n_codes)
