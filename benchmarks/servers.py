"""A made-up run to serve, a server of its own process group, and what its processes cost; for benchmarks and tests."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accord.core.run import Run
from accord.data.importer import import_data
from accord.data.settings import ImportSettings
from accord.encode.columns import encode_columns
from accord.fuse.weighted import Weighted
from accord.pipeline.artefact import save
from accord.pipeline.pipeline import FALLBACK, Pipeline
from accord.pipeline.sources import fit_sources
from accord.pipeline.spec import PipelineSpec, Values, make
from generate import write_log

ACCORD = str(Path(sys.executable).with_name("accord"))
ENCODERS: dict[str, Values] = {"words": {"kind": "projection", "of": "tfidf", "dim": 128}}
SOURCES: dict[str, Values] = {
    "popular": {"kind": "popular"},
    "item_knn": {"kind": "item_knn", "k": 50},
    "markov": {"kind": "markov"},
    "content": {"kind": "content", "column": "words", "k": 50},
    "low_rank": {"kind": "low_rank", "dim": 64},
}
"""Five sources; vectors of 128 numbers for content, of 64 for the factors."""
EVENTS_PER_ITEM = 5


def made_up_run(folder: Path, items: int, sources: Mapping[str, Values] = SOURCES) -> Pipeline:
    """A pipeline of some sources of equal weight over a log made up by ``generate.py``, saved as ``folder/run``.

    Learning weights would take longer and change nothing of what a request costs.
    """
    run = Run(cache=None)
    write_log(folder, EVENTS_PER_ITEM * items, items)
    files = (str(folder / "events.parquet"),)
    data = import_data(ImportSettings(events=files, items=str(folder / "items.parquet")), run).dataset
    encoders = {name: make("encoders", values, f"encoders.{name}") for name, values in ENCODERS.items()}
    data, _ = encode_columns(encoders, data, run)
    fresh = {name: make("sources", values, f"sources.{name}") for name, values in sources.items()}
    fitted, skipped = fit_sources(fresh, data, run, "made up")
    if skipped:
        raise RuntimeError(f"not fitted: {skipped}")
    spec = PipelineSpec(name="made-up", description="", encoders=ENCODERS, sources=dict(sources))
    fallback = make("sources", {"kind": "popular"}, FALLBACK).fit(data, run)
    pipeline = Pipeline(spec, data, fitted, Weighted(sources=tuple(fitted)), fallback, encoders)
    save(pipeline, folder / "run", {"note": "made up"})
    return pipeline


def call(method: str, url: str, body: Any = None, timeout: float = 20) -> tuple[int, Any]:
    """One request; status and JSON (or text) of the answer."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=timeout)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, f"/{path}", data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if text[:1] in ("{", "[") else text
    finally:
        connection.close()


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@dataclass
class Server:
    """``accord serve`` in a process group of its own."""

    run: Path
    workers: int = 1
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the group; ``ready`` says when it answers."""
        command = [ACCORD, "serve", str(self.run), "--port", str(self.port), "--workers", str(self.workers)]
        with self.run.with_name("server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.options],
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )

    def ready(self, seconds: float = 60) -> None:
        """Wait until it answers. Raises ``TimeoutError`` with what it logged."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process is not None and self.process.poll() is None:
            try:
                if call("GET", f"{self.url}/readyz", timeout=5)[0] == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass  # not yet
            time.sleep(0.05)
        raise TimeoutError(self.run.with_name("server.log").read_text()[-2_000:])

    def kill(self) -> None:
        """SIGKILL to every process of the group at once."""
        os.killpg(self.group, signal.SIGKILL)
        if self.process is not None:
            self.process.wait(30)

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def pids(self) -> list[int]:
        """All living processes of the group, the parent first."""
        group = self.group
        return sorted(pid for pid in _all_pids() if _group(pid) == group)

    @property
    def group(self) -> int:
        """The process group, named by its first process."""
        if self.process is None:
            raise RuntimeError("not started")
        return self.process.pid

    def answering(self) -> list[int]:
        """The processes that answer."""
        pids = self.pids()
        return pids if self.workers == 1 else [pid for pid in pids if "spawn_main" in _command(pid)]

    def cpu(self) -> float:
        """CPU seconds of all processes so far."""
        ticks = os.sysconf("SC_CLK_TCK")
        return sum(sum(map(int, _stat(pid)[11:13])) for pid in self.pids()) / ticks

    def memory(self) -> tuple[float, float]:
        """MiB of all processes together that they hold alone (private), and that they share with one another."""
        private, shared = 0.0, 0.0
        for pid in self.pids():
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            kib = {line.split(":")[0]: int(line.split()[1]) for line in rollup[1:]}
            private += (kib["Private_Clean"] + kib["Private_Dirty"]) / 1024
            shared += kib["Pss"] / 1024 - (kib["Private_Clean"] + kib["Private_Dirty"]) / 1024
        return private, shared


@contextmanager
def serving(server: Server) -> Generator[Server]:
    """Started and ready; stopped at the end."""
    server.start()
    try:
        server.ready()
        yield server
    finally:
        server.stop()


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on; nothing where it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _group(pid: int) -> int:
    stat = _stat(pid)
    return int(stat[2]) if stat and stat[0] != "Z" else -1


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
