"""Types for columns that came as text: numbers, lists, bounded text."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import polars as pl

from accord.core import columns as c

MAX_TEXT = 20_000
"""Characters of a text that are kept."""
MAX_LABELS = 1_000
"""Entries of a list that are kept."""
MAX_ID = 512
"""Longest id, in characters."""
LISTS = frozenset({c.CATEGORIES, "category", "tags", "tag", "genres", "genre", "keywords", "labels", "attributes"})
"""Columns that are lists by their name: text in them is split on ``|``."""
PROSE = frozenset({c.TITLE, c.DESCRIPTION, c.TEXT, c.IMAGE})
"""Columns that stay text whatever they hold."""
_CODE = re.compile(r"(^|[_\W])(id|ids|code|codes|zip|zipcode|postcode|isbn|asin|sku|ean|upc|phone)$", re.IGNORECASE)
_NOTHING = ("nan", "NaN", "null", "NULL", "<NA>", "\\N")
"""What other programs write where there is nothing."""
_NUMERIC = 0.98
"""A text column is numeric where at least this share of its values are numbers; the others count as missing."""
_PROSE_CHARS = 30
"""A text column is prose where its median text is longer; else its texts are labels."""
_SHARE = 0.05
"""A text column with a ``|`` in at least this share of its values is a list."""


@dataclass(frozen=True)
class Typed:
    """A column with its final type, and a note on how it was read."""

    values: pl.Series
    note: str


def ids(column: pl.Series) -> pl.Series:
    """Ids as trimmed text; empty ones are null, and whole numbers are written without a point."""
    if column.dtype.is_float():
        whole = column.drop_nulls()
        if (whole == whole.round()).all() and whole.abs().max() is not None:
            column = column.cast(pl.Int64, strict=False)
    text = as_text(column).str.strip_chars()
    return text.set(text == "", None)


def as_text(column: pl.Series, separator: str = "|") -> pl.Series:
    """Any column as text; lists are joined."""
    if isinstance(column.dtype, pl.List):
        return column.cast(pl.List(pl.String)).list.join(separator)
    return column.cast(pl.String, strict=False)


def as_floats(column: pl.Series) -> pl.Series:
    """``Float64``: any column as numbers, null where there is none to read."""
    if column.dtype.is_numeric():
        return column.cast(pl.Float64)
    return as_text(column).str.strip_chars().cast(pl.Float64, strict=False)


def typed(column: pl.Series) -> Typed:
    """The type a column of facts deserves: number, list of labels, or text."""
    dtype, name = column.dtype, column.name
    if isinstance(dtype, pl.List):
        return Typed(_labels(column), "list")
    if isinstance(dtype, pl.Boolean):
        return Typed(column.cast(pl.String), "label")
    if dtype.is_temporal():
        return Typed(column.cast(pl.Datetime("us")).dt.timestamp("us").cast(pl.Float64) / 1e6, "time, in seconds")
    if isinstance(dtype, pl.String):
        return _typed_text(column)
    if name in LISTS:
        return Typed(_split(ids(column).alias(name)), "list, split on |")
    return Typed(ids(column), "label") if _is_code(name) else Typed(_finite(column), "number")


def _typed_text(column: pl.Series) -> Typed:
    name = column.name
    column = bounded(column)
    if name in LISTS or (name not in PROSE and _looks_like_lists(column)):
        return Typed(_split(column), "list, split on |")
    if name not in PROSE and not _is_code(name):
        numbers = as_numbers(column)
        if numbers is not None:
            return Typed(numbers, "number")
    median = column.str.len_chars().median()
    long = isinstance(median, float) and median > _PROSE_CHARS
    return Typed(column, "text" if name in PROSE or long else "label")


def as_numbers(column: pl.Series) -> pl.Series | None:
    """The text as numbers, where nearly all values are and none has a leading zero (such as a postal code)."""
    text = column.str.strip_chars()
    if not _mostly(text.drop_nulls().head(1_000)) or not _mostly(text.drop_nulls()):
        return None
    if text.str.contains(r"^[+-]?0\d").any():
        return None
    numbers, whole = text.cast(pl.Float64, strict=False), text.cast(pl.Int64, strict=False)
    return whole if whole.null_count() == numbers.null_count() else _finite(numbers)


def _mostly(text: pl.Series) -> bool:
    return text.len() > 0 and text.cast(pl.Float64, strict=False).count() >= _NUMERIC * text.len()


def prices(column: pl.Series) -> pl.Series:
    """``Float64``: prices as numbers, without currency signs and thousands' marks; null where there is none to read."""
    if column.dtype.is_numeric():
        return _finite(column).cast(pl.Float64)
    text = as_text(column).str.strip_chars()
    digits = text.str.extract(r"([-+]?\d[\d.,']*)", 1)
    digits = digits.str.replace(r"^([-+]?\d+),(\d{1,2})$", "${1}.${2}").str.replace_all(r"[,']", "")
    return _finite(digits.cast(pl.Float64, strict=False))


def bounded(column: pl.Series) -> pl.Series:
    """Text cut to ``MAX_TEXT`` characters; null where it is blank or says nothing (``nan``, ``null``)."""
    longest = column.str.len_bytes().max()
    if isinstance(longest, int) and longest > MAX_TEXT:
        column = column.str.slice(0, MAX_TEXT)
    return column.set(column.str.contains(r"^\s*$") | column.is_in(_NOTHING), None)


def _finite(column: pl.Series) -> pl.Series:
    return column.set(~column.is_finite(), None) if column.dtype.is_float() else column


def _is_code(name: str) -> bool:
    return bool(_CODE.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)))


def _looks_like_lists(column: pl.Series) -> bool:
    present = column.drop_nulls()
    return present.len() > 0 and present.str.contains("|", literal=True).sum() >= max(1, _SHARE * present.len())


def _split(column: pl.Series) -> pl.Series:
    """Text to lists of labels: JSON lists where it starts with a bracket, else split on ``|``."""
    lists = column.str.split("|")
    quoted = column.str.starts_with("[").fill_null(value=False)
    if quoted.any():
        read = pl.Series(column.name, [_json_list(text) for text in column.filter(quoted)], dtype=pl.List(pl.String))
        lists = _put(lists, quoted, read)
    return _labels(lists.alias(column.name))


def _put(lists: pl.Series, where: pl.Series, values: pl.Series) -> pl.Series:
    """Replace the lists at ``where`` by ``values``, in order."""
    place = (where.cast(pl.Int64).cum_sum() - 1).clip(lower_bound=0)
    return lists.zip_with(~where, values.gather(place))


def _json_list(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text.split("|")
    return [str(entry) for entry in found if entry is not None] if isinstance(found, list) else [text]


def _labels(lists: pl.Series) -> pl.Series:
    """Trimmed labels, each once, none empty; an empty list is null."""
    lists = lists.cast(pl.List(pl.String)).list.head(MAX_LABELS)
    trimmed = lists.list.eval(pl.element().str.strip_chars().str.slice(0, MAX_ID))
    clean = trimmed.list.eval(pl.element().filter(pl.element() != "")).list.unique(maintain_order=True)
    return clean.set(clean.list.len() == 0, None)
