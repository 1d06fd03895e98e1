"""The built-in schedule: refreshes in one process of their own, beside the workers and as long as the server lives."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from threading import Thread
from typing import TypeAlias

from accord.core.run import Run
from accord.data.store import open_store
from accord.serve.logs import Log, make_log, where
from accord.serve.settings import ServeSettings
from accord.study.refreshing import Refreshed, refresh
from accord.study.schedule import Tally, repeat, seconds_of

Done: TypeAlias = Callable[[Refreshed, Tally], None]
Failed: TypeAlias = Callable[[Exception, Tally], None]
AGAIN = 60.0
"""Seconds after which a process that was killed is started anew."""
NICE = 10
"""How far refreshes stand back behind requests when both want the processor."""


def start_refreshing(settings: ServeSettings, log: Log | None = None) -> Thread:
    """Refresh every ``settings.refresh_every`` in a child process, the first time after that; see ``study.refreshing``.

    The thread that is returned starts the child anew where it was killed.
    """
    thread = Thread(target=_watch, args=(settings, log or make_log()), name="accord-refreshes", daemon=True)
    thread.start()
    return thread


def _watch(settings: ServeSettings, log: Log) -> None:
    while True:
        child = multiprocessing.get_context("spawn").Process(target=refresh_always, args=(settings,), daemon=True)
        child.start()
        child.join()
        log.error("refreshes ended", code=child.exitcode)
        time.sleep(AGAIN)


def refresh_always(settings: ServeSettings) -> None:
    """Refresh again and again until the process that started this one is gone."""
    Thread(target=_end_with_parent, daemon=True).start()
    os.nice(NICE)
    every = seconds_of(settings.refresh_every or "", "--refresh-every")
    time.sleep(every)
    repeat(lambda: refresh_once(settings), every, *_telling(make_log()))


def refresh_once(settings: ServeSettings) -> Refreshed:
    """One refresh of the run that is served from the store that is served."""
    store = open_store(settings.store_url)
    try:
        return refresh(settings.run, store, Run())
    finally:
        store.close()


def _telling(log: Log) -> tuple[Done, Failed]:
    """Logs what came of a refresh, without the reason of a failure, which may name somebody."""

    def done(result: Refreshed, tally: Tally) -> None:
        facts = {"outcome": result.outcome, "version": result.version, "reason": result.reason}
        log.info("refreshed", **facts, seconds=round(result.seconds, 1), runs=tally.runs, failures=tally.failures)

    def failed(error: Exception, tally: Tally) -> None:
        log.error("refresh failed", **where(error), runs=tally.runs, failures=tally.failures)

    return done, failed


def _end_with_parent() -> None:
    """However the parent ends: what is finished of a refresh lies on the disk, and the next one goes on with it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)
