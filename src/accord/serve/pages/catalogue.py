"""What the page says of items and people: titles and categories, and both found by how they begin or read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from accord.core import columns as c
from accord.pipeline.words import plain, titles_of
from accord.serve.current import Current

CATEGORIES = (c.CATEGORIES, "category", "genres", "genre", "tags", "brand")
"""Columns that say what kind of thing an item is: the first that there is."""
MOST = 3
"""Categories that are shown of an item."""
FOUND = 8
"""Items and people that are found at a time."""
MANY = 10_000
"""Of so many people whose ids begin alike the first in the alphabet are shown."""


class Shown(NamedTuple):
    """An item as the page shows it; texts are plain, for the template to escape."""

    item_id: str
    title: str
    categories: Sequence[str] = ()


def shown(current: Current, ids: Iterable[str]) -> dict[str, Shown]:
    """Items by id; those that the pipeline does not know are shown by their id."""
    names = list(dict.fromkeys(ids))
    numbers = current.pipeline.data.item_numbers
    known = [name for name in names if name in numbers]
    table = current.pipeline.data.items.take(pa.array([numbers[name] for name in known], pa.int64()))
    told = zip(known, titles_of(table), _categories(table), strict=True)
    found = {name: Shown(name, plain(title), kinds) for name, title, kinds in told}
    return {name: found.get(name, Shown(name, plain(name))) for name in names}


def find_items(current: Current, words: str) -> list[Shown]:
    """Items that may be shown whose title has the words in it, those with the most events first."""
    data = current.pipeline.data
    titles = data.items[c.TITLE if c.TITLE in data.items.column_names else c.ITEM]
    matching = np.asarray(pc.indices_nonzero(pc.match_substring(titles, words, ignore_case=True)), np.int64)
    if current.shown is not None:
        matching = matching[current.shown[matching]]
    told = pa.table({"title": titles.take(matching), "events": current.pipeline.events[matching], "item": matching})
    best = told.sort_by([("events", "descending"), ("title", "ascending")])["item"].slice(0, FOUND).to_numpy()
    return list(shown(current, data.item_ids[best].tolist()).values())


def find_users(current: Current, start: str) -> list[str]:
    """Known people whose id starts so, in alphabetical order."""
    users = current.pipeline.data.users[c.USER]
    matching = users.filter(pc.starts_with(users, start)) if start else users
    return sorted(map(str, matching.slice(0, MANY).to_pylist()))[:FOUND]


def _categories(items: pa.Table) -> list[list[str]]:
    """A few categories of each item."""
    column = next((name for name in CATEGORIES if name in items.column_names), None)
    if column is None:
        return [[] for _ in range(items.num_rows)]
    return [_few(value) for value in items[column].to_pylist()]


def _few(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [plain(str(one)) for one in values if one is not None][:MOST]
