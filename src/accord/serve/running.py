"""The server's processes: one parent that prepares everything, and one worker or more that answer."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import uvicorn
from threadpoolctl import threadpool_limits
from uvicorn.supervisors import Multiprocess

from accord.core.parallel import cores
from accord.serve.app import create_app
from accord.serve.metrics import SHARED
from accord.serve.refreshes import start_refreshing
from accord.serve.settings import ServeSettings

GRACE = 20
"""Seconds that requests under way have when the server is told to stop."""
START = 60
"""Seconds that a worker may take to begin: on a busy machine its imports alone can take ten."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What libraries read that are loaded from now on, here and in the workers."""


def run_server(settings: ServeSettings) -> None:
    """Answer until SIGTERM or Ctrl-C; requests under way are finished first. ``settings`` must be prepared.

    With several workers each is a process of its own with its own copy of the learned arrays; they share the port, the
    store and the registry, and nothing else. Refreshes, where wished for, have a process beside them.
    """
    config = uvicorn.Config(
        partial(create_app, settings),
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        access_log=False,  # its lines hold addresses with ids
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=30,
        timeout_worker_healthcheck=START,
    )
    _one_core_a_product()
    if settings.refresh_every is not None:
        start_refreshing(settings)
    if settings.workers == 1:
        uvicorn.Server(config).run()
        return
    with _shared_metrics():
        Multiprocess(config, sockets=[config.bind_socket()]).run()


def _one_core_a_product() -> None:
    """Requests run side by side already: products on several cores would wait for one another, and burn CPU meanwhile.

    Measured on two cores, 10,000 items and five sources: 8.6 ms of CPU a list in place of 24.9.
    """
    for name in THREADS:
        os.environ.setdefault(name, "1")
    threadpool_limits(cores(), user_api="blas")  # of the libraries that are loaded


@contextmanager
def _shared_metrics() -> Generator[None]:
    """A fresh folder in which the workers count together; they learn of it by the environment."""
    folder = Path(tempfile.mkdtemp(prefix="accord-metrics-"))
    os.environ[SHARED] = str(folder)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
