"""Data whose right answer is known: a checkerboard of users and items, and a panel with good and useless sources."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array, vstack

from accord.core.arrays import Floats, Ints, Matrix, Ragged, Sparse
from accord.core.dataset import Dataset
from accord.core.queries import Queries
from accord.core.roles import Scored
from accord.core.slate import EMPTY, Slate
from accord.fuse.base import EVENTS, Panel

GROUPS = 4
WORDS = 8
"""Words that only the items of one group use."""


@dataclass(frozen=True)
class Planted:
    """A checkerboard world: users of a group touch only items of that group."""

    data: Dataset
    item_groups: Ints
    """``int32[n_items]``; groups are scattered over the item numbers, which say nothing."""
    user_groups: Ints
    cold: Ints
    """Item numbers that no event touches; their content tells the group."""

    def renumbered(self, new: Ints) -> Planted:
        """The same world with item ``i`` under the number ``new[i]``."""
        old = np.argsort(new).astype(np.int32)
        events = self.data.events
        place = events.column_names.index("item")
        data = replace(
            self.data,
            events=events.set_column(place, "item", pa.array(new[self.data.event_items].astype(np.int32))),
            items=self.data.items.take(old.tolist()),
            vectors={name: cast("Matrix", vectors[old]) for name, vectors in self.data.vectors.items()},
        )
        return Planted(data, self.item_groups[old], self.user_groups, np.sort(new[self.cold]).astype(np.int32))


def checkerboard(users: int = 15, items: int = 12, cold: int = 2, events: int = 6, seed: int = 0) -> Planted:
    """Four groups of ``users`` and ``items``, the last ``cold`` items of each group without events.

    Every user touches ``events`` different items of the own group, one a day, and every fifth user comes back to the
    first of them. Weights are 1 and 2. Titles, brands and prices agree with the groups, and so do the encoded columns
    ``tfidf`` and ``attributes`` (sparse) and ``minilm`` (dense).
    """
    rng = np.random.default_rng(seed)
    item_groups = rng.permutation(np.repeat(np.arange(GROUPS), items)).astype(np.int32)
    user_groups = rng.permutation(np.repeat(np.arange(GROUPS), users)).astype(np.int32)
    members = [rng.permutation(np.flatnonzero(item_groups == group)) for group in range(GROUPS)]
    touched = [rng.permutation(members[group][: items - cold])[:events].tolist() for group in user_groups]
    touched = [row + row[:1] if user % 5 == 0 else row for user, row in enumerate(touched)]
    title_words = _title_words(item_groups, rng)
    data = Dataset(
        daily_events(touched, rng, weights=(1.0, 2.0)),
        _items(item_groups, title_words, rng),
        pa.table({"user_id": [f"u{n}" for n in range(len(user_groups))]}),
        order="time",
        vectors={
            "tfidf": _text_vectors(title_words, rng),
            "attributes": csr_array(np.eye(GROUPS, dtype=np.float32)[item_groups]),
            "minilm": _unit(np.eye(GROUPS, 16)[item_groups] * 3 + rng.normal(1, 0.3, (len(item_groups), 16))),
        },
    )
    absent = np.concatenate([group[items - cold :] for group in members])
    return Planted(data, item_groups, user_groups, np.sort(absent).astype(np.int32))


def friends(people: int = 18, links: int = 4, seed: int = 0) -> Planted:
    """Four groups of people who are linked to others of the own group alone, and to themselves; items are the people.

    Everybody chooses ``links`` friends, and a link runs both ways. Nobody is without links, so ``cold`` holds merely
    one person of each group. There is no clock and no encoded column.
    """
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(GROUPS), people)).astype(np.int32)
    chosen = np.zeros((len(groups), len(groups)), dtype=bool)
    for person, group in enumerate(groups):
        chosen[person, rng.permutation(np.flatnonzero(groups == group))[:links]] = True
    chosen |= chosen.T | np.eye(len(groups), dtype=bool)
    ends = (end.astype(np.int32) for end in np.nonzero(chosen))
    columns = dict(zip(("user", "item"), ends, strict=True))
    names = [f"p{number}" for number in range(len(groups))]
    events = pa.table(
        {**columns, "weight": np.ones(int(chosen.sum()), np.float32), "timestamp": rng.random(chosen.sum())}
    )
    data = Dataset(
        events.sort_by("timestamp"), pa.table({"item_id": names}), pa.table({"user_id": names}), order="time"
    )
    first = np.unique(groups, return_index=True)[1]
    return Planted(data, groups, groups, np.sort(first).astype(np.int32))


def with_arrivals(planted: Planted, n: int, seed: int = 0) -> Planted:
    """The same world with ``n`` more items at the end, whom nobody has touched: each says about what another says."""
    rng = np.random.default_rng(seed)
    data = planted.data
    like = rng.permutation(data.n_items)[:n]
    names = pa.array([f"new{number}" for number in range(n)])
    more = data.items.take(like.tolist()).set_column(data.items.column_names.index("item_id"), "item_id", names)
    vectors = {name: _with_like(rows, like, rng) for name, rows in data.vectors.items()}
    grown = replace(data, items=pa.concat_tables([data.items, more]), vectors=vectors)
    groups = np.append(planted.item_groups, planted.item_groups[like])
    arrived = np.arange(data.n_items, data.n_items + n, dtype=np.int32)
    return replace(planted, data=grown, item_groups=groups, cold=arrived)


def _with_like(rows: Matrix, like: np.ndarray, rng: np.random.Generator) -> Matrix:
    """The rows, and after them those of ``like`` with a little noise, of the length they had."""
    if isinstance(rows, csr_array):
        more = rows[like].toarray() * rng.uniform(0.8, 1.2, (len(like), rows.shape[1]))
        return csr_array(vstack([rows, csr_array(_unit(more))], format="csr"))
    more = rows[like] + rng.normal(0, 0.05, (len(like), rows.shape[1]))
    return np.concatenate([rows, _unit(more)])


def daily_events(touched: list[list[int]], rng: np.random.Generator, weights: tuple[float, ...]) -> pa.Table:
    """Events of users who touch one item a day, in the given order; each event has one of the weights, at random."""
    rows = Ragged.of(touched)
    day = np.arange(len(rows.values)) - np.repeat(rows.offsets[:-1], rows.lengths)
    times = 1.7e9 + 86_400.0 * day + rng.permutation(len(day))
    order = np.argsort(times)
    return pa.table(
        {
            "user": pa.array(rows.rows[order].astype(np.int32)),
            "item": pa.array(rows.values[order].astype(np.int32)),
            "weight": pa.array(rng.choice(weights, len(day)).astype(np.float32)),
            "timestamp": pa.array(times[order]),
        }
    )


def _title_words(item_groups: Ints, rng: np.random.Generator) -> list[list[int]]:
    """Four words of the item's group, and one that all groups use."""
    common = GROUPS * WORDS
    return [[*(g * WORDS + rng.permutation(WORDS)[:4]).tolist(), common + int(rng.integers(3))] for g in item_groups]


