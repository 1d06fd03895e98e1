"""The small shop with all that rules read: stock, regions, prices, times, yes and no, and gaps in all of them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from accord.core.dataset import Dataset

DAY = 86_400.0
START = 1.7e9
"""About when the shop's log begins."""


def facts(n: int, seed: int = 0) -> dict[str, list[Any]]:
    """Columns of ``n`` items as plain Python values; about a fifth of each is missing."""
    rng = np.random.default_rng(seed)

    def gaps(values: list[Any]) -> list[Any]:
        return [None if gone else value for value, gone in zip(values, rng.random(n) < 0.2, strict=True)]

    return {
        "maker": gaps([f"maker{number}" for number in rng.integers(0, 5, n)]),
        "tags": gaps([[f"tag{tag}" for tag in rng.permutation(4)[: rng.integers(0, 4)]] for _ in range(n)]),
        "regions": gaps([["de", "fr", "cn"][: rng.integers(0, 4)] for _ in range(n)]),
        "sellable": gaps((rng.random(n) < 0.8).tolist()),
        "stock": gaps(rng.integers(0, 4, n).tolist()),
        "cost": gaps(rng.uniform(1, 100, n).round(2).tolist()),
        "year": gaps(rng.integers(1990, 1995, n).tolist()),
        "posted": gaps((START - DAY * rng.uniform(-20, 60, n)).tolist()),
    }


def table_of(columns: dict[str, list[Any]]) -> pa.Table:
    """The columns as an items table, ``posted`` as a timestamp."""
    posted = [None if value is None else int(value * 1e6) for value in columns["posted"]]
    n = len(posted)
    return pa.table(
        {"item_id": [f"i{number}" for number in range(n)], **columns, "posted": pa.array(posted, pa.timestamp("us"))}
    )


def stocked(data: Dataset, seed: int = 0) -> Dataset:
    """A dataset with the columns of ``facts`` beside its own."""
    more = table_of(facts(data.n_items, seed)).drop_columns(["item_id"])
    items = data.items
    for name in more.column_names:
        items = items.append_column(name, more[name])
    return replace(data, items=items)
