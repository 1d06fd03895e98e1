"""Does the server keep what it has acknowledged? It is killed at random while clients post.

    python benchmarks/durability.py [--kills 50] [--workers 1 2] [--clients 8] [--work FOLDER]

A real ``accord serve`` is killed with SIGKILL, all processes at once or one worker alone, at random moments while
clients post batches of events; a batch that got no answer is sent again, as any client would. At the end every event
that was acknowledged must be in the store exactly once, and none that was never sent. Writes ``results/durability.md``.
"""

from __future__ import annotations

import argparse
import http.client
import os
import platform
import signal
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from servers import Server, call, made_up_run

RESULTS = Path(__file__).with_name("results") / "durability.md"
BATCH = 20
FIRST = 0.3
"""Seconds of quiet work before a kill at least; on top of them a random part of as much again."""
PATIENCE = 120.0


@dataclass
class Client(threading.Thread):
    """Posts batches until it is told to stop; remembers what was acknowledged."""

    number: int
    server: Server
    over: threading.Event
    acknowledged: list[str] = field(default_factory=list)
    sent: set[str] = field(default_factory=set)
    again: int = 0
    """Batches that had to be sent more than once."""

    def __post_init__(self) -> None:
        super().__init__(name=f"client {self.number}", daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        """Post batch after batch; the last one until it is acknowledged too."""
        batch = 0
        while not self.over.is_set():
            ids = [f"c{self.number}-{batch}-{n}" for n in range(BATCH)]
            self.sent |= set(ids)
            self._post(ids)
            self.acknowledged += ids
            batch += 1

    def _post(self, ids: list[str]) -> None:
        events = [{"event_id": name, "user_id": f"new-{self.number}", "item_id": "1", "event": "view"} for name in ids]
        until, tries = time.monotonic() + PATIENCE, 0
        while time.monotonic() < until:
            try:
                status, answer = call("POST", f"{self.server.url}/v1/events", {"events": events})
                if status == 200 and answer["accepted"] + answer["duplicates"] == len(ids):
                    self.again += tries > 0
                    return
            except (OSError, http.client.HTTPException, ValueError):
                pass  # killed before or during the answer
            tries += 1
            time.sleep(0.05)
        raise TimeoutError(f"{self.name}: no answer for {PATIENCE:g} seconds")


@dataclass(frozen=True)
class Outcome:
    """What came of one run."""

    workers: int
    groups: int
    """Kills of the whole group."""
    singles: int
    """Kills of one worker."""
    acknowledged: int
    again: int
    missing: int
    double: int
    foreign: int
    """Events in the store that nobody sent."""

    @property
    def row(self) -> str:
        """One row of the table."""
        found = f"{self.missing} | {self.double} | {self.foreign}"
        return f"| {self.workers} | {self.groups} + {self.singles} | {self.acknowledged:,} | {self.again:,} | {found} |"


def endure(run: Path, store: Path, workers: int, kills: int, clients: int, seed: int = 0) -> Outcome:
    """Kill a server so many times while clients post, and count what the store holds."""
    draw, over = np.random.default_rng(seed), threading.Event()
    server = Server(run, workers, ("--store", f"sqlite:///{store}", "--rate", ""))
    server.start()
    server.ready()
    posting = [Client(number, server, over) for number in range(clients)]
    for client in posting:
        client.start()
    groups = 0
    try:
        for _ in range(kills):
            time.sleep(FIRST * (1 + draw.random()))
            groups += _kill(server, draw)
    finally:
        over.set()
        for client in posting:
            client.join(PATIENCE)
        server.kill()
    if any(client.is_alive() for client in posting):
        raise TimeoutError("a client still waits for its answer")
    return _counted(store, workers, groups, kills - groups, posting)


def _kill(server: Server, draw: np.random.Generator) -> bool:
    """Kill the group and start it anew, or one worker of several, which the parent must replace."""
    living = server.answering()
    if server.workers > 1 and len(living) > 1 and draw.random() < 0.5:
        os.kill(int(draw.choice(living)), signal.SIGKILL)
        return False
    server.kill()
    server.start()
    server.ready()
    return True


def _counted(store: Path, workers: int, groups: int, singles: int, clients: list[Client]) -> Outcome:
    with sqlite3.connect(store) as database:
        damage = database.execute("PRAGMA integrity_check").fetchone()[0]
        rows = database.execute("SELECT event_id FROM events WHERE event_id LIKE 'c%'").fetchall()
    database.close()
    if damage != "ok":
        raise RuntimeError(f"the store is damaged: {damage}")
    kept = Counter(name for (name,) in rows)
    acknowledged = {name for client in clients for name in client.acknowledged}
    sent = {name for client in clients for name in client.sent}
    double = sum(count > 1 for count in kept.values())
    again = sum(client.again for client in clients)
    missing, foreign = len(acknowledged - kept.keys()), len(kept.keys() - sent)
    return Outcome(workers, groups, singles, len(acknowledged), again, missing, double, foreign)


def page(options: argparse.Namespace, outcomes: list[Outcome]) -> str:
    """The results as Markdown."""
    workers = " ".join(map(str, options.workers))
    return "\n".join(
        [
            "# Killed while clients post",
            "",
            f"`python benchmarks/durability.py --kills {options.kills} --workers {workers}`, "
            f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores, load of the "
            f"machine at the end {os.getloadavg()[0]:.1f}.",
            "",
            f"{options.clients} clients post batches of {BATCH} events to a real server, which is killed with "
            "SIGKILL at random moments: the whole group of processes (and started anew), or one worker alone "
            "(which the parent replaces). A batch without an answer is sent again. The store is checked at the end.",
            "",
            "| workers | kills: group + worker | acknowledged | batches sent again | missing | double | never sent |",
            "|---:|---:|---:|---:|---:|---:|---:|",
            *[outcome.row for outcome in outcomes],
            "",
        ]
    )


def main() -> None:
    """Run every number of workers and write the page; exit status 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--work", type=Path, help="Folder for the run and the stores; on a disk, not in memory.")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        made_up_run(Path(folder), 500)
        for workers in options.workers:
            store = Path(folder) / f"store-{workers}.db"
            outcomes.append(endure(Path(folder) / "run", store, workers, options.kills, options.clients))
            print(outcomes[-1].row, flush=True)
    options.out.write_text(page(options, outcomes), encoding="utf-8")
    raise SystemExit(any(one.missing or one.double or one.foreign for one in outcomes))


if __name__ == "__main__":
    main()
