"""Amazon reviews as published in 2014, 2018 and 2023: one object a line, reviews and products in files of their own.

McAuley et al., "Image-Based Recommendations on Styles and Substitutes", SIGIR 2015; Ni, Li and McAuley, EMNLP 2019;
Hou et al., "Bridging Language and Items for Retrieval and Recommendation", 2024. The products of 2014 are Python
literals, not JSON. Not read: mean ratings, numbers of ratings, sales ranks and what was also bought or viewed. These
were gathered over the whole log, so a model of its past would know its future; nor names of reviewers.
"""

from __future__ import annotations

import ast
import gzip
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl

from accord.core import columns as c
from accord.core.errors import DataError
from accord.data.formats.base import renamed
from accord.data.readers import Rows, jsonl
from accord.data.readers.base import unreadable
from accord.data.readers.source import format_of
from accord.data.rejects import ROW, refused_lines

_ITEM: Final = ("parent_asin", "asin")
REVIEWS: Final = {
    c.USER: ("user_id", "reviewerid"),
    c.ITEM: _ITEM,
    c.VALUE: ("rating", "overall"),
    c.TIME: ("timestamp", "unixreviewtime"),
    c.TEXT: ("reviewtext", "text"),
    "verified": ("verified_purchase", "verified"),
}
PRODUCTS: Final = {
    c.ITEM: _ITEM,
    c.TITLE: ("title",),
    c.DESCRIPTION: ("description",),
    "features": ("features", "feature"),
    c.CATEGORIES: ("categories", "category"),
    "department": ("main_category", "main_cat"),
    "brand": ("brand", "store"),
    c.PRICE: ("price",),
    c.IMAGE: ("images", "imageurlhighres", "imageurl", "imurl"),
}
LISTS: Final = (c.CATEGORIES,)
MAX_LINE: Final = 1_000_000
"""Characters of a Python literal that is still parsed."""
_NOT_MISSING: Final = ("", "None")


def read(paths: tuple[str, ...]) -> list[Rows]:
    """Reviews and products, told apart by what their first line holds."""
    if not paths:
        raise DataError("the review files are wanted", place="accord import --from", value=list(paths))
    reviews = [path for path in map(Path, paths) if _is_reviews(path)]
    products = [path for path in map(Path, paths) if path not in reviews]
    if not reviews or len(products) > 1:
        raise DataError(
            "files of reviews and at most one of products are wanted",
            place="accord import --from",
            value={"reviews": [str(path) for path in reviews], "products": [str(path) for path in products]},
            remedy="A line of reviews has reviewerID or user_id.",
        )
    return [*map(_reviews, reviews), *map(_products, products)]


def _is_reviews(path: Path) -> bool:
    """Whether the first line that can be read is a review. Raises ``DataError`` where none of the first can."""
    for number, line in _lines(path):
        row = _parse(line)
        if isinstance(row, dict):
            return any(str(key).casefold() in REVIEWS[c.USER] for key in row)
        if number > 100:
            break
    raise DataError("no line can be read", place=str(path), remedy="Give the files as published, one object a line.")


def _reviews(path: Path) -> Rows:
    return renamed(jsonl.read(path, "events", f"jsonl{'.gz' if path.suffix == '.gz' else ''}"), REVIEWS)


def _products(path: Path) -> Rows:
    columns: dict[str, list[Any]] = {ROW: [], **{name: [] for name in PRODUCTS}}
    bad: list[tuple[int, str, str]] = []
    for number, line in _lines(path):
        row = _parse(line)
        if isinstance(row, str):
            bad.append((number, row, line))
            continue
        known = {str(key).casefold(): value for key, value in row.items()}
        columns[ROW].append(number)
        for ours, theirs in PRODUCTS.items():
            value = next((known[name] for name in theirs if known.get(name)), None)
            columns[ours].append(_value(ours, value))
    frame = pl.DataFrame([_column(name, values) for name, values in columns.items()])
    kept = [name for name in frame.columns if name in (ROW, c.ITEM) or frame[name].count()]
    return Rows("items", str(path), format_of(path), frame.select(kept), refused_lines(bad, "items", str(path)))


def _column(name: str, values: list[Any]) -> pl.Series:
    kind = pl.UInt32() if name == ROW else pl.List(pl.String) if name in LISTS else pl.String()
    return pl.Series(name, values, dtype=kind)


def _value(name: str, value: Any) -> str | list[str] | None:
    """A value as text, or as a list of texts; of several pictures the first."""
    texts = [text for text in _texts(value) if text not in _NOT_MISSING]
    if name in LISTS:
        return texts or None
    if name == c.IMAGE:
        return next((text for text in texts if text.startswith("http")), None)
    return "\n".join(texts) or None


def _texts(value: Any) -> Iterator[str]:
    """All texts and numbers in a value, depth first."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _texts(entry)
    elif value is not None:
        yield str(value).encode("utf-8", "replace").decode().strip()


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is not blank."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.strip()
    except (OSError, EOFError) as error:
        raise unreadable(str(path), error, "Check the path.") from None


def _parse(line: str) -> dict[Any, Any] | str:
    """The object of a line, as JSON or as a Python literal, or what is wrong with it. Nothing is ever executed."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = _literal(line)
    return row if isinstance(row, dict) else row if isinstance(row, str) else "the line is not an object"


def _literal(line: str) -> Any:
    if len(line) > MAX_LINE:
        return f"the line is longer than {MAX_LINE:,} characters"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes such as "\\/", which Python reads as they stand
            return ast.literal_eval(line)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return "the line is neither JSON nor a Python literal"
