"""The typed client against the app: every method, every address, and types that say what the document says."""

from typing import get_type_hints

import pytest
from fastapi.routing import APIRoute
from patience import soon

from accord.client import ApiError, Client, answers
from accord.client import client as methods
from accord.serve.app import ROUTERS

API = ("/v1/", "/healthz", "/readyz", "/metrics")
TITLE = {"title": "word1 word2 word3"}


@pytest.fixture
def client(server) -> Client:
    return Client("http://127.0.0.1", http=server.client)


def test_an_event_counts_on_the_next_list(client):
    before = [place["item_id"] for place in client.recommend("ann", n=5, history=["i1"])["items"]]
    answer = client.events([{"user_id": "ann", "item_id": before[0], "event": "purchase"}])
    assert answer == {"accepted": 1, "duplicates": 0, "rejected": []}
    after = client.recommendations("ann", n=5)
    assert before[0] not in [place["item_id"] for place in after["items"]]
    assert after["impression_id"]


def test_a_batch_reaches_the_store(client, server):
    with client.batch() as events:
        for n in range(600):
            events.add("ann", f"i{n % 50}", "view")
    assert events.accepted == 600
    assert len(server.live.store.histories(["ann"], 1_000)[0]) == 600


def test_a_list_is_answered(client):
    shown = client.recommend("u1", n=3)
    assert shown["impression_id"]
    assert client.feedback(shown["impression_id"], shown["items"][1]["item_id"], "view")["accepted"] == 1
    with pytest.raises(ApiError) as caught:
        client.feedback("unknown", "i1")
    assert (caught.value.status, caught.value.code, caught.value.field) == (404, "not_found", "impression_id")


def test_items_come_and_go(client):
    answer = client.put_items([{"item_id": "n1", **TITLE}, {"title": "no id"}])
    assert answer["accepted"] == 1
    assert [row["index"] for row in answer["rejected"]] == [1]
    assert client.put_item("a/b c?", TITLE)["accepted"] == 1
    assert soon(lambda: listed(client, "a/b c?"), 10)
    assert client.delete_item("a/b c?") is True
    assert not listed(client, "a/b c?")
    assert client.delete_item("never there") is False


def listed(client: Client, item: str) -> bool:
    try:
        return bool(client.similar(item, 3)["items"])
    except ApiError as error:
        assert error.code == "not_found"
        return False


def test_people_are_known_and_forgotten(client):
    assert client.put_user("ann", {"city": "Graz"}) is True
    client.events([{"user_id": "ann", "item_id": "i1"}])
    assert client.erase_user("ann")["events"] == 1
    assert client.erase_user("ann")["events"] == 0


def test_reasons_in_two_languages(client):
    (place,) = client.explain(["i3"], "u1", without=True)["items"]
    assert place.get("sources")
    english = place["reasons"]["text"]
    chinese = client.explain(["i3"], "u1", language="zh")["items"][0]["reasons"]["text"]
    assert english.isascii() != chinese.isascii() or english != chinese


def test_versions_and_places(client):
    told = client.models()
    assert told["live"] == told["answering"]
    assert client.card(told["answering"])["format"]
    assert client.promote(told["answering"])["live"] == told["live"]
    with pytest.raises(ApiError) as caught:
        client.rollback()
    assert caught.value.code == "conflict"
    assert client.placements() == {}
    with pytest.raises(ApiError):
        client.placement("home")


def test_how_the_server_does(client):
    assert client.health() is True
    assert client.ready()["status"] == "ready"
    client.recommend("u1")
    assert "accord_requests_total" in client.metrics()


def test_a_rejected_field_is_named(client):
    with pytest.raises(ApiError) as caught:
        client.recommend("u1", n=0)
    assert (caught.value.status, caught.value.code, caught.value.field) == (422, "bad_input", "n")
    assert caught.value.remedy


def test_every_address_has_a_method(server, monkeypatch):
    asked = set[tuple[str, str]]()

    def note(self, request):
        asked.add((request.method, request.path))
        return {
            "accepted": 0,
            "duplicates": 0,
            "rejected": [],
            "deleted": True,
            "kept": True,
            "erased": {},
            "status": 1,
        }

    monkeypatch.setattr("accord.client.calling.Calling.json", note)
    monkeypatch.setattr("accord.client.calling.Calling.text", note)
    client = Client("http://127.0.0.1", http=server.client)
    client.events([{"user_id": "X", "item_id": "X"}])
    client.put_items([{}])
    client.put_item("X", {})
    client.put_user("X", {})
    for call in (client.delete_item, client.erase_user, client.recommendations, client.similar):
        call("X")
    for call in (client.placement, client.card, client.promote):
        call("X")
    for call in (client.recommend, client.placements, client.models, client.rollback, client.health, client.ready):
        call()
    client.metrics()
    client.explain(["X"])
    client.feedback("X", "X")
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    there = {(method, generic(one.path)) for one in routes for method in one.methods if one.path.startswith(API)}
    assert asked == there


def generic(path: str) -> str:
    return "/".join("X" if part.startswith("{") else part for part in path.split("/"))


SAME = ("EventsOut", "ItemsOut", "Because", "Without", "Reasons", "Listed", "ListOut", "ExplainOut", "ModelVersion")
MORE = ("ModelsOut", "Rejected", "HistoryEvent", "Ready")


@pytest.mark.parametrize("name", [*SAME, *MORE])
def test_types_say_what_the_document_says(server, name):
    document = server.app.openapi()["components"]["schemas"][name]
    told = getattr(answers, name)
    assert set(get_type_hints(told)) == set(document["properties"])
    assert set(document.get("required", ())) == told.__required_keys__ & set(document["properties"])


@pytest.mark.parametrize(
    ("schema", "type_", "named"),
    [
        ("RecommendIn", answers.Wishes, {"user_id", "n"}),
        ("ExplainIn", answers.Person, {"user_id", "items", "language", "without"}),
        ("FeedbackIn", answers.FeedbackFacts, {"impression_id", "item_id", "event"}),
        ("EventIn", answers.EventGiven, set()),
        ("EventIn", answers.EventFacts, {"user_id", "item_id", "event"}),
    ],
)
def test_what_may_be_asked_is_what_the_document_takes(server, schema, type_, named):
    document = server.app.openapi()["components"]["schemas"][schema]
    assert set(get_type_hints(type_)) | named == set(document["properties"])


def test_no_more_is_sent_at_a_time_than_the_server_takes():
    from accord.serve import limits

    assert min(limits.EVENTS, limits.ITEMS) >= methods.MOST
