"""One pipeline of a comparison, evaluated in a process of its own: ``python -m accord.study.measuring``.

The first line of standard input is the job, as JSON. The input then stays open: when it ends, whoever asked is dead,
and this process ends too. Standard output speaks JSON, a line a message: ``note`` or ``error``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from accord.core.config import Config
from accord.core.digest import code_digest, digest_of
from accord.core.errors import AccordError
from accord.core.queries import Queries
from accord.core.run import Run, Silent, Timing, peak_mib
from accord.core.state import save_state
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.spec import spec_of
from accord.study.evaluation import Evaluation, evaluate_dataset
from accord.study.measured import measured, write
from accord.study.meter import Meter
from accord.study.resuming import inside, resumable
from accord.study.splitting import SplitSettings

LENGTH = 10
"""Length of the lists that are timed one by one."""
SINGLE, WARM = 200, 10
"""How many lists are timed, at most, and how many are asked for before."""
TOTAL = "the whole evaluation"
"""The last step that is timed."""


class Job(Config):
    """What the process is asked to do."""

    folder: str
    """The dataset."""
    name: str
    spec: str
    """The pipeline as TOML."""
    settings: SplitSettings
    out: str
    """Folder of the evaluation's own files."""
    result: str
    """The file for what is measured (see ``measured.py``)."""
    refit: bool = True
    seed: int = 0
    device: str = "auto"
    track: str | None = None
    cache: str | None = None
    """The cache of encoded content; None: one of the job's own, so that its time holds its encoding."""
    fresh: bool = False
    command: str = ""


class Told(Silent):
    """Progress as messages."""

    def __init__(self, channel: TextIO) -> None:
        self.channel = channel

    def note(self, text: str) -> None:
        """Send one line."""
        _send(self.channel, note=text)


def measure(job: Job, run: Run) -> None:
    """Evaluate as ``accord evaluate`` does, into ``job.out``, and write down what that cost as ``job.result``.

    Killed attempts at the same job count in full. ``fit_...``: the learning alone, its choices and refit together;
    ``total_...``: all but the lists that are timed one by one.
    """
    out = Path(job.out)
    with resumable(run, inside(out), fresh=job.fresh) as kept:
        with Meter(inside(out) / "spent.json", _same(job)) as meter, kept.step(TOTAL):
            found = evaluate_dataset(
                Path(job.folder),
                spec_of(job.spec, job.name),
                job.settings,
                kept,
                refit=job.refit,
                out=out,
                command=job.command,
            )
        cost = _cost(found.fits, kept.timings[-1], meter)
        save_state(Path(job.result), write(measured(found, cost | single_lists(found, kept))))


def _same(job: Job) -> str:
    """The digest of what makes an attempt one at the same job."""
    return digest_of(job.model_copy(update={"fresh": False, "command": ""}), code_digest())


def _cost(fits: list[Timing], total: Timing, meter: Meter) -> dict[str, Any]:
    before, most = meter.before, peak_mib()
    learned = max(fit.peak_mib for fit in fits)
    return {
        "fit_seconds": before["seconds"] + sum(fit.seconds for fit in fits),
        "fit_cpu_seconds": before["cpu_seconds"] + sum(fit.cpu_seconds for fit in fits),
        "total_seconds": before["seconds"] + total.seconds,
        "total_cpu_seconds": before["cpu_seconds"] + total.cpu_seconds,
        "fit_peak_mib": max(before["peak_mib"], learned),
        "total_peak_mib": max(before["peak_mib"], most),
        "killed": before["killed"],
        "load": os.getloadavg()[0],
    }


def single_lists(found: Evaluation, run: Run) -> dict[str, Any]:
    """Milliseconds of one list of ten, asked for alone: the median and the 95th percentile over random test queries."""
    pipeline, pool = found.learned[-1].pipeline, next(iter(found.pools.values()))
    asked = pool.cases[-1].holdout.queries
    drawn = run.rng("single lists").permutation(len(asked))[:SINGLE]
    queries = [asked.take(drawn[at : at + 1]) for at in range(len(drawn))]
    for query in queries[:WARM]:
        pipeline.recommend(query, LENGTH)
    median, high = np.quantile([_milliseconds(pipeline, query) for query in queries], [0.5, 0.95])
    return {"list_ms": float(median), "list_ms_p95": float(high), "lists": len(queries)}


def _milliseconds(pipeline: Pipeline, query: Queries) -> float:
    started = time.perf_counter()
    pipeline.recommend(query, LENGTH)
    return 1000 * (time.perf_counter() - started)


def _send(channel: TextIO, **message: Any) -> None:
    channel.write(json.dumps(message) + "\n")
    channel.flush()


def _told(error: AccordError) -> dict[str, Any]:
    received = f". Received: {error.received}" if error.received is not None else ""
    return {"code": error.code, "problem": error.problem + received, "place": error.place, "remedy": error.remedy}


def _end_with_the_caller() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


def main() -> None:
    """Do the job of standard input; ends with code 0, 2 (an error that was told) or 130 (interrupted)."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not pass for a message
    job = Job.model_validate(json.loads(sys.stdin.readline()))
    threading.Thread(target=_end_with_the_caller, daemon=True).start()
    try:
        cache = Path(job.cache) if job.cache is not None else inside(Path(job.out)) / "cache"
        run = Run(job.seed, cache, Told(channel), device=job.device, track=job.track)
        measure(job, run)
    except AccordError as error:
        _send(channel, error=_told(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
