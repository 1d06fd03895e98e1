"""What new items cost beside their encoding, source by source.

    python benchmarks/growing.py [--items 12000] [--events 300000] [--sources ease slit ...]

A made-up log (``generate.py``), every source fitted on it with one thread, no fusion learned.
Measured: the first item, one more, a thousand more, one more after those, and an edit, each with the vectors at
hand; the time of the encoders is given beside. Writes ``results/growing.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from accord.core.arrays import Matrix
from accord.core.dataset import Dataset
from accord.core.roles import Encoder, Recommender
from accord.core.run import Run, peak_mib
from accord.data.importer import import_data
from accord.data.settings import ImportSettings
from accord.encode.columns import encode_columns
from accord.fuse.weighted import Weighted
from accord.pipeline.columns import read_columns
from accord.pipeline.growing import placed
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.spec import PipelineSpec, make
from generate import write_log

HERE = Path(__file__).parent
RUN = Run(cache=None)
ENCODERS: dict[str, dict[str, Any]] = {
    "tfidf": {"kind": "tfidf"},
    "attributes": {"kind": "attributes"},
    "labels": {"kind": "attributes", "idf": False},
    "meaning": {"kind": "projection", "of": "tfidf", "dim": 384},
}
SIDE = {"attributes": 2.0, "tfidf": 2.0}
SOURCES: dict[str, dict[str, Any]] = {
    "popular": {"kind": "popular"},
    "popular_by": {"kind": "popular_by", "by": "categories"},
    "item_knn": {"kind": "item_knn", "near": 4.0, "back": 0.3},
    "markov": {"kind": "markov"},
    "spectral": {"kind": "spectral"},
    "user_knn": {"kind": "user_knn"},
    "ease": {"kind": "ease", "side": SIDE},
    "slit": {"kind": "slit", "side": SIDE},
    "local_ease": {"kind": "local_ease", "side": SIDE, "neighbours": 50, "entries": 150},
    "low_rank": {"kind": "low_rank", "side": SIDE},
    "content": {"kind": "content"},
    "profile": {"kind": "content", "column": "attributes", "mode": "profile"},
    "meaning": {"kind": "content", "column": "meaning", "centre": True},
    "bridge": {"kind": "bridge", "near": 4.0, "back": 0.3},
    "ridge_labels": {"kind": "bridge_ridge", "columns": {"labels": 1.0}},
    "ridge_meaning": {"kind": "bridge_ridge", "columns": {"meaning": 1.0}},
}
ELSEWHERE = ("popular_by", "user_knn", "local_ease", "low_rank")
"""Sources that the preset ``balanced`` has not, or not beside ``ease``."""
MANY = 1_000


def trained(items: int, events: int, names: list[str]) -> tuple[Pipeline, pa.Table]:
    """A pipeline over all but the last items of a log, and the rows of these."""
    with tempfile.TemporaryDirectory() as folder:
        write_log(Path(folder), events, items + MANY + 2)
        files = (f"{folder}/events.parquet",)
        data = import_data(ImportSettings(events=files, items=f"{folder}/items.parquet"), RUN).dataset
    order = np.argsort(data.item_ids.astype(int), kind="stable")
    number = np.argsort(order).astype(np.int32)
    early = number[data.event_items] < items
    moved = data.events.set_column(data.events.column_names.index("item"), "item", pa.array(number[data.event_items]))
    catalogue = data.items.take(pa.array(order))
    base = Dataset(moved.filter(pa.array(early)), catalogue.slice(0, items), data.users, order=data.order)
    encoders: dict[str, Encoder] = {name: make("encoders", values, name) for name, values in ENCODERS.items()}
    base, skipped = encode_columns(encoders, base, RUN)
    if skipped:
        raise SystemExit(f"encoders do not apply: {skipped}")
    sources: dict[str, Recommender] = {}
    for name in names:
        began = time.process_time()
        sources[name] = make("sources", SOURCES[name], name).fit(base, RUN)
        print(f"fitted {name}: {time.process_time() - began:.1f} s, peak {peak_mib():.0f} MiB", flush=True)
    spec = PipelineSpec(sources={name: SOURCES[name] for name in names}, encoders=ENCODERS)
    fallback = make("sources", {"kind": "popular"}, "fallback").fit(base, RUN)
    return Pipeline(spec, base, sources, Weighted(sources=tuple(names)), fallback, encoders), catalogue.slice(items)


def timed(action: Callable[[], Any], runs: int = 3) -> tuple[float, Any]:
    """Least CPU seconds of a few runs, and what it gave."""
    seconds, found = [], None
    for _ in range(runs):
        began = time.process_time()
        found = action()
        seconds.append(time.process_time() - began)
    return min(seconds), found


def vectors(pipeline: Pipeline, rows: pa.Table) -> dict[str, Matrix]:
    return {name: pipeline.encoders[name].encode(rows, RUN) for name in read_columns(pipeline)}


class Case:
    """A change of the catalogue, measured as a whole and source by source."""

    def __init__(self, name: str, pipeline: Pipeline, rows: pa.Table) -> None:
        self.name = name
        known = pipeline.data.vectors
        self.encoding, encoded = timed(lambda: vectors(pipeline, rows), runs=1)
        known = {column: known[column] for column in read_columns(pipeline)}
        runs = 3 if rows.num_rows == 1 else 1
        self.whole, self.grown = timed(lambda: placed(pipeline, rows, known, encoded), runs)
        edited = np.array([pipeline.data.item_numbers.get(one, -1) for one in rows["item_id"].to_pylist()])
        self.sources = {
            name: timed(lambda source=source: source.grow(self.grown.data, edited[edited >= 0]), runs)[0]
            for name, source in pipeline.sources.items()
        }

    def of_preset(self) -> float:
        """Seconds of all that the preset ``balanced`` has; ``taste`` and ``whole_bridge`` are as those before them."""
        times = self.sources
        twice = times.get("content", 0) + times.get("bridge", 0) + times.get("popular", 0)
        return sum(times.values()) + twice - sum(times.get(name, 0) for name in ELSEWHERE)


def table(cases: list[Case], items: int, command: str, figures: str) -> str:
    """Milliseconds by source and case, as Markdown."""
    lines = ["# Growing", "", f"Milliseconds of CPU time beside encoding; {items:,} items, {figures}.", ""]
    lines += ["| | " + " | ".join(case.name for case in cases) + " |", "|---|" + "---:|" * len(cases)]
    for name in cases[0].sources:
        lines.append(f"| {name} | " + " | ".join(f"{1000 * case.sources[name]:.1f}" for case in cases) + " |")
    for label, of in (("all, with tables and vectors", "whole"), ("encoders", "encoding")):
        lines.append(f"| {label} | " + " | ".join(f"{1000 * getattr(case, of):.0f}" for case in cases) + " |")
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    stamp = f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {machine}, one thread, load {os.getloadavg()[0]:.1f}"
    lines.append(f"| sources of `balanced` | {' | '.join(f'{1000 * case.of_preset():.0f}' for case in cases)} |")
    return "\n".join([*lines, "", f"{stamp}, peak {peak_mib():.0f} MiB.", ""])


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=12_000)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--sources", nargs="*", choices=SOURCES, default=list(SOURCES))
    arguments = parser.parse_args()
    pipeline, rows = trained(arguments.items, arguments.events, arguments.sources)
    first = Case("the first item", pipeline, rows.slice(0, 1))  # works out what later ones use again
    many = Case("1,000 items", first.grown, rows.slice(1, MANY))
    cases = [first, Case("one more", first.grown, rows.slice(MANY + 1, 1)), many]
    cases.append(Case("one more after them", many.grown, rows.slice(MANY + 1, 1)))
    cases.append(Case("an edit of an old item", first.grown, pipeline.data.items.slice(7, 1)))
    command = f"python benchmarks/growing.py --items {arguments.items} --events {arguments.events}"
    figures = f"{pipeline.data.n_events:,} events, {pipeline.data.n_users:,} users"
    text = table(cases, arguments.items, command, figures)
    if arguments.sources == list(SOURCES):
        (HERE / "results" / "growing.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
