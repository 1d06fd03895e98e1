"""Which sources decide the lists: their parts of the scores of what is recommended, by length of history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from accord.core.queries import Queries
from accord.core.run import Run
from accord.evaluate.segments import history_segments
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.shapley import BASE, attributed
from accord.study.tables import Cell, Row, Table
from accord.study.wording import count, percent

PEOPLE = 20
"""Lists of each third that are taken apart."""
LIST = 10


def deciders(pipeline: Pipeline, queries: Queries, run: Run) -> list[dict[str, Any]]:
    """``{"group", "meaning", "lists", "shares": {source: share}}`` for each third of the queries by length of history.

    A share is the mean size of a source's part in the scores of the ten recommendations of a list, of all parts; a
    part is what the source adds there, or takes away. At most ``PEOPLE`` lists a third, drawn at random.
    """
    found = list[dict[str, Any]]()
    for third in history_segments(queries.history.lengths):
        rows = run.rng(third.name).permutation(np.flatnonzero(third.mask))[:PEOPLE]
        told = _shares(pipeline, queries.take(np.sort(rows)))
        if told:
            shares = {name: float(np.mean([one.get(name, 0.0) for one in told])) for name in _names(told)}
            found.append({"group": third.name, "meaning": third.meaning, "lists": len(told), "shares": shares})
    return found


def deciders_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """The same for the page: a row a source, the strongest first."""
    told: list[Mapping[str, float]] = [one.get("shares") or {} for one in found]
    names = sorted(_names(told), key=lambda name: -sum(shares.get(name, 0.0) for shares in told))
    rows = [Row(name, [Cell(percent(shares.get(name, 0.0), 0)) for shares in told]) for name in names]
    columns = [_short(one).capitalize() for one in found]
    thirds = "; ".join(f"{_short(one)}: {one.get('meaning')}, {count(one.get('lists'))} lists" for one in found)
    note = (
        "The size of what each source adds to the scores of the ten recommendations, or takes away from them, as a "
        "share of all such parts. Of more than seven sources that a network or trees mix, the weakest are one. "
        f"Histories are {thirds}."
    )
    return Table("Which sources decide, by length of history", columns, rows, first="Source", note=note)


def _shares(pipeline: Pipeline, queries: Queries) -> list[dict[str, float]]:
    """The share of each source in each list; lists that no source decides are left out."""
    items = pipeline.recommend(queries, LIST).items
    found = list[dict[str, float]]()
    for gathered in pipeline.among_offers(queries, items):
        filled = gathered.asked.filled
        parts = attributed(pipeline.fuser, gathered.queries, gathered.everything, gathered.places)
        for row, part in enumerate(parts):
            named = [place for place, name in enumerate(part.names) if name != BASE]
            sizes = np.abs(part.values[filled[row]][:, named]).sum(axis=0, dtype=np.float64)
            if sizes.sum() > 0:
                shares = (sizes / sizes.sum()).tolist()
                found.append(dict(zip((part.names[place] for place in named), shares, strict=True)))
    return found


def _short(one: Mapping[str, Any]) -> str:
    """The third in one word."""
    return str(one.get("group")).rpartition(" ")[2]


def _names(told: Sequence[Mapping[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for shares in told for name in shares))
