"""Links tables as further edges of the graph of users and items: friends, a knowledge graph, items to items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import pyarrow as pa
from pydantic import Field
from scipy.sparse import csr_array

from accord.core.arrays import Longs, Names, Sparse
from accord.core.columns import HEAD, TAIL
from accord.core.config import Config
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.tables import names

MOST = 0.5
"""A column names users (or items) where at least this share of its ids are such."""


class Link(Config):
    """How one links table is read."""

    weight: float = Field(default=1.0, gt=0)
    """What one link counts beside an event of weight 1."""
    head: str = "auto"
    """What its heads are: ``users``, ``items``, or any other word for things of one kind, which several tables may
    share (``entities``). ``auto``: users or items where half of the ids are, else ``entities``."""
    tail: str = "auto"
    """The same of its tails."""


class Nodes:
    """Numbers for everything that has edges: items first, then users, then the other things that links name."""

    def __init__(self, data: Dataset) -> None:
        self.known = {"items": data.item_numbers, "users": data.user_numbers}
        self.start = {"items": 0, "users": data.n_items}
        self.others: dict[tuple[str, str], int] = {}
        self.n = data.n_items + data.n_users

    def of(self, ids: Names, kind: str) -> Longs:
        """``int64[m]``: the node of each id; -1 for an id that is no known user or item, where it should be one."""
        if kind in self.known:
            known, start = self.known[kind], self.start[kind]
            return np.array([start + known[one] if one in known else -1 for one in ids], np.int64)
        return np.array([self.others.setdefault((kind, one), self.n + len(self.others)) for one in ids], np.int64)

    def kind(self, ids: Names, told: str, place: str) -> str:
        """What the ids of a column are. Raises ``CannotFit`` where they may be users as well as items."""
        if told != "auto":
            return told
        some = set(ids)
        fits = [kind for kind, known in self.known.items() if some and len(some & known.keys()) >= MOST * len(some)]
        if len(fits) > 1:
            remedy = f'Say which: {{ head = "users" }} or {{ head = "items" }} (or tail), at links.{place}.'
            raise CannotFit("the ids of the links fit users and items alike", value=place, remedy=remedy)
        return fits[0] if fits else "entities"


def link_edges(data: Dataset, links: Mapping[str, Link]) -> tuple[Sparse | None, int]:
    """``float32[N, N]``, symmetric, over items, users and others, and how many others there are.

    A pair that is linked several times in one table counts once in it; a link to itself, or to an unknown user or
    item, does not count. None where no link is left. Raises ``CannotFit`` where a table is missing or ambiguous.
    """
    nodes = Nodes(data)
    ends = [(*_ends(data, name, link, nodes), link.weight) for name, link in links.items()]
    n = nodes.n + len(nodes.others)
    total = csr_array((n, n), dtype=np.float32)
    for heads, tails, weight in ends:
        rows, columns = np.concatenate([heads, tails]), np.concatenate([tails, heads])
        one = csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=(n, n))
        one.sum_duplicates()
        one.data[:] = weight
        total = csr_array(total + one)
    return (cast("Sparse", total) if total.nnz else None), len(nodes.others)


def _ends(data: Dataset, name: str, link: Link, nodes: Nodes) -> tuple[Longs, Longs]:
    heads, tails = (
        nodes.of(ids, nodes.kind(ids, kind, name))
        for ids, kind in zip(_columns(data, name), (link.head, link.tail), strict=True)
    )
    kept = (heads >= 0) & (tails >= 0) & (heads != tails)
    return heads[kept], tails[kept]


def _columns(data: Dataset, name: str) -> tuple[Names, Names]:
    table: pa.Table | None = data.links.get(name)
    if table is None:
        there = ", ".join(sorted(data.links)) or "none"
        raise CannotFit("no such table of links", value=name, remedy=f"There are: {there}.")
    return names(table, HEAD), names(table, TAIL)