def _items(item_groups: Ints, words: list[list[int]], rng: np.random.Generator) -> pa.Table:
    return pa.table(
        {
            "item_id": [f"i{n}" for n in range(len(words))],
            "title": [" ".join(f"word{word}" for word in row) for row in words],
            "brand": [f"brand{group}" for group in item_groups],
            "price": 10.0 * (1 + item_groups) + rng.random(len(words)),
        }
    )


def _text_vectors(words: list[list[int]], rng: np.random.Generator) -> Sparse:
    """Unit rows; every word weighs a little differently in every title, so no two cosines tie."""
    rows = Ragged.of(words)
    out = np.zeros((len(rows), GROUPS * WORDS + 3))
    out[rows.rows, rows.values] = rng.uniform(0.8, 1.2, len(rows.values))
    return csr_array(_unit(out))


def _unit(rows: np.ndarray) -> Floats:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


SIGNAL = {"strong": 2.0, "weak": 1.0, "noise": 0.0}
"""The sources of a planted panel, and how many standard deviations each lifts a true item."""


def panel(queries: int = 200, width: int = 20, n_items: int = 60, seed: int = 0) -> Panel:
    """Slates scored by a strong, a weak and a useless source, and by one that never has an opinion (``silent``).

    The sources count in different units. Items below ``n_items // 4`` have no events; a tenth of the cells has no
    opinion, some places are empty, and one to three items of each list are true.
    """
    rng = np.random.default_rng(seed)
    items = np.argsort(rng.random((queries, n_items)), axis=1)[:, :width].astype(np.int32)
    truth = [row[rng.permutation(width // 2)[: rng.integers(1, 4)]] for row in items]
    true = np.zeros((queries, n_items), dtype=bool)
    for row, numbers in enumerate(truth):
        true[row, numbers] = True
    items[np.arange(width) >= rng.integers(width // 2, width + 1, (queries, 1))] = EMPTY
    columns, facts = dict[str, Floats](), {"eligible": np.full(queries, float(n_items))}
    for unit, (name, lift) in enumerate(SIGNAL.items()):
        scores = 50 * unit + 10.0**unit * (lift * true + rng.standard_normal((queries, n_items)))
        columns[name], told = _column(scores.astype(np.float32), items)
        columns[name][rng.random(items.shape) < 0.1] = np.nan
        facts |= {f"{name}.{fact}": values for fact, values in told.items()}
    columns["silent"], told = _column(np.ones((queries, n_items), np.float32), items)
    facts |= {f"silent.{fact}": values for fact, values in told.items()}
    events = np.where(items < n_items // 4, 0, 10).astype(np.float32)
    columns[EVENTS] = np.where(items == EMPTY, np.nan, events).astype(np.float32)
    return Panel(Slate(items, columns, facts), Ragged.of(truth), queries)


def _column(scores: Floats, items: Ints) -> tuple[Floats, dict[str, np.ndarray]]:
    asked = Queries.of([[]] * len(scores))
    scored = Scored.of(scores, asked.eligible(scores.shape[1]), asked.tie_keys())
    return scored.at(items), scored.facts
