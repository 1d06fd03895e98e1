"""A small shop with order, clock, titles, attributes and cold items, and a small pipeline for it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from accord.core.dataset import Dataset
from accord.core.run import Run
from accord.pipeline.spec import PipelineSpec, spec_of
from accord.testing.planted import Planted, checkerboard

SMALL = """
name = "small"
depth = 40

[encoders.tfidf]
kind = "tfidf"

[encoders.attributes]
kind = "attributes"

[sources.popular]
kind = "popular"

[sources.trending]
kind = "popular"
half_life = 3.0

[sources.knn]
kind = "item_knn"
k = 20

[sources.content]
kind = "content"
column = "tfidf"
k = 20

[[fusers]]
kind = "weighted"

[[fusers]]
kind = "rank"

[search.values]
"knn.tau" = [4.0, inf]
"""


def run(seed: int = 0) -> Run:
    return Run(seed=seed, cache=None)


def world(users: int = 40, items: int = 20, cold: int = 3, events: int = 8) -> Planted:
    """The planted checkerboard with a list column, and nothing encoded yet."""
    planted = checkerboard(users, items, cold, events)
    table = planted.data.items.append_column(
        "genres", pa.array([[f"genre{group}", "all"] for group in planted.item_groups])
    )
    return replace(planted, data=replace(planted.data, items=table, vectors={}))


def shop() -> Dataset:
    """160 users, 80 items (12 of them cold), some 1,300 events."""
    return world().data


def small() -> PipelineSpec:
    return spec_of(SMALL, "small.toml")


def without_order(data: Dataset) -> Dataset:
    """The same log without clock and order."""
    return replace(data, events=data.events.drop_columns(["timestamp"]), order="none")


def of_events(users: list[int], items: list[int], like: Dataset) -> Dataset:
    """A log of the given events over the users and items of another, with a clock."""
    columns = {
        "user": np.array(users, np.int32),
        "item": np.array(items, np.int32),
        "weight": np.ones(len(users), np.float32),
        "timestamp": 1e9 + 86_400.0 * np.arange(len(users)),
    }
    return replace(like, events=pa.table(columns))


def write_events(path: Path, data: Dataset, rows: NDArray[Any], *, clock: bool = True) -> Path:
    """Some events of a log as a CSV file with ids."""
    lines = ["user_id,item_id,timestamp" if clock else "user_id,item_id"]
    for row in rows:
        cells = [data.user_ids[data.event_users[row]], data.item_ids[data.event_items[row]]]
        lines.append(",".join(cells + [repr(float(data.event_times[row]))] * clock))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_ids(path: Path, ids: Iterable[str]) -> Path:
    """A file with one id a line."""
    path.write_text("".join(f"{name}\n" for name in ids), encoding="utf-8")
    return path
