"""People as items: from a log with links between its users to a dataset in which people are recommended to people."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa

from accord.core import columns as c
from accord.core.arrays import Bools, Ints, Longs, Ragged
from accord.core.config import Config
from accord.core.dataset import Dataset
from accord.core.errors import InputError

ITEMS = "items"
"""The list column that says what somebody did: the items' titles, or their ids where they have none."""
MOST_ITEMS = 200
"""The most items of one person that are listed."""
TOLD_ITEMS = 10
"""The most items of one person that make up the person's text."""
TOLD_CHARS = 200
"""How much of the description of an item without a title is quoted."""


class Target(Config):
    """Who or what is recommended."""

    target: Literal["items", "users"] = "items"
    """``items``, or ``users``: people to people, by the links between them."""
    links: str | None = None
    """The links table that joins the people; may be absent where there is only one."""

    def of(self, data: Dataset) -> Dataset:
        """The dataset with the target as its items."""
        if self.target == "users":
            return people(data, self.links)
        if self.links is not None:
            raise InputError("links are learned from where users are the target", place="--links", value=self.links)
        return data


def people(data: Dataset, name: str | None = None) -> Dataset:
    """A dataset whose items are the users, and whose events are the links between them, each in both directions.

    Everybody is also linked to themself. So nobody is recommended to themself, as whatever is in the history is not,
    and a source that compares items with the history compares people with the person who asks, also with one who has
    no link yet. A person says: the columns of the users table; ``items``, a list of what the person did; and ``text``,
    the titles (or the beginnings of the descriptions) of the foremost of these. Links have no order. Raises
    ``InputError`` where there is no links table of that name, or none of its rows joins two different people.
    """
    pairs = _pairs(data, name)
    ids = list(dict.fromkeys([*data.user_ids.tolist(), *pairs["head"].to_list(), *pairs["tail"].to_list()]))
    places = pl.DataFrame({"id": ids, "place": np.arange(len(ids), dtype=np.int32)})
    heads, tails = (
        pairs.join(places, left_on=end, right_on="id", how="left", maintain_order="left")["place"].to_numpy()
        for end in ("head", "tail")
    )
    table = _table(data, ids)
    users = pl.DataFrame({c.USER: ids}).to_arrow()
    return Dataset(_events(heads, tails, len(ids)), table, users, order="none")


def is_people(data: Dataset) -> bool:
    """Whether the items are the users, each linked to themself."""
    if data.n_items != data.n_users or not np.array_equal(data.item_ids, data.user_ids):
        return False
    return len(np.unique(data.event_users[own(data)])) == data.n_users


def own(data: Dataset) -> Bools:
    """``bool[E]``: the events that link somebody to themself."""
    return data.event_users == data.event_items


def themselves(data: Dataset, users: Any) -> Ragged:
    """What must never be shown to each of these user ids: the person; nothing for somebody who is not known."""
    numbers = (data.item_numbers.get(str(user)) for user in users)
    return Ragged.of([[] if number is None else [number] for number in numbers])


def _pairs(data: Dataset, name: str | None) -> pl.DataFrame:
    """``head`` and ``tail`` of the links, each pair of different people once, the smaller id first."""
    table = pl.DataFrame(pl.from_arrow(_links(data, name).select([c.HEAD, c.TAIL])))
    ends = [pl.min_horizontal(c.HEAD, c.TAIL).alias("head"), pl.max_horizontal(c.HEAD, c.TAIL).alias("tail")]
    pairs = table.select(ends).filter(pl.col("head") != pl.col("tail")).unique(maintain_order=True)
    known = pl.Series(data.user_ids.tolist(), dtype=pl.String).implode()
    if not pairs.select((pl.col("head").is_in(known) | pl.col("tail").is_in(known)).any()).item():
        raise InputError(
            "no link has an end among the users",
            place="--links",
            value=name or next(iter(data.links)),
            remedy="The columns head and tail must hold user ids.",
        )
    return pairs


def _links(data: Dataset, name: str | None) -> pa.Table:
    found = ", ".join(sorted(data.links))
    if not data.links:
        remedy = "Import them: accord import --events FILE --links friends=FILE --out DATASET."
        raise InputError("the dataset has no links between users", place="--target", value="users", remedy=remedy)
    if name is None and len(data.links) > 1:
        raise InputError("there are several tables of links", place="--links", remedy=f"Name one of: {found}.")
    if name is not None and name not in data.links:
        raise InputError("no such table of links", place="--links", value=name, remedy=f"There are: {found}.")
    return data.links[name or next(iter(data.links))]


def _events(heads: Ints, tails: Ints, n: int) -> pa.Table:
    everybody = np.arange(n, dtype=np.int32)
    users = np.concatenate([everybody, heads, tails])
    items = np.concatenate([everybody, tails, heads])
    return pa.table(
        {c.USER_NUMBER: users, c.ITEM_NUMBER: items, c.WEIGHT: np.ones(len(users), np.float32)},
    )


def _table(data: Dataset, ids: list[str]) -> pa.Table:
    """The people as an items table; one whom only the links name has nothing but an id."""
    users = pl.DataFrame(pl.from_arrow(data.users))
    order = _foremost(data)
    names, told = _names(data), _told(data)
    columns = [
        pl.Series(ITEMS, _lists(order, names, MOST_ITEMS), dtype=pl.List(pl.String)),
        pl.Series(c.TEXT, [". ".join(row) or None for row in _lists(order, told, TOLD_ITEMS)], dtype=pl.String),
    ]
    taken = [column.name for column in columns if column.name in users.columns]
    users = users.rename({name: f"own_{name}" for name in taken}).with_columns(columns)
    everybody = pl.DataFrame({c.USER: ids}, schema={c.USER: users.schema[c.USER]})
    joined = everybody.join(users, on=c.USER, how="left", maintain_order="left")
    return joined.drop(c.ITEM, strict=False).rename({c.USER: c.ITEM}).to_arrow()


def _foremost(data: Dataset) -> Ragged:
    """Each user's items, each once: the heaviest first, then the highest value, then the newest."""
    value = np.zeros(data.n_events)
    if c.VALUE in data.events.column_names:
        value = np.nan_to_num(data.events[c.VALUE].to_numpy().astype(np.float64))
    order = np.lexsort((-np.arange(data.n_events), -value, -data.event_weights, data.event_users))
    keys = data.event_users.astype(np.int64)[order] * data.n_items + data.event_items[order]
    first: Longs = np.sort(np.unique(keys, return_index=True)[1])
    liked = first[data.event_weights[order][first] > 0]
    rows, items = data.event_users[order][liked], data.event_items[order][liked]
    return Ragged.grouped(rows, items, data.n_users)


def _lists(order: Ragged, names: list[str | None], most: int) -> list[list[str]]:
    return [list(dict.fromkeys(name for item in row[:most] if (name := names[item]))) for row in order]


def _names(data: Dataset) -> list[str | None]:
    return [told or name for told, name in zip(_column(data, c.TITLE), data.item_ids, strict=True)]


def _told(data: Dataset) -> list[str | None]:
    titles, texts = _column(data, c.TITLE), _column(data, c.DESCRIPTION)
    return [title or (text or "")[:TOLD_CHARS] for title, text in zip(titles, texts, strict=True)]


def _column(data: Dataset, name: str) -> list[str | None]:
    return data.items[name].to_pylist() if name in data.items.column_names else [None] * data.n_items
