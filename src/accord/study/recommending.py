"""The batch job: lists for many people from a trained pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from accord.core.config import Config
from accord.core.errors import InputError
from accord.core.queries import Queries
from accord.core.run import Run
from accord.data.importer import import_data
from accord.data.people import themselves
from accord.data.settings import ImportSettings
from accord.pipeline.artefact import load, read_card
from accord.pipeline.pipeline import Pipeline
from accord.study.lists import as_table
from accord.study.splitting import item_numbers, read_ids

BATCH = 2_000
"""Users whose lists are held at once."""


class Request(Config):
    """Whom to recommend to, and within which rules."""

    users: str | None = None
    """File with one user id a line; None: everybody known."""
    n: int = 20
    """Items a user."""
    candidates: str | None = None
    """File with the only item ids that may be shown."""
    include_seen: bool = False
    """Whether items of the history may come up again."""
    history: str | None = None
    """Event file that replaces the known history of the users in it."""
    target: Literal["items", "users"] | None = None
    """What the pipeline must recommend; None: whatever it was trained to."""


def recommend_batch(folder: Path, request: Request, run: Run) -> pa.Table:
    """Recommendations of all asked users as one table; see ``lists.as_table``."""
    with run.step("load the pipeline"):
        pipeline = load(folder)
    between_people = _between_people(folder, request.target)
    users = read_ids(request.users, "--users") if request.users else pipeline.data.user_ids.tolist()
    queries = pipeline.queries(list(dict.fromkeys(users)), **_rules(pipeline, request))
    if request.history:
        queries = with_histories(pipeline, queries, request.history, run)
    if between_people:
        queries = replace(queries, exclude=themselves(pipeline.data, queries.users))
    starts = range(0, len(queries), BATCH)
    parts = [
        _batch(pipeline, queries.take(np.arange(start, min(start + BATCH, len(queries)))), request.n)
        for start in run.progress.track(starts, "recommend", total=len(starts))
    ]
    return pa.concat_tables(parts or [_batch(pipeline, queries, request.n)])


def with_histories(pipeline: Pipeline, queries: Queries, path: str, run: Run) -> Queries:
    """The queries with histories from an event file; events of items that the pipeline does not know are left out."""
    log = import_data(ImportSettings(events=(path,)), run).dataset
    numbers = np.array([pipeline.data.item_numbers.get(name, -1) for name in log.item_ids], dtype=np.int32)
    known = log.with_events(numbers[log.event_items] >= 0)
    if lost := log.n_events - known.n_events:
        run.progress.note(f"{lost} events of {path} are of items that the pipeline does not know")
    rows = np.array([log.user_numbers.get(str(user), -1) for user in queries.users])
    given = known.told.take(np.maximum(rows, 0))
    given = replace(given, items=numbers[given.items]).keep((rows >= 0)[given.rows])
    kept = queries.history.keep((rows < 0)[queries.history.rows])
    return replace(queries, history=kept.followed_by(given))  # at most one has events


def _between_people(folder: Path, wanted: str | None) -> bool:
    """Whether the pipeline recommends people to people. Raises ``InputError`` where something else is wanted."""
    found = read_card(folder).get("target", "items")
    if wanted not in (None, found):
        raise InputError(
            f"the run recommends {found}", place="--target", value=wanted, remedy=f"Train one with --target {wanted}."
        )
    return found == "users"


def _rules(pipeline: Pipeline, request: Request) -> dict[str, Any]:
    rules: dict[str, Any] = {"include_seen": request.include_seen}
    if request.candidates:
        rules["candidates"] = item_numbers(pipeline.data, read_ids(request.candidates, "--candidates"), "--candidates")
    return rules


def _batch(pipeline: Pipeline, queries: Queries, n: int) -> pa.Table:
    return as_table(pipeline, queries, pipeline.recommend(queries, n))
