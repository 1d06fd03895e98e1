"""Which column of a source is which of ours: the user's ``--map`` first, then our own names, then well-known others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from accord.core import columns as c
from accord.core.errors import DataError
from accord.data.readers import Rows
from accord.data.rejects import ROW

ALIASES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "events": {
        c.USER: ("user", "uid", "visitor_id", "customer_id", "reviewer_id", "account_id", "member_id"),
        c.ITEM: ("item", "iid", "product_id", "movie_id", "article_id", "track_id", "book_id", "parent_asin", "asin"),
        c.TIME: ("time", "ts", "datetime", "date", "event_time", "created_at", "unix_review_time"),
        c.EVENT: ("event_type", "behavior", "behaviour", "action", "interaction"),
        c.VALUE: ("rating", "score", "stars", "overall", "weight"),
        c.TEXT: ("review_text", "review", "comment"),
    },
    "items": {
        c.ITEM: ("item", "iid", "product_id", "movie_id", "article_id", "track_id", "book_id", "parent_asin", "asin"),
        c.TITLE: ("name", "item_name", "product_name", "movie_title", "headline"),
        c.DESCRIPTION: ("desc", "summary", "abstract", "overview", "plot"),
        c.CATEGORIES: ("category",),
        c.IMAGE: ("image_url", "img", "poster", "thumbnail"),
        c.PRICE: ("unit_price", "list_price"),
        c.AVAILABLE_AT: ("release_date", "published_at", "listed_at"),
    },
    "users": {c.USER: ("user", "uid", "visitor_id", "customer_id", "reviewer_id", "account_id", "member_id")},
}
"""Other names of our columns, best first; case, spaces, dashes and underscores do not matter."""

REQUIRED: Final = {"events": (c.USER, c.ITEM), "items": (c.ITEM,), "users": (c.USER,)}
_RESERVED: Final = {"events": (c.USER_NUMBER, c.ITEM_NUMBER, c.WEIGHT), "items": (), "users": ()}


@dataclass(frozen=True)
class Named:
    """A source with our column names; ``origin`` says what each column was called."""

    rows: Rows
    origin: dict[str, str]


def named(rows: Rows, mapping: dict[str, str]) -> Named:
    """Rename the columns of a source. Raises ``DataError`` where a required one is missing, naming what was found."""
    found = _matches(rows, mapping)
    missing = [ours for ours in REQUIRED[rows.table] if ours not in found]
    if missing:
        raise DataError(
            f"there is no column {missing[0]!r}",
            place=rows.place,
            value=rows.columns,
            remedy=f"The first line must name the columns; name yours with --map {missing[0]}=COLUMN.",
        )
    origin = found | _others(rows, found)
    frame = rows.frame.select(ROW, *origin.values())
    frame.columns = [ROW, *origin]
    return Named(Rows(rows.table, rows.place, rows.format, frame, rows.rejects, rows.ordered, rows.dropped), origin)


def check_map(mapping: dict[str, str], sources: list[Rows]) -> None:
    """Raises ``DataError`` where ``--map`` names a column that no source has."""
    for ours, theirs in mapping.items():
        if not any(theirs in rows.columns for rows in sources):
            found = ", ".join(dict.fromkeys(name for rows in sources for name in rows.columns))
            raise DataError(
                f"no source has the column {theirs!r}", place=f"--map {ours}", remedy=f"There are: {found}."
            )


def _matches(rows: Rows, mapping: dict[str, str]) -> dict[str, str]:
    """Our name -> the source's, without using one column twice."""
    found = {ours: theirs for ours, theirs in mapping.items() if theirs in rows.columns}
    for others in (False, True):
        for ours, aliases in ALIASES[rows.table].items():
            free = {_key(name): name for name in reversed(rows.columns) if name not in found.values()}
            names = aliases if others else (ours,)
            hit = next((free[_key(name)] for name in names if _key(name) in free), None)
            if ours not in found and hit is not None:
                found[ours] = hit
    return found


def _others(rows: Rows, found: dict[str, str]) -> dict[str, str]:
    """The remaining columns keep their names, or take ``raw_`` before them where Accord needs the name."""
    taken = {*found, *ALIASES[rows.table], *_RESERVED[rows.table]}
    others: dict[str, str] = {}
    for theirs in rows.columns:
        if theirs in found.values():
            continue
        ours = theirs
        while ours in taken or ours.startswith("__"):
            ours = f"raw_{ours}"
        taken.add(ours)
        others[ours] = theirs
    return others


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()
