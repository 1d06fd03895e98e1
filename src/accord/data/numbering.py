"""Ids to numbers, with joins instead of dictionaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from accord.core import columns as c
from accord.core.arrays import Ints


@dataclass(frozen=True)
class Numbered:
    """Events whose users and items are numbers in the order of their first event."""

    events: pl.DataFrame
    users: pl.Series
    """``String``: user id by number; some may have no event left."""
    items: pl.Series
    """``String``: item id by number; some may have no event left."""


def numbered(frame: pl.DataFrame) -> Numbered:
    """Replace the id columns by the number columns ``user`` and ``item``."""
    user_numbers, users = _codes(frame[c.USER])
    item_numbers, items = _codes(frame[c.ITEM])
    events = frame.drop(c.USER, c.ITEM).insert_column(0, user_numbers.alias(c.USER_NUMBER))
    return Numbered(events.insert_column(1, item_numbers.alias(c.ITEM_NUMBER)), users, items)


def present(names: pl.Series, numbers: pl.Series) -> pl.Series:
    """The names whose number occurs."""
    return names.filter(pl.Series(np.bincount(numbers.to_numpy(), minlength=names.len()) > 0, dtype=pl.Boolean))


def renumbered(names: pl.Series, final: pl.Series) -> Ints:
    """``int32[len(names)]``: the place of each name in ``final``, -1 where it is not there."""
    places = pl.DataFrame({"name": final}).with_row_index("place")
    found = pl.DataFrame({"name": names}).join(places, on="name", how="left", maintain_order="left")["place"]
    return found.cast(pl.Int32).fill_null(-1).to_numpy().astype(np.int32, copy=False)


FIRST = (c.USER_NUMBER, c.ITEM_NUMBER, c.WEIGHT, c.TIME, c.EVENT, c.VALUE, c.TEXT)
"""The columns of events that come first, in this order."""


def finished(log: Numbered, users: pl.Series, items: pl.Series) -> pl.DataFrame:
    """The events with the numbers of the final catalogues (ids by number), columns in their fixed order."""
    user = renumbered(log.users, users)[log.events[c.USER_NUMBER].to_numpy()]
    item = renumbered(log.items, items)[log.events[c.ITEM_NUMBER].to_numpy()]
    events = log.events.with_columns(pl.Series(c.USER_NUMBER, user), pl.Series(c.ITEM_NUMBER, item))
    first = [name for name in FIRST if name in events.columns]
    return events.select(*first, pl.exclude(first))


def _codes(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The number of each name, and the names by number; one pass over one hash table."""
    coded: Any = pa.chunked_array([column.to_arrow()]).combine_chunks().dictionary_encode()
    codes = pl.Series(coded.indices.to_numpy().astype(np.int32, copy=False))
    return codes, pl.Series(column.name, coded.dictionary, dtype=pl.String)
