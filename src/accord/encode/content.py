"""The text that an item says: chosen fields, or a template, composed, cleaned and bounded."""

from __future__ import annotations

import math
import re
from string import Formatter
from typing import Any

import pyarrow as pa
from pydantic import Field

from accord.core import columns as c
from accord.core.config import Config
from accord.core.errors import CannotFit, InputError

DEFAULT_FIELDS = (c.TITLE, c.DESCRIPTION, c.TEXT)
BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Content(Config):
    """Which words of an item an encoder reads. Text encoders' configurations inherit it."""

    fields: tuple[str, ...] | None = None
    """Columns of the items table, joined by a space; None: title, description and text, those that exist."""
    template: str | None = None
    """Instead of fields: text with column names in braces, such as ``{title}. {description}``."""
    max_chars: int = Field(default=4000, ge=1, le=1_000_000)
    """Longer texts are cut."""


def check(items: pa.Table, content: Content) -> None:
    """Raises ``InputError`` for a column that is not there, ``CannotFit`` where no item has any text."""
    if content.fields is not None and content.template is not None:
        raise InputError("give fields or a template, not both", value=content.template)
    missing = [name for name in _named(items, content) if name not in items.column_names]
    if missing:
        found = ", ".join(items.column_names)
        raise InputError("the items have no such columns", value=missing, remedy=f"There are: {found}.")
    if not any(texts(items, content)):
        raise CannotFit("no item has text", value=items.column_names, remedy="Name text columns with `fields`.")


def texts(items: pa.Table, content: Content) -> list[str]:
    """One text an item: whitespace normalised, control characters removed; empty where all its fields are.

    A column that the table lacks counts as empty, so that new items may come with fewer fields than the first ones.
    """
    pieces = _pieces(content.template) if content.template is not None else None
    names = list(dict.fromkeys(_named(items, content)))
    columns = {name: strings(items, name, content.max_chars) for name in names}
    rows = ({name: column[row] for name, column in columns.items()} for row in range(items.num_rows))
    return [clean(_composed(row, pieces), content.max_chars) for row in rows]


def strings(items: pa.Table, name: str, limit: int) -> list[str]:
    """A column as strings of at most ``limit`` characters; lists are joined by commas, nulls are empty."""
    if name not in items.column_names:
        return [""] * items.num_rows
    return [readable(value)[:limit] for value in items[name].to_pylist()]


def readable(value: Any) -> str:
    """A cell as text: empty for null, NaN and what is no text, number, truth value or list of these."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return ", ".join(filter(None, map(readable, value)))
    if isinstance(value, float):
        return "" if not math.isfinite(value) else f"{value:.15g}"
    return str(value) if isinstance(value, (bool, int)) else ""


def clean(text: str, limit: int) -> str:
    """The text with runs of whitespace and control characters made one space, cut to ``limit`` characters."""
    return BLANK.sub(" ", text).strip()[:limit].rstrip()


def _named(items: pa.Table, content: Content) -> list[str]:
    if content.template is not None:
        return [name for _, name in _pieces(content.template) if name is not None]
    if content.fields is not None:
        return list(content.fields)
    return [name for name in DEFAULT_FIELDS if name in items.column_names]


def _composed(row: dict[str, str], pieces: list[tuple[str, str | None]] | None) -> str:
    if pieces is None or not any(row.values()):
        return " ".join(filter(None, row.values()))
    return "".join(literal + (row[name] if name is not None else "") for literal, name in pieces)


def _pieces(template: str) -> list[tuple[str, str | None]]:
    """The template as (literal, column name) pairs. Names are only looked up: no attributes, indexes or formats."""
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise InputError(f"not a template ({error})", value=template, remedy="Write {{ for a brace.") from None
    for _, name, spec, conversion in parsed:
        if name == "" or spec or conversion:
            raise InputError("only plain column names may stand in braces", value=template)
    return [(literal, name) for literal, name, _, _ in parsed]
