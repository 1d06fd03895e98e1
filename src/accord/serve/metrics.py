"""Counters and times for Prometheus; with several workers those of all of them, by files that they share."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable with the folder of the files; set before the workers start."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
LONG = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Clock:
    """Adds up the time of something that happens several times."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Generator[None]:
        """Time one of these."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started


class Metrics:
    """What one worker counts."""

    def __init__(self) -> None:
        own = CollectorRegistry()
        self.registry = own
        self.requests = Counter("accord_requests", "Requests", ("method", "route", "status"), registry=own)
        self.seconds = Histogram(
            "accord_request_seconds", "Time of requests", ("route",), buckets=BUCKETS, registry=own
        )
        self.stages = Histogram("accord_stage_seconds", "Time of stages", ("stage",), buckets=BUCKETS, registry=own)
        self.skipped = Counter("accord_skipped", "Parts left out of an answer", ("part",), registry=own)
        self.events = Counter("accord_events", "Events by what became of them", ("outcome",), registry=own)
        self.rows = Counter("accord_store_rows", "Rows written to the store", registry=own)
        self.commits = Counter("accord_store_commits", "Transactions of the store", registry=own)
        self.waiting = Gauge("accord_items_waiting", "Items to encode", registry=own, multiprocess_mode="liveall")
        self.updates = Histogram("accord_update_seconds", "Time of updates", buckets=LONG, registry=own)
        self.updated = Counter("accord_updated_events", "Events that updates have learned from", registry=own)
        told = "Seconds since 1970 up to which the events of the store were learned from"
        self.until = Gauge("accord_updated_until_seconds", told, registry=own, multiprocess_mode="livemax")
        told = "1 for each worker that answers from the version"
        self.version = Gauge("accord_pipeline_version", told, ("version",), registry=own, multiprocess_mode="livesum")

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Time one stage of a request."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.stages.labels(name).observe(time.perf_counter() - started)

    def skip(self, parts: Iterable[str]) -> None:
        """Count what was left out of an answer."""
        for part in parts:
            self.skipped.labels(part).inc()

    def answers_from(self, version: str, before: str | None) -> None:
        """Another version answers now."""
        if before is not None and before != version:
            self.version.labels(before).set(0)
        self.version.labels(version).set(1)

    def text(self) -> bytes:
        """Everything in the text format of Prometheus."""
        if SHARED not in os.environ:
            return generate_latest(self.registry)
        everybody = CollectorRegistry()
        multiprocess.MultiProcessCollector(everybody)
        return generate_latest(everybody)

    def leave(self) -> None:
        """This worker ends: its live gauges count no longer."""
        if SHARED in os.environ:
            multiprocess.mark_process_dead(os.getpid())
