"""A few people's lists with titles and reasons, for reports and the command line."""

from __future__ import annotations

from typing import Any

import numpy as np

from accord.core.arrays import Ints
from accord.core.queries import Queries
from accord.core.slate import Slate
from accord.data.holdout import Split
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.reasons import Labels, Reason, as_dict, counterfactuals, explain

NEWEST = 5
"""Items of a history that are shown."""


def examples(pipeline: Pipeline, split: Split, people: int = 3, n: int = 10) -> list[dict[str, Any]]:
    """Lists of the people at the quarter points of history length, so that short and long histories are shown."""
    return told(pipeline, example_people(split, people), n)


def example_people(split: Split, people: int = 3) -> Queries:
    """The people whose lists are shown, in the order of the test."""
    test = next(iter(split.tests.values()))
    order = np.argsort(test.queries.history.lengths, kind="stable")
    rows = order[(np.linspace(0.1, 0.9, people) * (len(order) - 1)).round().astype(int)]
    return test.queries.take(np.unique(rows))


def told(
    pipeline: Pipeline, queries: Queries, n: int, *, lang: str = "en", without: bool = False
) -> list[dict[str, Any]]:
    """``{"user", "history", "list": [{"item_id", "title", "score", "reason", "sources", ...}]}`` for each query.

    ``lang``: of the sentences, ``en`` or ``zh``; ``without``: whether to say where each item would stand without each
    of the events that speak for it.
    """
    return told_of(pipeline, queries, pipeline.recommend(queries, n).items, lang=lang, without=without)


def told_of(
    pipeline: Pipeline, queries: Queries, items: Ints, *, lang: str = "en", without: bool = False
) -> list[dict[str, Any]]:
    """The same for given items (``int32[B, K]``), in the given order."""
    reasons = (counterfactuals if without else explain)(pipeline, queries, Slate(items))
    newest = [row[::-1][:NEWEST].tolist() for row in queries.history.ragged]
    labels = Labels.of(pipeline, reasons, also={item for row in newest for item in row})
    return [
        {
            "user": str(queries.users[row]),
            "history": [labels.titles[item] for item in newest[row]],
            "list": [_entry(reason, labels, lang) for reason in reasons[row]],
        }
        for row in range(len(queries))
    ]


def _entry(reason: Reason, labels: Labels, lang: str) -> dict[str, Any]:
    said = as_dict(reason, labels, lang)
    text = said.pop("text")
    return {
        "item_id": labels.ids[reason.item],
        "title": labels.titles[reason.item],
        "score": reason.score,
        "reason": text,
        **said,
    }
