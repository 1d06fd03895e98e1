"""Updates in the running server: what arrives counts once, on every worker, after a restart, and beside swaps."""

import json
import os
import re
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from patience import soon
from test_processes import call, is_ready, running
from test_refreshes import children

import shop
from accord.pipeline.pipeline import Pipeline
from accord.registry import Registry
from accord.serve import updater as updating
from accord.serve.updater import Updater

SETTINGS = {"update_every": 1e6}  # on, and only when a test says so


def events_on(items: list[str], start: int = 0) -> list[dict[str, object]]:
    return [
        {"event_id": f"e{start + n}", "user_id": f"new{(start + n) % 7}", "item_id": item, "event": "purchase"}
        for n, item in enumerate(items)
    ]


def pipeline_of(server) -> Pipeline:
    return server.live.current()[0].pipeline


def fresh(server) -> int:
    return pipeline_of(server).fresh


def updated(server, events: int) -> bool:
    """Whether an update is published; a version answers a moment before it has settled and can be updated."""
    return soon(server.app.state.updater.once) and soon(lambda: fresh(server) == events)


def as_refitted(pipeline: Pipeline) -> None:
    """Sources that count are what a fit on all these events gives."""
    for name in ("popular", "trending", "knn"):
        source = pipeline.sources[name]
        again = type(source)(source.config).fit(replace(pipeline.data), shop.run())
        queries = pipeline.data.queries()
        np.testing.assert_allclose(source._scores(queries), again._scores(queries), rtol=1e-5, atol=1e-6)


def test_two_updates_count_every_event_once_on_every_worker(serve, run):
    one, other = serve(run=run, **SETTINGS), serve(run=run, **SETTINGS)
    known = one.live.store.counts()["events"]
    assert not one.app.state.updater.once()  # the seeded events are those that it was trained on
    one.post(*events_on(["i3"] * 5 + ["i4"] * 3))
    assert updated(one, 8)
    assert not one.app.state.updater.once()
    one.post(*events_on(["i3"] * 5 + ["i5"] * 2, start=3))  # five of these were sent before
    assert updated(one, 10)
    assert soon(lambda: fresh(other) == 10)
    for server in (one, other):
        data = pipeline_of(server).data
        assert data.n_events == known + 10 == server.live.store.counts()["events"]
        assert data.event_weights[-10:].tolist() == [3.0] * 10
        as_refitted(pipeline_of(server))
    assert one.items(user_id="new1", n=10) == other.items(user_id="new1", n=10)


def test_what_was_learned_outlives_the_server(serve, run):
    first = serve(run=run, **SETTINGS)
    first.client.put("/v1/items/fresh", json={"title": "word1 word2 word3", "genres": ["genre1"]})
    first.post(*events_on(["fresh"] * 4 + ["i4"] * 3))
    assert updated(first, 7)
    place = Registry.around(run).deltas
    card = json.loads((place.place(place.newest(first.live.answering)) / "card.json").read_text())
    assert card["reached"]["change"] == first.live.store.last_change()
    second = serve(run=run, **SETTINGS)
    assert fresh(second) == 7
    assert second.items(user_id="new1", n=10) == first.items(user_id="new1", n=10)
    assert not second.app.state.updater.once()
    second.post(*events_on(["i4"], start=100))
    assert updated(second, 8)
    as_refitted(pipeline_of(second))


def test_an_item_and_its_events_may_come_at_once(serve, run):
    server = serve(run=run, **SETTINGS)
    server.client.put("/v1/items/fresh", json={"title": "word1 word2 word3"})
    server.post(*events_on(["fresh"] * 3 + ["unheard of"]))
    assert updated(server, 3)
    assert server.client.get("/v1/items/fresh/similar").status_code == 200


def test_an_erased_person_is_not_in_the_next_delta(serve, run):
    server = serve(run=run, **SETTINGS)
    server.client.put("/v1/items/fresh", json={"title": "word1 word2 word3"})
    server.post(*events_on(["fresh"] * 8))
    assert updated(server, 8)
    server.client.delete("/v1/users/new1")
    assert updated(server, 7)
    data = pipeline_of(server).data
    assert "new1" not in data.user_numbers
    assert "fresh" in data.item_numbers
    as_refitted(pipeline_of(server))
    deltas = Registry.around(run).deltas
    server.post(*events_on(["i4"], start=100))
    assert updated(server, 8)
    assert sorted(path.name for path in (deltas.folder / server.live.answering).iterdir()) == ["00000002", "00000003"]


def test_another_store_is_learned_from_anew(serve, run, tmp_path):
    first = serve(run=run, **SETTINGS)
    first.post(*events_on(["i3"] * 5))
    assert updated(first, 5)
    other = serve(run=run, store=f"sqlite:///{tmp_path / 'other.db'}", **SETTINGS)
    other.post(*events_on(["i4"] * 2, start=50))
    assert updated(other, 2)


