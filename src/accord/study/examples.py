"""A few people's lists with titles and reasons, for reports and the command line."""

from __future__ import annotations

from typing import Any

import numpy as np

from accord.core.arrays import Ints
from accord.core.queries import Queries
from accord.core.slate import Slate
from accord.data.holdout import Split
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.reasons import evidence, explain, sentence, titles_of


def examples(pipeline: Pipeline, split: Split, people: int = 3, n: int = 10) -> list[dict[str, Any]]:
    """Lists of the people at the quarter points of history length, so that short and long histories are shown."""
    test = next(iter(split.tests.values()))
    order = np.argsort(test.queries.history.lengths, kind="stable")
    rows = order[(np.linspace(0.1, 0.9, people) * (len(order) - 1)).round().astype(int)]
    return told(pipeline, test.queries.take(np.unique(rows)), n)


def told(pipeline: Pipeline, queries: Queries, n: int) -> list[dict[str, Any]]:
    """``{"user", "history", "list": [{"item_id", "title", "score", "reason", "sources", ...}]}`` for each query."""
    return told_of(pipeline, queries, pipeline.recommend(queries, n).items)


def told_of(pipeline: Pipeline, queries: Queries, items: Ints) -> list[dict[str, Any]]:
    """The same for given items (``int32[B, K]``), in the given order."""
    slate = Slate(items)
    titles, kinds = titles_of(pipeline.data.items), evidence(pipeline)
    reasons = explain(pipeline, queries, slate)
    return [
        {
            "user": str(queries.users[row]),
            "history": [titles[item] for item in queries.history.ragged[row][::-1][:5]],
            "list": [
                {
                    "item_id": str(pipeline.data.item_ids[reason.item]),
                    "title": titles[reason.item],
                    "score": reason.score,
                    "reason": sentence(reason, titles, kinds),
                    "sources": reason.sources,
                    "because": [{"title": titles[item], "share": share} for item, share in reason.because],
                    "shared": reason.shared,
                }
                for reason in reasons[row]
            ],
        }
        for row in range(len(queries))
    ]
