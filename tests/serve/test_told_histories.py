"""What a request says of its events reaches the sources as the log's own events do."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("fastapi")

from accord.core.history import History, kind_code
from accord.data.store.events import Event
from accord.serve.asking import history_of, queries_of
from accord.serve.schemas import RecommendIn


def asked(server, **body) -> History:
    current, _ = server.live.current()
    return queries_of(server.live, current, RecommendIn.model_validate(body))[0].history


def test_posted_events_are_read_with_kind_and_value(server):
    event = {"user_id": "new", "item_id": "i3", "event": "purchase", "timestamp": 1e9}
    server.post(event | {"value": 4.5}, event | {"item_id": "i7", "event": "", "timestamp": 1.1e9})
    history = asked(server, user_id="new", history=["i5", {"item_id": "i6", "event": "view", "value": 2.0}])
    assert history.kinds.tolist() == [kind_code("purchase"), 0, 0, kind_code("view")]
    np.testing.assert_array_equal(history.values, np.float32([4.5, np.nan, np.nan, 2.0]))
    assert history.weights.tolist() == [3.0, 1.0, 1.0, 0.5]


def test_values_are_numbers(server):
    for value in ("much", [1]):
        body = {"history": [{"item_id": "i3", "value": value}]}
        assert server.client.post("/v1/recommend", json=body).status_code == 422


def test_a_served_history_is_that_of_the_data(shop_data):
    n = shop_data.n_events
    rng = np.random.default_rng(0)
    names = rng.choice(np.array(["view", "purchase", None], dtype=object), n)
    values = np.where(rng.random(n) < 0.5, rng.random(n), np.nan)
    events = shop_data.events.append_column("event", pa.array(names, pa.string()))
    data = replace(shop_data, events=events.append_column("value", pa.array(values, from_pandas=True)))
    for user in (0, 7, 50):
        rows = np.flatnonzero(data.event_users == user)
        stored = [
            Event(
                event_id=str(row),
                user_id=f"u{user}",
                item_id=str(data.item_ids[data.event_items[row]]),
                event=names[row] or "",
                timestamp=float(data.event_times[row]),
                value=None if np.isnan(values[row]) else float(values[row]),
                weight=float(data.event_weights[row]),
            )
            for row in rows
        ]
        served, known = history_of(data.item_numbers, stored), data.queries(np.array([user])).history
        for name in ("offsets", "items", "times", "weights", "kinds", "values"):
            ours, theirs = getattr(served, name), getattr(known, name)
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
            assert ours.dtype == theirs.dtype, name
