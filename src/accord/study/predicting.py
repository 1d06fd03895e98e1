"""Predictions of heads: judged on a test, and written for pairs of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from accord.core import columns as c
from accord.core.arrays import Floats, Ints, Longs
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.core.run import Run
from accord.core.slate import EMPTY
from accord.data.holdout import Split
from accord.data.readers import read
from accord.evaluate.prediction import Outcomes, report
from accord.pipeline.artefact import load
from accord.pipeline.heads import predicted
from accord.pipeline.learning import Learned
from accord.pipeline.pipeline import Pipeline

WIDTH = 100
"""Pairs of one user that are scored together."""
BATCH = 500
"""Rows of up to ``WIDTH`` pairs that are held at once."""


def judge_heads(learned: Sequence[Learned], cut: Sequence[Split], data: Dataset, run: Run) -> dict[str, Any]:
    """By head, the report of ``evaluate.prediction`` over the main tests of all splits; ``data`` holds their outcomes.

    Heads that some split lacks are left out, and so are all where the main test narrows the items to choose from.
    """
    told: dict[str, Any] = {}
    for name in learned[-1].pipeline.heads:
        parts = [
            _outcomes(result.pipeline, name, split, data, run)
            for result, split in zip(learned, cut, strict=True)
            if name in result.pipeline.heads
        ]
        known = [part for part in parts if part is not None]
        if known:
            told[name] = report(Outcomes.joined(known), learned[-1].pipeline.heads[name].measures, run.seed)
    return told


def _outcomes(pipeline: Pipeline, name: str, split: Split, data: Dataset, run: Run) -> Outcomes | None:
    """The held-back pairs of the main test; None where there are none to judge by."""
    holdout = split.tests.get("test") or next(iter(split.tests.values()))
    if holdout.queries.candidates is not None:
        return None
    found = predicted(pipeline, name, holdout, data, run)
    known = found.cells.known
    if not known.any():
        return None
    values = {system: each[known].astype(np.float64) for system, each in found.values.items()}
    truth, weights = found.cells.outcomes[known], found.cells.weights[known]
    return Outcomes(np.nonzero(known)[0], truth.astype(np.float64), values, weights.astype(np.float64))


def predict_pairs(folder: Path, pairs: str, head: str, run: Run) -> pa.Table:
    """The pairs of a file (``user_id, item_id``) with a column ``prediction``, in the order of the file.

    Unknown users are answered as people without history. Raises ``InputError`` where the file lacks a column, or an
    item is not in the catalogue.
    """
    with run.step("load the pipeline"):
        pipeline = load(folder)
        pipeline.head(head)
    frame = _read_pairs(pairs)
    users, items = frame[c.USER], _numbers(pipeline, frame[c.ITEM], pairs)
    predictions = predict_flat(pipeline, users, items, head, run)
    return pa.table({c.USER: users, c.ITEM: frame[c.ITEM], "prediction": predictions})


def predict_flat(pipeline: Pipeline, users: Sequence[str], items: Ints, head: str, run: Run) -> Floats:
    """``float32[N]``: a head's predictions of pairs of user id and item number.

    Pairs of one user are scored in rows of at most ``WIDTH``, ``BATCH`` rows at a time, which bounds the memory.
    """
    out = np.full(len(items), np.nan, np.float32)
    names, of = np.unique(np.asarray(users, dtype=str), return_inverse=True)
    order = np.argsort(of, kind="stable")
    place = np.arange(len(of)) - np.searchsorted(of[order], of[order])  # of a pair among those of its user
    row_of = np.unique(of[order] * (len(of) + 1) + place // WIDTH, return_inverse=True)[1] if len(of) else order
    starts = range(0, int(row_of.max(initial=-1)) + 1, BATCH)
    for start in run.progress.track(starts, "predict", total=len(starts)):
        part = (row_of >= start) & (row_of < start + BATCH)
        cells = row_of[part] - start, place[part] % WIDTH
        out[order[part]] = _batch(pipeline, names[of[order[part]]], items[order[part]], cells, head)
    return out


def _batch(pipeline: Pipeline, users: np.ndarray, items: Ints, cells: tuple[Longs, Longs], head: str) -> Floats:
    asked = np.full((int(cells[0].max()) + 1, int(cells[1].max()) + 1), EMPTY, np.int32)
    asked[cells] = items
    first = np.unique(cells[0], return_index=True)[1]
    queries = pipeline.queries([str(name) for name in users[first]])
    return pipeline.predict(queries, asked, head)[cells]


def _read_pairs(path: str) -> dict[str, list[str]]:
    frame = read(path, "pairs").frame
    missing = [name for name in (c.USER, c.ITEM) if name not in frame.columns]
    if missing:
        raise InputError("the file lacks a column", place="--pairs", value=missing[0], remedy="user_id,item_id")
    wanted = frame.select(pl.col(c.USER, c.ITEM).cast(pl.String).str.strip_chars())
    if wanted.null_count().sum_horizontal().item():
        raise InputError("a pair lacks its user or item", place="--pairs", value=path)
    return {name: wanted[name].to_list() for name in (c.USER, c.ITEM)}


def _numbers(pipeline: Pipeline, ids: list[str], path: str) -> Ints:
    numbers = pipeline.data.item_numbers
    unknown = [name for name in ids if name not in numbers]
    if unknown:
        raise InputError(
            f"{len(unknown)} of {len(ids)} items are not in the catalogue", place=f"--pairs {path}", value=unknown[0]
        )
    return np.array([numbers[name] for name in ids], dtype=np.int32)
