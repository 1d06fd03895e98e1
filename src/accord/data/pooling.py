"""Review texts of events, gathered per item."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from accord.core import columns as c
from accord.core.dataset import Dataset


def pool_texts(data: Dataset, limit_chars: int = 2000) -> pa.Table:
    """The items table with a column ``text``: each item's texts from the dataset's own events, oldest first.

    Texts are joined by a space until ``limit_chars``; null where there is none. A ``text`` that the catalogue itself
    gives stands in front. Called on the training part, nothing after the cut can enter.
    """
    items = pl.DataFrame(pl.from_arrow(data.items))
    own = items[c.TEXT] if c.TEXT in items.columns else pl.Series(c.TEXT, [None] * items.height, dtype=pl.String)
    pooled = _pooled(data, limit_chars) if c.TEXT in data.events.column_names else own.clear(items.height)
    both = pl.select(pl.concat_str(own, pooled, separator=" ", ignore_nulls=True).str.slice(0, limit_chars)).to_series()
    return items.with_columns(both.set(both == "", None).alias(c.TEXT)).to_arrow()


def _pooled(data: Dataset, limit: int) -> pl.Series:
    """``String[n_items]``: joined texts by item number."""
    events = pl.DataFrame(pl.from_arrow(data.events.select([c.ITEM_NUMBER, c.TEXT]))).drop_nulls()
    events = events.with_columns(pl.col(c.TEXT).cast(pl.String).str.slice(0, limit))
    before = pl.col(c.TEXT).str.len_chars().cum_sum().over(c.ITEM_NUMBER) - pl.col(c.TEXT).str.len_chars()
    joined = events.filter(before < limit).group_by(c.ITEM_NUMBER).agg(pl.col(c.TEXT).str.join(" "))
    numbers = pl.DataFrame({c.ITEM_NUMBER: pl.int_range(data.n_items, dtype=pl.Int32, eager=True)})
    joined = joined.with_columns(pl.col(c.ITEM_NUMBER).cast(pl.Int32))
    return numbers.join(joined, on=c.ITEM_NUMBER, how="left", maintain_order="left")[c.TEXT]
