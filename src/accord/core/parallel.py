"""Work on several cores at once: threads over chunks, since NumPy lets others run while it computes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """How many cores this process may use: ``OMP_NUM_THREADS`` where it is set, else those it is allowed."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdecimal() and int(wanted) else len(os.sched_getaffinity(0))


def mapped(work: Callable[[T], R], parts: Sequence[T]) -> Iterator[R]:
    """``work`` of each part, in order; several at a time where there are several parts and cores.

    Meanwhile the matrix products of each thread use one core, so that threads do not wait for one another. ``work``
    must not change what another part reads.
    """
    workers = min(cores(), len(parts))
    if workers < 2:
        yield from map(work, parts)
        return
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        yield from pool.map(work, parts)
