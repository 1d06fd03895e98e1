"""Who writes to the SQLite store: one writer a worker process, or one process for all of them?

    python benchmarks/store.py [--seconds 5] [--waiters 16] [--work FOLDER]

Waiters are threads that append batches and wait for the commit, divided among the workers. With one writer process,
every waiter sends its batch over a pipe of its own to a process that holds the only connection that writes. Writes
``results/store.md``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from accord.data.store import Event, SqliteStore

RESULTS = Path(__file__).with_name("results") / "store.md"
SPAWN = multiprocessing.get_context("spawn")
Send = Callable[[list[Event]], Any]


@dataclass(frozen=True)
class Case:
    """One measurement."""

    writer: str
    workers: int
    batch: int

    @property
    def title(self) -> str:
        return f"{self.writer} | {self.workers} | {self.batch}"


def waits(send: Send, prefix: str, batch: int, seconds: float) -> list[float]:
    """Append batches for some seconds. Returns the seconds that each took."""
    taken: list[float] = []
    until = time.perf_counter() + seconds
    while (started := time.perf_counter()) < until:
        stem = f"{prefix}-{len(taken)}"
        send([Event(f"{stem}-{n}", f"user-{len(taken) % 10_000}", f"item-{n}", "view") for n in range(batch)])
        taken.append(time.perf_counter() - started)
    return taken


def work(path: Path, name: str, threads: int, batch: int, seconds: float, pipes: list[Connection], out: Any) -> None:
    """A worker process: its waiters write through its own store, or through pipes where there are any."""
    store = None if pipes else SqliteStore(path)
    sends = [store.append_events] * threads if store else [through(pipe) for pipe in pipes]
    with ThreadPoolExecutor(threads) as pool:
        found = pool.map(lambda n: waits(sends[n], f"{name}-{n}", batch, seconds), range(threads))
        taken = [one for row in found for one in row]
    commits = store.commits().transactions if store else 0
    out.put((taken, commits, time.process_time()))
    if store:
        store.close()


def through(pipe: Connection) -> Send:
    """Send a batch to the writer process and wait for its answer."""

    def send(events: list[Event]) -> Any:
        pipe.send(events)
        return pipe.recv()

    return send


def serve(path: Path, pipes: list[Connection], out: Any) -> None:
    """The writer process: a thread a pipe."""
    store = SqliteStore(path)

    def answer(pipe: Connection) -> None:
        while (events := pipe.recv()) is not None:
            pipe.send(store.append_events(events))

    threads = [threading.Thread(target=answer, args=(pipe,)) for pipe in pipes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.put(([], store.commits().transactions, time.process_time()))
    store.close()


def measure(case: Case, waiters: int, seconds: float, work_folder: Path) -> str:
    """One row of the table."""
    with tempfile.TemporaryDirectory(dir=work_folder) as folder:
        path = Path(folder) / "store.db"
        SqliteStore(path).close()
        out = SPAWN.Queue()
        threads = waiters // case.workers
        pairs = [SPAWN.Pipe() for _ in range(waiters)] if case.writer == "one process" else []
        server = SPAWN.Process(target=serve, args=(path, [theirs for _, theirs in pairs], out))
        if pairs:
            server.start()
        workers = []
        for number in range(case.workers):
            own = [ours for ours, _ in pairs[number * threads : (number + 1) * threads]]
            arguments = (path, f"w{number}", threads, case.batch, seconds, own, out)
            workers.append(SPAWN.Process(target=work, args=arguments))
        for worker in workers:
            worker.start()
        found = [out.get() for _ in workers]
        for worker in workers:
            worker.join()
        for ours, _ in pairs:
            ours.send(None)
        if pairs:
            found.append(out.get())
            server.join()
    return row(case, found, seconds)


def row(case: Case, found: list[tuple[list[float], int, float]], seconds: float) -> str:
    taken = np.array([one for times, _, _ in found for one in times])
    commits = sum(number for _, number, _ in found)
    rows = len(taken) * case.batch
    p50, p99 = np.percentile(taken, [50, 99]) * 1e3
    cpu = sum(spent for _, _, spent in found) / rows * 1e6
    return f"| {case.title} | {rows / seconds:,.0f} | {p50:.1f} | {p99:.1f} | {rows / commits:.1f} | {cpu:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--waiters", type=int, default=16)
    parser.add_argument("--work", type=Path, help="Folder for the stores; on a disk, not in memory.")
    options = parser.parse_args()
    cases = [
        Case(writer, workers, batch)
        for batch in (1, 20)
        for workers in (1, 2)
        for writer in ("one a worker", "one process")
    ]
    rows = [measure(case, options.waiters, options.seconds, options.work) for case in cases]
    RESULTS.write_text(page(rows, options), encoding="utf-8")


def page(rows: list[str], options: argparse.Namespace) -> str:
    load = os.getloadavg()[0]
    return "\n".join(
        [
            "# Who writes to the SQLite store",
            "",
            f"`python benchmarks/store.py --seconds {options.seconds:g} --waiters {options.waiters}`, "
            f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores, "
            f"load of the machine at the end {load:.1f}.",
            "",
            f"{options.waiters} waiters in all; each appends a batch, waits for the commit, and goes on. CPU is that "
            "of all processes, their start included.",
            "",
            "| writer | workers | events a batch | events/s | p50, ms | p99, ms | events a commit | CPU us an event |",
            "|---|---:|---:|---:|---:|---:|---:|---:|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main()
