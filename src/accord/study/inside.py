"""Looking inside: maps of the vectors of sources and content, what attention took in, and a person's interests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from accord.core.arrays import Floats, Ints, Longs
from accord.core.errors import InputError
from accord.core.queries import Queries
from accord.core.roles import HasVectors
from accord.core.run import Run
from accord.core.slate import EMPTY
from accord.data.holdout import Split
from accord.pipeline.learning import Learned
from accord.pipeline.reasons import plain, titles_of
from accord.study.attention_view import attention_view
from accord.study.categories import NO_CATEGORY, Categories, main_categories
from accord.study.embedding_map import Method, check_method, embedding_map, sampled
from accord.study.examples import example_people
from accord.study.interests import Vectors, interests

Inside: TypeAlias = Literal["pca", "umap", "off"]
"""How maps are made, or ``off`` for no look inside."""

ITEMS = 2_000
"""The most items of one map."""
POINTS = 6_000
"""The most items of all maps together, which keeps the page small."""
PEOPLE = 500
"""The most people of one map."""
MAPS = 6
"""The most maps; sources come before columns, used ones before dropped ones."""
VIEWS = 3
"""The most sources whose attention is shown."""
LIST = 10
"""Recommendations whose interests are told."""
TITLE = 48
"""Longer titles are cut."""


@dataclass(frozen=True)
class Space:
    """Vectors of the items by one source or one encoder."""

    name: str
    kind: str
    """``source`` or ``content``."""
    items: Vectors
    users: Callable[[Queries], Floats] | None = None
    """Vectors of people in the same space, where it has any."""


def check_inside(inside: str) -> None:
    """Raises ``InputError`` where it is no way to make maps, or one whose package is not installed."""
    if inside not in get_args(Inside):
        raise InputError("no such way to look inside", place="inside", value=inside, remedy="One of: pca, umap, off.")
    check_method(inside)


def look_inside(learned: Learned, split: Split, run: Run, method: Method) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures of the inside of a pipeline, and the places of its maps, as JSON can hold them.

    Figures: ``{"method", "field", "categories", "maps", "attention", "interests"}``, empty where nothing has vectors.
    Places: ``{"title", "category", "events", "maps": [{"items", "users"}]}``, one entry an item of the sample that all
    maps share: popular items are more likely in it, and all categories are there.
    """
    found = spaces_of(learned)[:MAPS]
    if not found:
        return {}, {}
    data = learned.pipeline.data
    categories = main_categories(data.items)
    of_item = categories.of_item if categories else np.full(data.n_items, NO_CATEGORY, np.int32)
    limit = min(ITEMS, POINTS // len(found))
    sample = sampled(np.log(2.0 + data.item_counts), of_item, limit, run.rng("inside: items"))
    maps = _maps(found, sample, of_item[sample], _some_people(split, run), run, method)
    clearest = max(zip(found, maps, strict=True), key=lambda pair: _clearness(pair[1]))[0]
    places = {
        "title": _titles(data.items, sample),
        "category": of_item[sample].tolist(),
        "events": data.item_counts[sample].tolist(),
        "maps": [{key: one.pop(key) for key in ("items", "users")} for one in maps],
    }
    figures = {
        "method": method,
        "field": categories.field if categories else None,
        "categories": categories.names if categories else [],
        "maps": maps,
        "attention": _attention(learned, split),
        "interests": _interests(learned, split, clearest, categories, run),
    }
    return figures, places


def _clearness(figures: Mapping[str, Any]) -> float:
    """How much more alike neighbours are than by chance; 0 where that is not known."""
    return (figures.get("alike") or 0.0) - (figures.get("by_chance") or 0.0)


def spaces_of(learned: Learned) -> list[Space]:
    """Sources with vectors, used ones first, then the dense columns of encoded content."""
    sources = {**learned.pipeline.sources, **learned.alone}
    found = [_of_source(name, source) for name, source in sources.items() if isinstance(source, HasVectors)]
    dense = {n: rows for n, rows in learned.pipeline.data.vectors.items() if not isinstance(rows, csr_array)}
    return found + [Space(name, "content", rows.__getitem__) for name, rows in dense.items()]


def _of_source(name: str, source: HasVectors) -> Space:
    vectors = source.item_vectors
    return Space(name, "source", vectors.__getitem__, source.user_vectors)


def _some_people(split: Split, run: Run) -> Queries:
    queries = next(iter(split.tests.values())).queries
    rows = run.rng("inside: people").permutation(len(queries))[:PEOPLE]
    return queries.take(np.sort(rows))


def _maps(
    found: list[Space], sample: Longs, groups: Ints, people: Queries, run: Run, method: Method
) -> list[dict[str, Any]]:
    """The map of each space, with its figures and places."""
    maps = list[dict[str, Any]]()
    for space in found:
        items = np.asarray(space.items(sample), np.float32)
        users = _placed(space, people, items.shape[1])
        one = embedding_map(items, users, groups, method, run.rng("inside: axes"))
        placed = sum(place is not None for place in one["items"])
        maps.append({"name": space.name, "kind": space.kind, "n_items": placed, "n_users": len(one["users"]), **one})
    return maps


def _placed(space: Space, people: Queries, dim: int) -> Floats:
    """``float32[B, dim]``: where people lie; nobody where a space has none, or several places a person."""
    try:
        return space.users(people) if space.users else np.empty((0, dim), np.float32)
    except InputError:  # a person of several interests
        return np.empty((0, dim), np.float32)


def _attention(learned: Learned, split: Split) -> list[dict[str, Any]]:
    """One entry a source and example, with titles in place of item numbers."""
    people, items = example_people(split), learned.pipeline.data.items
    views = list[dict[str, Any]]()
    for name, source in {**learned.pipeline.sources, **learned.alone}.items():
        told = [attention_view(source, people.take(np.array([row]))) for row in range(len(people))]
        found = [{"source": name, **view} for view in told if view is not None]
        views += found if len({view["source"] for view in views}) < VIEWS else []
    for view in views:
        titles = _titles(items, np.array([event.pop("item") for event in view["events"]]))
        view["events"] = [{"title": t, **event} for t, event in zip(titles, view["events"], strict=True)]
    return views


def _interests(
    learned: Learned, split: Split, space: Space, categories: Categories | None, run: Run
) -> dict[str, Any] | None:
    """Those of the example with the longest history, with titles in place of item numbers; None where it is short."""
    people = example_people(split)
    person = people.take(np.array([people.history.lengths.argmax()]))
    listed = learned.pipeline.recommend(person, LIST).items[0]
    data = learned.pipeline.data
    told = interests(space.items, person.history.items, listed[listed != EMPTY], categories, run)
    if told is None:
        return None
    for one in told["interests"]:
        one["central"] = _titles(data.items, np.array(one["central"]))
    titles = _titles(data.items, np.array([entry.pop("item") for entry in told["list"]], np.int64))
    told["list"] = [{"title": title, **entry} for title, entry in zip(titles, told["list"], strict=True)]
    return {"user": str(person.users[0]), "by": space.name, **told}


def _titles(items: pa.Table, numbers: Longs) -> list[str]:
    """Titles on one line, cut where they are long."""
    told = map(plain, titles_of(items.take(pa.array(numbers, pa.int64()))))
    return [title if len(title) <= TITLE else title[: TITLE - 1].rstrip() + "…" for title in told]
