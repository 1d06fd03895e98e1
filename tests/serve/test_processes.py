"""The command itself: real processes on a free port, one worker and two, started, asked, stopped."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError

import pytest
import uvicorn
from patience import soon
from threadpoolctl import threadpool_info, threadpool_limits

from accord.serve.keys import create_key
from accord.serve.running import THREADS, run_server
from accord.serve.settings import ServeSettings

ACCORD = str(Path(sys.executable).with_name("accord"))


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def call(method: str, url: str, body: object = None, key: str | None = None) -> tuple[int, object]:
    headers = {"Content-Type": "application/json"} | ({"X-API-Key": key} if key else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - this machine
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            text = answer.read().decode()
            return answer.status, json.loads(text) if text.startswith(("{", "[")) else text
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@contextmanager
def running(run: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    port = free_port()
    command = [ACCORD, "serve", str(run), "--port", str(port), "--budget", "10", *options]
    log = run.parent / "server.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
    url = f"http://127.0.0.1:{port}"
    try:
        assert soon(lambda: process.poll() is not None or is_ready(url), 60), log.read_text()
        assert process.poll() is None, log.read_text()
        yield url, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def is_ready(url: str) -> bool:
    try:
        return call("GET", f"{url}/readyz")[0] == 200
    except (URLError, ConnectionError):
        return False


def test_one_worker_starts_says_where_it_listens_answers_and_ends(run):
    with running(run) as (url, process):
        status, answer = call("POST", f"{url}/v1/recommend", {"user_id": "u1", "n": 3})
        assert (status, len(answer["items"])) == (200, 3)
        best = answer["items"][0]["item_id"]
        assert call("POST", f"{url}/v1/events", {"events": [{"user_id": "u1", "item_id": best}]})[1]["accepted"] == 1
        _, after = call("POST", f"{url}/v1/recommend", {"user_id": "u1", "n": 3})
        assert best not in [place["item_id"] for place in after["items"]]
    assert process.returncode in (0, -signal.SIGTERM)  # the server ends as the signal asks, after its requests
    told = (run.parent / "server.log").read_text()
    assert f"Listening at {url}" in told
    assert "Keys: none" in told
    assert (run.parent / "run.store.db").exists()


@pytest.mark.slow
def test_two_workers_share_the_store_the_registry_and_the_counts(run):
    keys = run.parent / "keys.json"
    key = create_key(keys, "all", ["read", "write", "admin"])
    with running(run, "--workers", "2", "--keys", str(keys)) as (url, _):
        assert call("GET", f"{url}/v1/placements")[0] == 401
        fields = {"title": "word1 word2 word3 word4"}
        assert call("PUT", f"{url}/v1/items/fresh", fields, key)[0] == 200
        time.sleep(2.5)
        statuses = [call("GET", f"{url}/v1/items/fresh/similar?n=3", None, key)[0] for _ in range(20)]
        assert statuses == [200] * 20
        assert call("DELETE", f"{url}/v1/items/fresh", None, key)[0] == 200
        assert [call("GET", f"{url}/v1/items/fresh/similar?n=3", None, key)[0] for _ in range(20)] == [404] * 20
        text = call("GET", f"{url}/metrics", None, key)[1]
        route = re.escape('route="/v1/items/{item_id:path}/similar"')
        counts = re.findall(rf"accord_requests_total{{[^}}]*{route}[^\n]* ([\d.]+)", text)
        assert sum(map(float, counts)) == 40


def test_it_refuses_to_listen_to_the_world_without_keys(run):
    command = [ACCORD, "serve", str(run), "--host", "0.0.0.0"]  # noqa: S104
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "without API keys the server listens on this machine only" in done.stderr


def test_products_of_a_server_use_one_core_each(run, monkeypatch):
    used = set[int]()

    def look(_: uvicorn.Server) -> None:
        used.update(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")

    monkeypatch.setattr(uvicorn.Server, "run", look)
    for name in THREADS:
        monkeypatch.setenv(name, "")  # put back at the end
        monkeypatch.delenv(name)
    with threadpool_limits(2, user_api="blas"):  # so is this
        run_server(ServeSettings(run=run))
    assert used == {1}
