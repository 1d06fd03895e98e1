"""What a served list costs: requests a second, times, CPU by stage, memory; 10,000 and 100,000 items, 1 and 2 workers.

    python benchmarks/serving.py [--items 10000 100000] [--workers 1 2] [--seconds 20] [--rate 50] [--work FOLDER]
    python benchmarks/serving.py --runs FOLDER ... --out FILE     # trained pipelines in place of made-up ones

A real ``accord serve`` on this machine, asked at 127.0.0.1 for lists of 20 of users with a history, by this process:
first at a fixed rate, each request sent at its own moment whether or not the last one has been answered (times count
from that moment), then by a few clients that each wait for their answer. CPU is what the kernel says of the server's
processes. Beside it one bare exact dot of 100,000 x 64 and its top 20, in this process. Writes ``results/serving.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from accord.core.queries import Queries
from accord.pipeline.artefact import load
from accord.pipeline.pipeline import Pipeline
from servers import SOURCES, Server, call, made_up_run, serving

RESULTS = Path(__file__).with_name("results") / "serving.md"
N = 20
CLIENTS = 8
WARM = 3.0
"""Seconds of requests before anything is counted."""
DOT = (100_000, 64)


class Connection:
    """One kept connection, with no more of HTTP than the server's answers need."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def list_for(self, user: str) -> int:
        """Ask for one list; the status."""
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        body = f'{{"user_id":"{user}","n":{N}}}'
        head = "POST /v1/recommend HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json"
        writer.write(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
        if length is None:
            raise ValueError(answer)
        await reader.readexactly(int(length[1]))
        return int(answer.split(b" ", 2)[1])

    def close(self) -> None:
        """Close it."""
        if self.streams is not None:
            self.streams[1].close()


@dataclass(frozen=True)
class Load:
    """What came of one load."""

    seconds: list[float]
    wrong: int
    taken: float
    cpu: float

    def p(self, percent: float) -> float:
        """A percentile of the times, in ms."""
        return float(np.percentile(self.seconds, percent)) * 1e3

    @property
    def each(self) -> float:
        """CPU of the server for a request, in ms."""
        return self.cpu / len(self.seconds) * 1e3


async def open_loop(port: int, users: list[str], rate: float, seconds: float) -> tuple[list[float], int]:
    """Requests at fixed moments, each on a connection that is free or a new one."""
    free: list[Connection] = []
    times, wrong = list[float](), 0
    began = time.perf_counter() + 0.1

    async def one(moment: float, user: str) -> None:
        nonlocal wrong
        await asyncio.sleep(max(0.0, moment - time.perf_counter()))
        connection = free.pop() if free else Connection(port)
        try:
            wrong += await connection.list_for(user) != 200
            free.append(connection)
        except (OSError, asyncio.IncompleteReadError):
            wrong += 1
        times.append(time.perf_counter() - moment)

    await asyncio.gather(*(one(began + n / rate, users[n % len(users)]) for n in range(int(rate * seconds))))
    for connection in free:
        connection.close()
    return times, wrong


async def closed_loop(port: int, users: list[str], clients: int, seconds: float) -> tuple[list[float], int]:
    """As many requests as some clients can make that wait for each answer."""
    times, wrong, until = list[float](), 0, time.perf_counter() + seconds

    async def client(first: int) -> None:
        nonlocal wrong
        connection, at = Connection(port), first
        await asyncio.sleep(0.05 * first)  # a worker takes all connections that wait when it looks
        while (began := time.perf_counter()) < until:
            wrong += await connection.list_for(users[at % len(users)]) != 200
            times.append(time.perf_counter() - began)
            at += clients
        connection.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    return times, wrong


def loaded(server: Server, work: Any) -> Load:
    """Run one load against a server."""
    cpu, began = server.cpu(), time.perf_counter()
    times, wrong = asyncio.run(work)
    taken = time.perf_counter() - began
    return Load(times, wrong, taken, server.cpu() - cpu)


def stages(url: str) -> dict[str, tuple[float, float]]:
    """Seconds and count of each stage so far."""
    text = call("GET", f"{url}/metrics")[1]
    found: dict[str, dict[str, float]] = {}
    for kind, stage, value in re.findall(r'accord_stage_seconds_(sum|count)\{stage="(\w+)"\} (\S+)', text):
        found.setdefault(stage, {})[kind] = float(value)
    return {stage: (both["sum"], both["count"]) for stage, both in found.items()}


def least(action: Callable[[], object], runs: int = 30) -> float:
    """Median CPU of a few runs, in ms."""
    spent = []
    for _ in range(runs):
        began = time.process_time()
        action()
        spent.append(time.process_time() - began)
    return float(np.median(spent)) * 1e3


def bare() -> float:
    """One exact dot and its top 20, in ms of CPU."""
    vectors = np.random.default_rng(0).standard_normal(DOT).astype(np.float32)
    vector = vectors[0].copy()

    def dot() -> object:
        scores = vectors @ vector
        top = np.argpartition(scores, len(scores) - N)[-N:]
        return top[np.argsort(-scores[top])]

    return least(dot)


def offline(pipeline: Pipeline, queries: list[Queries]) -> dict[str, float]:
    """CPU of the parts of one list in this process, in ms: every source, and the whole."""
    asked = iter(queries * 100)
    told: dict[str, float] = {}
    for name, source in pipeline.sources.items():
        told[name] = least(lambda source=source: source.scored(next(asked)).offer(pipeline.spec.depth))
    return told | {"whole list": least(lambda: pipeline.recommend(next(asked), N))}


def measured(folder: Path, name: str, workers: int, options: argparse.Namespace, unit: float) -> list[str]:
    """One server under both loads: two rows of the table, and the stages."""
    pipeline = load(folder / "run")
    users = [str(pipeline.data.user_ids[n]) for n in np.random.default_rng(1).choice(pipeline.data.n_users, 2_000)]
    store = folder / f"store-{workers}.db"
    server = Server(folder / "run", workers, ("--store", f"sqlite:///{store}", "--rate", "", "--budget", "2"))
    rows: list[str] = []
    with serving(server):
        asyncio.run(closed_loop(server.port, users, 2, WARM))
        before = stages(server.url)
        steady = loaded(server, open_loop(server.port, users, options.rate, options.seconds))
        after = stages(server.url)
        most = loaded(server, closed_loop(server.port, users, CLIENTS, options.seconds))
        private, shared = server.memory()
    for kind, one in ((f"{options.rate:g} a second", steady), (f"{CLIENTS} clients", most)):
        speed, wrong = len(one.seconds) / one.taken, f", {one.wrong} wrong" if one.wrong else ""
        times = " | ".join(f"{one.p(percent):.1f}" for percent in (50, 95, 99))
        cost = f"{one.each:.1f} | {one.each / unit:.1f} | {private:.0f} + {shared:.0f}"
        rows.append(f"| {name} | {workers} | {kind}{wrong} | {speed:.0f} | {times} | {cost} |")
    spent = {name: (after[name][0] - before.get(name, (0, 0))[0]) / len(steady.seconds) * 1e3 for name in after}
    rows.append("; ".join(f"{name} {ms:.2f}" for name, ms in spent.items() if ms > 0.005))
    return rows


def page(options: argparse.Namespace, unit: float, rows: list[str], staged: list[str], alone: list[str]) -> str:
    """The results as Markdown."""
    given = f"--items {' '.join(map(str, options.items))}"
    told = f"by {len(SOURCES)} sources ({', '.join(SOURCES)}; depth 100)"
    if options.runs:
        given, told = f"--runs {' '.join(run.name for run in options.runs)}", "by trained pipelines"
    given += f" --workers {' '.join(map(str, options.workers))}"
    return "\n".join(
        [
            "# What a served list costs",
            "",
            f"`python benchmarks/serving.py {given} --seconds {options.seconds:g} --rate {options.rate:g}`, "
            f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores "
            f"(the client on the same ones), load of the machine at the end {os.getloadavg()[0]:.1f}.",
            "",
            f"Lists of {N} {told}, histories of {options.history} "
            "events in the mean read from the store, and an impression written and flushed for each list. "
            f"One bare exact dot of {DOT[0]:,} x {DOT[1]} with its top {N} takes {unit:.2f} ms of CPU in the same "
            "minutes; the column *x bare* is CPU over that. Memory: private and shared MiB of all processes.",
            "",
            f"| {'pipeline' if options.runs else 'items'} | workers | load | requests/s | p50, ms | p95, ms | p99, ms "
            "| CPU ms a request | x bare | MiB |",
            "|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|",
            *rows,
            "",
            "Mean ms of wall time a request by stage, at the fixed rate:",
            "",
            *staged,
            "",
            "CPU ms of one list in this process, by source (scores, facts and the best 100), and whole:",
            "",
            *alone,
            "",
        ]
    )


def cases(options: argparse.Namespace, temporary: Path) -> Iterator[tuple[str, Path]]:
    """Names and folders that hold a trained pipeline as ``run``."""
    for run in options.runs or ():
        folder = temporary / run.name  # the server leaves a log and a store beside what it serves
        shutil.copytree(run, folder / "run")
        yield run.name, folder
    for items in () if options.runs else options.items:
        folder = (options.work or temporary) / f"items-{items}"
        if not (folder / "run").exists():
            made_up_run(folder, items)
        yield f"{items:,}", folder


def main() -> None:
    """Measure every case and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--runs", type=Path, nargs="+", help="Folders of trained pipelines.")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--work", type=Path, help="Folder that keeps the made-up runs for another time.")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    threadpool_limits(1, user_api="blas")  # CPU time is compared: a second thread would wait, and count
    unit, rows, staged, alone = bare(), list[str](), list[str](), list[str]()
    with tempfile.TemporaryDirectory() as temporary:
        for name, folder in cases(options, Path(temporary)):
            pipeline = load(folder / "run")
            options.history = f"{pipeline.data.n_events / pipeline.data.n_users:.0f}"
            chosen = np.random.default_rng(2).choice(pipeline.data.n_users, 50)
            told = offline(pipeline, [pipeline.data.queries(np.array([user])) for user in chosen])
            what = name if options.runs else f"{name} items"
            alone.append(f"- {what}: " + "; ".join(f"{name} {ms:.2f}" for name, ms in told.items()))
            for workers in options.workers:
                *table, stage = measured(folder, name, workers, options, unit)
                rows += table
                staged.append(f"- {what}, {workers} worker{'s' * (workers > 1)}: {stage}")
                print("\n".join([*table, stage]), flush=True)
    options.out.write_text(page(options, unit, rows, staged, alone), encoding="utf-8")


if __name__ == "__main__":
    main()
