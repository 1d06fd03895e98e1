"""When something fails the service answers with what is left, and says what is missing."""

import pytest

from accord.data.store.base import StoreUnavailable


@pytest.fixture
def broken_store(monkeypatch):
    """Makes the store of a server unreachable, as a lost database is."""

    def cut(server) -> None:
        def away(*_, **__):
            raise StoreUnavailable("gone")

        for name in ("append_events", "histories", "last_change", "put_impression", "put_items", "impression"):
            monkeypatch.setattr(server.live.store, name, away)

    yield cut
    monkeypatch.undo()


def test_with_the_store_away_lists_come_from_memory(server, broken_store):
    own, nobody = server.items(user_id="u1", n=5), server.items(user_id="nobody ever", n=5)
    broken_store(server)
    answer = server.recommend(user_id="u1", n=5)
    assert answer["skipped"] == ["store"]
    assert answer["impression_id"] is None
    assert [place["item_id"] for place in answer["items"]] == own
    assert server.items(user_id="u2", n=5) == nobody  # never asked before: nothing is remembered
    assert 'accord_skipped_total{part="store"}' in server.client.get("/metrics").text


def test_with_the_store_away_events_are_refused_and_may_be_sent_again(server, broken_store):
    broken_store(server)
    event = {"event_id": "e1", "user_id": "u1", "item_id": "i1"}
    for path, body in (("/v1/events", {"events": [event]}), ("/v1/items", {"items": [{"item_id": "x"}]})):
        answer = server.client.post(path, json=body)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["error"]["code"] == "store_unavailable"
    ready = server.client.get("/readyz")
    assert (ready.status_code, ready.json()["store"]) == (503, "away")
    assert server.client.get("/healthz").status_code == 200


def test_a_source_that_fails_is_named_and_the_others_answer(serve, monkeypatch):
    server = serve(failures=2)
    source = server.live.current()[0].pipeline.sources["content"]
    monkeypatch.setattr(type(source), "_scores", lambda *_: 1 / 0)
    for _ in range(3):
        answer = server.recommend(user_id="u1", n=5)
        assert answer["skipped"] == ["content"]
        assert len(answer["items"]) == 5
    text = server.client.get("/metrics").text
    assert 'accord_skipped_total{part="content"} 3.0' in text
    assert server.logged.getvalue().count('"source failed"') == 2  # then it was left alone


def test_with_every_source_failing_there_is_still_a_list(serve, monkeypatch):
    server = serve()
    pipeline = server.live.current()[0].pipeline
    for source in (*pipeline.sources.values(), pipeline.fallback):
        monkeypatch.setattr(type(source), "_scores", lambda *_: 1 / 0)
    answer = server.recommend(user_id="u1", n=5)
    assert len(answer["items"]) == 5
    assert set(answer["skipped"]) == {*pipeline.sources, "fallback"}


def test_reasons_are_those_of_the_sources_that_made_the_list(serve, monkeypatch):
    server = serve()
    source = server.live.current()[0].pipeline.sources["knn"]
    monkeypatch.setattr(type(source), "_scores", lambda *_: 1 / 0)
    place = server.recommend(user_id="u1", n=3, explain=True)["items"][0]
    assert place["sources"]["knn"] == 0
    assert sum(place["sources"].values()) == pytest.approx(place["score"], abs=1e-4)


def test_reasons_that_cannot_be_made_are_missed_not_the_list(serve, monkeypatch):
    server = serve()
    monkeypatch.setattr("accord.serve.answering.reasons_of", lambda *_, **__: 1 / 0)
    answer = server.recommend(user_id="u1", n=3, explain=True)
    assert (len(answer["items"]), answer["skipped"]) == (3, ["reasons"])
