"""Items as they arrive, with fields of plain values, brought to the types of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.types as kinds

from accord.core import columns as c
from accord.core.errors import InputError
from accord.core.tables import is_text
from accord.data.kinds import MAX_ID
from accord.data.times import read_times

Arriving = Sequence[tuple[str, Mapping[str, Any]]]
"""Ids and fields."""
_NUMBERS = (int, float)
_BOUNDS = {8: 1 << 7, 16: 1 << 15, 32: 1 << 31, 64: 1 << 63}
"""Above the largest whole number of so many bits."""


def item_rows(items: Arriving, schema: pa.Schema) -> pa.Table:
    """The items as rows of the catalogue: missing fields are null, fields that the catalogue lacks are left out.

    A number becomes text where text is wanted, a whole number a decimal one, text one of a list, a date the seconds
    since 1970. Raises ``InputError`` naming the item, the field and the value that does not fit.
    """
    fields = [field for field in schema if field.name != c.ITEM]
    rows = [
        {c.ITEM: _checked(name), **{field.name: _fitting(name, field, values.get(field.name)) for field in fields}}
        for name, values in items
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def _checked(name: str) -> str:
    if not isinstance(name, str) or not name or len(name) > MAX_ID:
        raise InputError(f"an item needs an id of 1 to {MAX_ID} characters", place=c.ITEM, value=name)
    return name


def _fitting(item: str, field: pa.Field[Any], value: Any) -> Any:
    kind = field.type.value_type if kinds.is_dictionary(field.type) else field.type
    try:
        return None if value is None else _converted(value, kind, field.name)
    except (ValueError, TypeError, OverflowError):
        raise InputError(
            f"the field {field.name!r} does not fit the catalogue, which holds {_told(kind, field.name)}",
            place=f"item {item!r}",
            value=value,
            remedy="Send it in that form, or leave it out.",
        ) from None


def _converted(value: Any, kind: pa.DataType, name: str) -> Any:
    if kinds.is_list(kind) or kinds.is_large_list(kind):
        values = value if isinstance(value, list | tuple) else [value]
        return [_converted(one, kind.value_type, name) for one in values if one is not None]
    if is_text(kind):
        return _text(value)
    if kinds.is_boolean(kind):
        return _of(value, bool)
    if kinds.is_integer(kind):
        return _whole(value, kind)
    if kinds.is_floating(kind):
        return _seconds(value) if name == c.AVAILABLE_AT else _number(value)
    return pa.scalar(value, kind).as_py()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, float) else str(_of(value, str, int))


def _number(value: Any) -> float:
    return float(value if isinstance(value, str) else _plain(value))


def _whole(value: Any, kind: pa.DataType) -> int:
    number = _plain(value)
    bound = _BOUNDS[kind.bit_width]
    if number != int(number) or not -bound <= number < bound:
        raise ValueError(value)
    return int(number)


def _seconds(value: Any) -> float:
    if not isinstance(value, str):
        return float(_plain(value))
    read = read_times(pl.Series([value])).seconds[0]
    if read is None:
        raise ValueError(value)
    return float(read)


def _plain(value: Any) -> int | float:
    if isinstance(value, bool):
        raise TypeError(value)
    return _of(value, *_NUMBERS)


def _of(value: Any, *types: type[Any]) -> Any:
    if not isinstance(value, types):
        raise TypeError(value)
    return value


def _told(kind: pa.DataType, name: str) -> str:
    if kinds.is_list(kind) or kinds.is_large_list(kind):
        return f"lists of {_told(kind.value_type, name)}"
    if name == c.AVAILABLE_AT:
        return "times"
    if is_text(kind):
        return "text"
    if kinds.is_boolean(kind):
        return "true or false"
    return "whole numbers" if kinds.is_integer(kind) else "numbers" if kinds.is_floating(kind) else str(kind)
