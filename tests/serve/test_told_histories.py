"""What a request says of its events reaches the sources as the log's own events do."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("fastapi")

import shop
from accord.core.history import History, kind_code
from accord.data.store.events import Event
from accord.fuse.weighted import Weighted
from accord.models.popular import Popular
from accord.pipeline.artefact import save
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.spec import spec_of
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


def test_kinds_count_the_same_when_served(serve, shop_data, tmp_path):
    """A source that reads kinds and values: trained, saved, served from a store that was seeded from the run."""
    pytest.importorskip("torch")
    from accord.models.sequential import Sequential

    rng = np.random.default_rng(1)
    kinds = pa.array(rng.choice(np.array(["view", "purchase", None], dtype=object), shop_data.n_events), pa.string())
    values = np.where(rng.random(shop_data.n_events) < 0.5, rng.integers(1, 6, shop_data.n_events), np.nan)
    events = shop_data.events.append_column("event", kinds)
    data = replace(shop_data, events=events.append_column("value", pa.array(values, from_pandas=True)))
    spec = spec_of('name = "t"\n[sources.order]\nkind = "sequential"\ndim = 8\nepochs = 3\npatience = 0', "t.toml")
    run = shop.run()
    source = Sequential(**{key: value for key, value in spec.sources["order"].items() if key != "kind"}).fit(data, run)
    popular = Popular().fit(data, run)
    pipeline = Pipeline(spec, data, {"order": source}, Weighted(sources=("order",)), popular)
    save(pipeline, tmp_path / "told", {"event_weights": {}})
    server = serve(run=tmp_path / "told")
    users = [str(user) for user in data.user_ids[:12]]
    asked = pipeline.queries(users, now=np.full(len(users), 1.7e9))
    slate = pipeline.recommend(asked, 10)
    bare = pipeline.recommend(replace(asked, history=replace(asked.history, kinds=None, values=None)), 10)
    assert np.abs(slate.column("score") - bare.column("score")).max() > 1e-3  # so that what follows tells something
    for row, user in enumerate(users):
        places = server.recommend(user_id=user, n=10, timestamp=1.7e9)["items"]
        np.testing.assert_allclose([place["score"] for place in places], slate.column("score")[row], atol=1e-5)
        assert {place["item_id"] for place in places} == set(data.item_ids[slate.items[row]])
