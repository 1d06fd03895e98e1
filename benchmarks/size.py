"""Time and memory on large logs, as a growth curve: import, training, and lists for many people.

    python benchmarks/size.py [--millions 1 3 10] [--items 100000] [--work FOLDER]

Logs come from ``generate.py``. Every stage runs in a process of its own, so that its peak memory is its own. CPU time
is given beside wall time: on a machine that does other work it is what can be compared. Writes
``results/size.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from accord.core.run import Run, peak_mib
from accord.data.importer import import_data
from accord.data.settings import ImportSettings
from accord.data.splits import leave_last
from accord.pipeline.artefact import load
from accord.pipeline.spec import preset
from accord.study.training import train_dataset
from generate import write_log

HERE = Path(__file__).parent
USERS, LENGTH, BATCH = 100_000, 20, 5_000


def import_stage(folder: Path) -> dict[str, Any]:
    """Import with a 5-core, write the dataset, split it and build the training matrix."""
    clock = Clock()
    settings = ImportSettings(events=(_file(folder, "events"),), items=_file(folder, "items"), k_core=5)
    data = import_data(settings, Run(cache=None)).dataset
    clock.lap("import and 5-core")
    data.save(folder / "data")
    clock.lap("write the dataset")
    split = leave_last(data)[0]
    clock.lap("split (leave last)")
    cells = split.train.matrix.nnz
    clock.lap("users x items matrix")
    return {"events": data.n_events, "users": data.n_users, "items": data.n_items, "cells": cells, "laps": clock.laps}


def train_stage(folder: Path) -> dict[str, Any]:
    """``accord train --preset fast``."""
    run = Run(cache=None)
    learned = train_dataset(folder / "data", preset("fast"), run, folder / "pipeline")
    return {
        "sources": list(learned.pipeline.sources),
        "skipped": learned.skipped,
        "laps": [(step.step, step.seconds, step.cpu_seconds) for step in run.timings],
    }


def lists_stage(folder: Path) -> dict[str, Any]:
    """Top 20 of 100,000 people drawn at random, in batches."""
    clock = Clock()
    pipeline = load(folder / "pipeline")
    clock.lap("load the pipeline")
    n_users = pipeline.data.n_users
    users = np.random.default_rng(0).permutation(n_users)[:USERS]
    for start in range(0, len(users), BATCH):
        pipeline.recommend(pipeline.data.queries(users[start : start + BATCH]), LENGTH)
    clock.lap(f"top {LENGTH} for {len(users):,} people")
    return {"lists": len(users), "laps": clock.laps}


STAGES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "import": import_stage,
    "train": train_stage,
    "lists": lists_stage,
}


class Clock:
    """Wall and CPU seconds between laps."""

    def __init__(self) -> None:
        self.laps: list[tuple[str, float, float]] = []
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def lap(self, name: str) -> None:
        """Note the time since the last lap."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.laps.append((name, wall - self._wall, cpu - self._cpu))
        self._wall, self._cpu = wall, cpu


def staged(stage: str, folder: Path) -> dict[str, Any]:
    """One stage in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--stage", stage, "--work", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _stage(name: str, folder: Path) -> None:
    clock = Clock()
    facts = STAGES[name](folder)
    clock.lap(name)
    _, wall, cpu = clock.laps[0]
    print(json.dumps({**facts, "seconds": wall, "cpu": cpu, "mib": peak_mib(), "load": os.getloadavg()[0]}))


def _file(folder: Path, name: str) -> str:
    return str(next(path for path in sorted(folder.iterdir()) if path.name.startswith(f"{name}.")))


def measure(folder: Path, events: int, items: int, stages: list[str]) -> dict[str, dict[str, Any]]:
    """The stages asked for, for one size; what was measured before is kept as ``size.json`` in the folder."""
    if not folder.exists():
        write_log(folder, events, items)
    known = folder / "size.json"
    found: dict[str, dict[str, Any]] = json.loads(known.read_text("utf-8")) if known.exists() else {}
    for stage in stages:
        if stage not in found:
            found[stage] = staged(stage, folder)
            known.write_text(json.dumps(found), encoding="utf-8")
    return found


def table(rows: dict[int, dict[str, dict[str, Any]]], command: str) -> str:
    """The growth curve and the laps of the largest size, as Markdown."""
    lines = ["# Size", "", "Wall seconds / CPU seconds / peak memory of the process, GiB.", ""]
    lines += [
        "| events made | after the 5-core | import, split, matrix | train, preset `fast` | top 20 for 100,000 people |"
    ]
    lines += ["|---:|---|---|---|---|"]
    for millions, found in rows.items():
        facts = found["import"]
        kept = f"{facts['events']:,} events, {facts['users']:,} users, {facts['items']:,} items"
        cells = [_cost(found[stage]) if stage in found else "not measured" for stage in STAGES]
        lines.append(f"| {millions} million | {kept} | {' | '.join(cells)} |")
    for millions, found in rows.items():
        lines += ["", f"## {millions} million events, step by step", "", "| step | wall s | CPU s |", "|---|---:|---:|"]
        lines += [f"| {name} | {wall:.1f} | {cpu:.1f} |" for f in found.values() for name, wall, cpu in f["laps"]]
        loads = ", ".join(f"{stage} {f['load']:.1f}" for stage, f in found.items())
        lines += ["", f"Load of the machine after: {loads}."]
        if "train" in found:
            lines += [f"Sources used: {', '.join(found['train']['sources'])}."]
            lines += [f"Left out {name}: {reason}" for name, reason in found["train"]["skipped"].items()]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return "\n".join([*lines, "", f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {machine}.", ""])


def _cost(facts: dict[str, Any]) -> str:
    return f"{facts['seconds']:.0f} / {facts['cpu']:.0f} / {facts['mib'] / 1024:.2f}"


def main() -> None:
    """Measure all sizes and write the table, or run one stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=int, nargs="*", default=[1, 3, 10])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--work", type=Path, default=Path("runs/size"))
    parser.add_argument("--stages", nargs="*", choices=STAGES, default=list(STAGES), help="in this order")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stage:
        _stage(arguments.stage, arguments.work)
        return
    rows: dict[int, dict[str, dict[str, Any]]] = {}
    for millions in arguments.millions:
        folder = arguments.work / f"{millions}m-{arguments.items}"
        rows[millions] = measure(folder, millions * 1_000_000, arguments.items, arguments.stages)
        sizes = " ".join(map(str, rows))
        text = table(rows, f"python benchmarks/size.py --millions {sizes} --items {arguments.items}")
        (HERE / "results" / "size.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
