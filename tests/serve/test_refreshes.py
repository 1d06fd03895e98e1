"""The built-in schedule of refreshes: one process beside the server, which ends with it."""

import json
import os
import signal
from pathlib import Path

import pytest
from patience import soon
from test_processes import running

from accord.core.errors import InputError
from accord.core.run import Run
from accord.serve.preparing import prepare
from accord.serve.refreshes import refresh_once
from accord.serve.settings import ServeSettings


def test_it_refreshes_the_run_and_the_store_that_are_served(run):
    settings = ServeSettings(run=run)
    version = prepare(settings, Run(cache=None))
    done = refresh_once(settings)
    assert (done.outcome, done.live, done.new_events) == ("skipped", version, 0)


def test_an_interval_that_is_none_is_refused_at_the_start(run):
    with pytest.raises(InputError, match=r"--refresh-every: not an interval.*daily"):
        prepare(ServeSettings(run=run, refresh_every="daily"), Run(cache=None))


def children(process: int) -> list[int]:
    """Those that any of its threads started."""
    told = [path.read_text() for path in Path(f"/proc/{process}/task").glob("*/children")]
    return [int(child) for text in told for child in text.split()]


def command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")
def test_a_process_of_its_own_refreshes_and_ends_with_the_server(run):
    log = run.parent / "server.log"
    with running(run, "--refresh-every", "2s") as (_, server):
        assert soon(lambda: '"refreshed"' in log.read_text(), 60), log.read_text()
        line = next(line for line in log.read_text().splitlines() if '"refreshed"' in line)
        assert json.loads(line)["outcome"] == "skipped"
        there = [child for child in children(server.pid) if "spawn_main" in command(child)]
        assert len(there) == 1
        os.kill(server.pid, signal.SIGKILL)
        assert soon(lambda: not command(there[0]), 20)
