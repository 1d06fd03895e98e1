"""Reasons of one list in the shape of answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from accord.core.queries import Queries
from accord.core.slate import Slate
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.reasons import told
from accord.serve.schemas import Language, Reasons

MOST = 3
"""History items and words that are named for each place."""


def reasons_of(
    pipeline: Pipeline, queries: Queries, slate: Slate, language: Language, *, without: bool = False
) -> dict[int, dict[str, Any]]:
    """``sources`` and ``reasons`` of each filled place of the one list, by place from 0.

    ``without``: also where each item would stand without the events that speak for it; it costs a list for each.
    """
    rows = told(pipeline, queries, slate, MOST, language, without=without)[0]
    places = np.flatnonzero(slate.filled[0]).tolist()
    return {
        place: {"sources": row.pop("sources"), "reasons": Reasons.model_validate(row)}
        for place, row in zip(places, rows, strict=True)
    }
