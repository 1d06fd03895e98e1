"""Real servers of one worker and of two: a new item is recommended within two seconds, a deleted one never again."""

import os
import time

import pytest
from patience import soon
from test_processes import call, is_ready, running

FRESH = 2.0
"""Seconds; a machine that others keep busy gets more, see ``LATE``."""
LATE = 15.0
ASKED = 12
"""Each on a connection of its own, so that every worker has its turn."""


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_item_comes_soon_and_goes_at_once(run, tmp_path, pipeline, workers):
    titles = pipeline.data.items["title"].to_pylist()
    numbers = pipeline.data.item_numbers
    with running(run, "--workers", str(workers)) as (url, _):

        def one() -> list[str]:
            status, answer = call("POST", f"{url}/v1/recommend", {"history": ["i7"], "n": 10})
            if status == 503:  # a worker that still starts
                time.sleep(0.1)
                return one()
            assert status == 200, answer
            return [place["item_id"] for place in answer["items"]]

        def lists() -> list[list[str]]:
            return [one() for _ in range(ASKED)]

        assert soon(lambda: all(is_ready(url) for _ in range(ASKED)), 60)  # every worker
        assert call("PUT", f"{url}/v1/items/fresh", {"title": titles[numbers["i7"]]})[0] == 200
        posted = time.monotonic()
        assert soon(lambda: all("fresh" in found for found in lists()), LATE)
        taken = time.monotonic() - posted
        other = next(item for item in lists()[0] if item != "fresh")
        for gone in ("fresh", other):
            assert call("DELETE", f"{url}/v1/items/{gone}")[0] == 200
            assert not any(gone in found for found in lists())
        assert call("PUT", f"{url}/v1/items/fresh", {"title": titles[numbers["i7"]]})[0] == 200
        assert soon(lambda: all("fresh" in found for found in lists()), LATE)
    assert taken < FRESH or _busy(), f"{taken:.1f} seconds"


def _busy() -> bool:
    """Whether more wants to run on this machine than it has cores for; then the time says nothing of the server."""
    return os.getloadavg()[0] > len(os.sched_getaffinity(0))