def test_swaps_and_updates_at_once_end_with_the_version_that_is_live(serve, run, second, monkeypatch):
    server = serve(run=run, **SETTINGS)
    first, updater = server.live.answering, server.app.state.updater
    server.post(*events_on(["i3"] * 5))
    update, began, go_on = updating.update, threading.Event(), threading.Event()

    def held(*given):
        began.set()
        assert go_on.wait(20)
        return update(*given)

    monkeypatch.setattr(updating, "update", held)
    thread = threading.Thread(target=updater.once)
    thread.start()
    assert began.wait(20)
    server.client.post(f"/v1/models/{second}/promote")  # while the update of the first one is under way
    assert soon(lambda: server.live.answering == second)
    go_on.set()
    thread.join()
    server.live.refresh()
    assert not soon(lambda: server.live.answering != second or fresh(server) != 0, 1.0)
    assert updated(server, 5)
    as_refitted(pipeline_of(server))
    assert not (Registry.around(run).deltas.folder / first).exists()
    server.client.post("/v1/models/rollback")
    assert soon(lambda: server.live.answering == first and fresh(server) == 0)
    assert updated(server, 5)


def test_a_damaged_delta_is_refused_and_made_again(serve, run):
    first = serve(run=run, **SETTINGS)
    first.post(*events_on(["i3"] * 5))
    assert updated(first, 5)
    deltas = Registry.around(run).deltas
    part = next((deltas.place(deltas.newest(first.live.answering)) / "parts").glob("*.safetensors"))
    part.write_bytes(part.read_bytes() + b"\0")
    again = serve(run=run, **SETTINGS)
    assert "update refused" in again.logged.getvalue()
    assert fresh(again) == 0
    assert again.items(user_id="u1", n=3)
    assert updated(again, 5)


def test_only_the_holder_of_the_lock_updates_and_another_takes_over(serve, run):
    one, other = (serve(run=run, update_every=0.1) for _ in range(2))
    workers = [one, other]
    assert soon(lambda: sum('"updating"' in server.logged.getvalue() for server in workers) == 1)
    one.post(*events_on(["i3"] * 5))
    assert soon(lambda: fresh(one) == fresh(other) == 5)
    holder = next(server for server in workers if '"updating"' in server.logged.getvalue())
    heir = next(server for server in workers if server is not holder)
    holder.app.state.updater.stop()
    assert soon(lambda: '"updating"' in heir.logged.getvalue())
    heir.post(*events_on(["i4"] * 2, start=50))
    assert soon(lambda: fresh(one) == fresh(other) == 7)
    text = heir.client.get("/metrics").text
    assert "accord_updated_events_total 2.0" in text
    assert "accord_update_seconds_count 1.0" in text
    assert "accord_updated_until_seconds" in text


def test_without_updates_deltas_are_not_read(serve, run):
    first = serve(run=run, **SETTINGS)
    first.post(*events_on(["i3"] * 5))
    assert updated(first, 5)
    assert fresh(serve(run=run, update_every=0)) == 0


def test_a_failing_update_is_told_and_tried_again(serve, run, monkeypatch):
    server = serve(run=run, **SETTINGS)
    calls = iter([RuntimeError("a secret"), RuntimeError("a secret")])
    live = SimpleNamespace(versions=server.live.versions, log=server.live.log)
    failing = Updater(live, 0.01)  # type: ignore[arg-type]
    monkeypatch.setattr(failing, "once", lambda: (_ for _ in ()).throw(next(calls)))
    failing.start()
    assert soon(lambda: server.logged.getvalue().count('"no update"') >= 2)
    failing.stop()
    assert "a secret" not in server.logged.getvalue()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")
def test_two_processes_update_once_and_a_killed_holder_is_replaced(run):
    with running(run, "--workers", "2", "--update-every", "0.5") as (url, server):
        assert call("POST", f"{url}/v1/events", {"events": events_on(["i3"] * 5)})[1]["accepted"] == 5
        assert soon(lambda: learned(url) == 5, 30)
        deltas = Registry.around(run).deltas
        holder = next(worker for worker in children(server.pid) if keeps_open(worker, deltas.lock))
        os.kill(holder, signal.SIGKILL)
        assert soon(lambda: is_ready(url), 60)
        call("POST", f"{url}/v1/events", {"events": events_on(["i4"] * 2, start=50)})
        assert soon(lambda: deltas.newest(Registry.around(run).live()).number == 2, 60)
        delta = deltas.place(deltas.newest(Registry.around(run).live()))
        assert pq.read_table(delta / "events.parquet").num_rows == 7


def keeps_open(process: int, path: Path) -> bool:
    """Whether a process has a file open for longer than it takes to look whether it is locked."""
    looks = []
    for _ in range(5):
        looks.append(path in [opened(handle) for handle in Path(f"/proc/{process}/fd").iterdir()])
        time.sleep(0.1)
    return all(looks)


def opened(handle: Path) -> Path | None:
    try:
        return handle.readlink()
    except OSError:  # closed meanwhile
        return None


def learned(url: str) -> float:
    """Events that updates have learned from, by all workers together."""
    found = re.findall(r"^accord_updated_events_total(?:{.*})? (\S+)$", call("GET", f"{url}/metrics")[1], re.MULTILINE)
    return sum(map(float, found))
