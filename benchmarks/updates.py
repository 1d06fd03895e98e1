"""After new events: what an update of the pipeline gives, beside a full refit, and beside doing nothing.

    python benchmarks/updates.py [--share 0.01]

MovieLens 100K. The newest events are held out, a pipeline is learned on the others and updated with them; the same
sources are fitted on all events. Compared are the top 20 of everybody with a history, by the share of items that both
lists have. Sources that update must reach .95. Writes ``results/updates.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from accord.core import columns as c
from accord.core.dataset import Dataset
from accord.core.queries import Queries
from accord.core.roles import Recommender, Updates
from accord.core.run import Run
from accord.core.slate import Slate
from accord.data.named import load
from accord.data.splits import newest_validation
from accord.pipeline.artefact import save
from accord.pipeline.delta import save_delta
from accord.pipeline.learning import learn
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.spec import spec_of
from accord.pipeline.updating import update

HERE = Path(__file__).parent
DEPTH, GATE = 20, 0.95
SPEC = """
name = "updates"
encoders.tfidf = { kind = "tfidf" }
encoders.attributes = { kind = "attributes" }
fusers = [{ kind = "weighted" }]
[sources]
popular = { kind = "popular" }
trending = { kind = "popular", half_life = 14.0 }
trend = { kind = "trend" }
by_genre = { kind = "popular_by", by = "genres" }
by_hour = { kind = "popular_by" }
item_knn = { kind = "item_knn", near = 4.0, back = 0.3, tau = 16.0 }
cosine = { kind = "item_knn", tau = 16.0 }
markov = { kind = "markov", tau = 4.0 }
ease = { kind = "ease", reg = 400.0, side = { attributes = 2.0 }, tau = 16.0 }
slit = { kind = "slit", reg = 320.0, tau = 4.0 }
spectral = { kind = "spectral", tau = 16.0 }
content = { kind = "content", column = "attributes", mode = "profile" }
bridge = { kind = "bridge", near = 4.0, back = 0.3 }
"""


def split_newest(data: Dataset, share: float) -> tuple[Dataset, int]:
    """The data without its newest events, and how many those are."""
    fresh = round(share * data.n_events)
    return data.with_events(np.arange(data.n_events) < data.n_events - fresh), fresh


def newest(data: Dataset, n: int) -> pa.Table:
    """The newest events, with ids as they would be posted."""
    events = data.events.slice(data.n_events - n).drop_columns([c.USER_NUMBER, c.ITEM_NUMBER])
    events = events.append_column(c.USER, [data.user_ids[data.event_users[-n:]].tolist()])
    return events.append_column(c.ITEM, [data.item_ids[data.event_items[-n:]].tolist()])


def refitted(pipeline: Pipeline, data: Dataset, run: Run) -> Pipeline:
    """The same parts with the same settings, fitted on other events."""
    data = replace(data, items=pipeline.data.items, vectors=pipeline.data.vectors)
    sources: dict[str, Recommender] = {
        name: type(source)(source.config).fit(data, run) for name, source in pipeline.sources.items()
    }
    fallback = type(pipeline.fallback)(pipeline.fallback.config).fit(data, run)
    return replace(pipeline, data=data, sources=sources, fallback=fallback, fresh=0)


def shared_items(one: Slate, other: Slate) -> float:
    """The mean share of items that two lists of one query have in common."""
    shares = []
    for ours, theirs in zip(one.items, other.items, strict=True):
        mine, yours = set(ours[ours >= 0].tolist()), set(theirs[theirs >= 0].tolist())
        if mine or yours:
            shares.append(len(mine & yours) / max(len(mine), len(yours)))
    return float(np.mean(shares))


def compared(old: Pipeline, updated: Pipeline, again: Pipeline, queries: Queries) -> list[str]:
    """A table row a source, and one of the fused list."""
    rows = []
    for name in (*old.sources, "fused"):
        lists = [
            one.recommend(queries, DEPTH) if name == "fused" else one.sources[name].offer(queries, DEPTH)
            for one in (old, updated, again)
        ]
        stale, fresh = shared_items(lists[0], lists[2]), shared_items(lists[1], lists[2])
        learns = name == "fused" or isinstance(old.sources[name], Updates)
        if learns and name != "fused" and fresh < GATE:
            print(f"BELOW THE GATE: {name} {fresh:.3f}")
        rows.append(f"| {name} | {'yes' if learns else 'at the next fit'} | {stale:.3f} | {fresh:.3f} |")
    return rows


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=0.01)
    arguments = parser.parse_args()
    run = Run()
    data = load("ml-100k", run)
    past, fresh = split_newest(data, arguments.share)
    learned = learn(spec_of(SPEC, "updates"), newest_validation(past), run, keep_all=True)
    old = replace(learned.pipeline, sources=learned.pipeline.sources | learned.alone)
    events = newest(data, fresh)
    began = time.process_time()
    updated = update(old, events, run)
    spent = time.process_time() - began
    began = time.process_time()
    again = refitted(old, data, run)
    refit = time.process_time() - began
    everybody = data.queries()
    rows = compared(old, updated, again, everybody.take(np.flatnonzero(everybody.history.lengths > 0)))
    weights = ", ".join(old.fuser.config.sources)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    sizes = f"{_delta_size(old, updated) / 2**20:.1f} MiB beside an artefact of {_size(old) / 2**20:.1f} MiB"
    lines = [
        "# Updates between refits",
        "",
        f"MovieLens 100K, the newest {fresh:,} of {data.n_events:,} events as an update: share of the top {DEPTH} that",
        f"a full refit has too, mean over everybody with a history ({len(rows) - 1} sources).",
        "",
        "| source | learns at once | nothing done | updated |",
        "|---|---|---:|---:|",
        *rows,
        "",
        f"The fused list is made of: {weights}.",
        f"The update took {spent:.2f} s of CPU, the refit of the sources {refit:.1f} s; the delta is {sizes}.",
        "",
        f"`python benchmarks/updates.py --share {arguments.share}`, {datetime.now(UTC):%Y-%m-%d}, {machine}.",
        "",
    ]
    (HERE / "results" / "updates.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


def _size(pipeline: Pipeline) -> int:
    with tempfile.TemporaryDirectory() as folder:
        save(pipeline, Path(folder) / "base", {})
        return _bytes(Path(folder) / "base")


def _delta_size(old: Pipeline, updated: Pipeline) -> int:
    with tempfile.TemporaryDirectory() as folder:
        save(old, Path(folder) / "base", {})
        save_delta(updated, Path(folder) / "base", Path(folder) / "delta")
        return _bytes(Path(folder) / "delta")


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
