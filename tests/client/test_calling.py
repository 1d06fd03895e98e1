"""Requests: what is repeated, how long it waits, what is raised, and how ids travel in addresses."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from answering import URL, Server, keep, ok, refused

from accord.client import ApiError, Client
from accord.core.errors import InputError

LIST = {"items": [], "impression_id": "x", "model": "m", "skipped": []}
DOWN = httpx2.ConnectError("refused")
LOST = httpx2.ReadTimeout("no answer")


def test_what_passes_is_asked_again_ever_more_slowly(pauses):
    server = Server(DOWN, refused(503), LOST, ok(LIST))
    assert server.client().recommend("anna") == LIST
    assert len(server.asked) == 4
    assert all(0 <= pause <= 0.2 * 2**turn for turn, pause in enumerate(pauses))
    assert len(set(pauses)) == 3  # jitter: clients do not come back together


def test_after_the_last_repetition_the_error_is_raised(pauses):
    server = Server(refused(503, "store_unavailable"))
    with pytest.raises(ApiError, match="It is so") as caught:
        server.client(retries=2).recommend("anna")
    assert (len(server.asked), caught.value.status, caught.value.code) == (3, 503, "store_unavailable")


def test_a_server_that_cannot_be_reached_is_named(pauses):
    with pytest.raises(ApiError, match=r"shop\.example:1/reco did not answer") as caught:
        Server(DOWN).client().models()
    assert (caught.value.code, caught.value.status, len(pauses)) == ("unreachable", None, 3)


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("7", 7, 7.2),
        ("soon", 0, 0.2),
        ("-3", 0, 0.2),
    ],
)
def test_it_waits_as_long_as_the_server_asks(pauses, said, least, most):
    assert Server(refused(429, Retry_After=said), ok(LIST)).client().recommend("anna") == LIST
    assert least <= pauses[0] <= most


def test_it_waits_until_the_moment_that_the_server_names(pauses):
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    server = Server(refused(429, Retry_After=moment), ok(LIST))
    assert server.client().recommend("anna") == LIST
    assert 20 <= pauses[0] <= 30.2


def test_it_does_not_come_back_before_it_may(pauses):
    with pytest.raises(ApiError) as caught:
        Server(refused(429, Retry_After="3600")).client().recommend("anna")
    assert (caught.value.wait, pauses) == (3600, [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500])
def test_what_does_not_pass_is_raised_at_once(pauses, status):
    server = Server(refused(status))
    with pytest.raises(ApiError):
        server.client().recommend("anna")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("first", "times"), [(LOST, 1), (refused(503), 1), (httpx2.ReadError(""), 1), (DOWN, 2), (refused(429), 2)]
)
def test_a_rollback_is_repeated_only_where_nothing_was_done(pauses, first, times):
    server = Server(first, ok({"versions": [], "live": None, "answering": "m"}))
    with suppress(ApiError):
        server.client().rollback()
    assert len(server.asked) == times


def test_events_keep_their_ids_when_they_are_sent_again(pauses):
    server = Server(LOST, keep)
    sent = [{"user_id": "anna", "item_id": "i1"}, {"event_id": "mine", "user_id": "anna", "item_id": "i2"}]
    assert server.client().events(sent)["accepted"] == 2
    first, second = server.bodies()
    assert first == second
    assert len(first["events"][0]["event_id"]) == 32
    assert first["events"][1]["event_id"] == "mine"
    assert "event_id" not in sent[0]


def test_feedback_has_an_id_of_its_own(pauses):
    server = Server(LOST, ok({"accepted": 1, "duplicates": 0, "rejected": []}))
    server.client().feedback("x", "i1")
    first, second = server.bodies()
    assert first == second
    assert {"event_id", "impression_id", "item_id", "event"} == set(first)


def test_many_events_are_sent_in_parts_and_rejected_ones_named_by_their_place():
    def reject_second(request: httpx2.Request) -> httpx2.Response:
        return ok({"accepted": 1, "duplicates": 1, "rejected": [{"index": 1, "reason": "bad"}]})

    server = Server(reject_second)
    answer = server.client().events({"user_id": "u", "item_id": str(n)} for n in range(1_200))
    assert [len(body["events"]) for body in server.bodies()] == [500, 500, 200]
    assert (answer["accepted"], answer["duplicates"]) == (3, 3)
    assert [row["index"] for row in answer["rejected"]] == [1, 501, 1001]


def test_an_item_that_is_gone_already_is_no_error(pauses):
    assert Server(LOST, refused(404)).client().delete_item("i1") is False
    assert Server(ok({"deleted": True})).client().delete_item("i1") is True


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ("i1", b"i1"),
        ("a/b", b"a%2Fb"),
        ("..", b"%2E%2E"),
        ("a b?c#d%", b"a%20b%3Fc%23d%25"),
        ("书", b"%E4%B9%A6"),
        ("a/../b", b"a%2F..%2Fb"),
    ],
)
def test_any_id_fits_into_an_address(item, path):
    server = Server(ok(LIST))
    server.client().similar(item, 3)
    assert server.asked[0].url.raw_path == b"/reco/v1/items/" + path + b"/similar?n=3"


def test_a_key_is_sent_with_every_request_and_stands_in_no_error():
    server = Server(refused(401, "unauthorized"))
    with pytest.raises(ApiError) as caught:
        server.client("accord_secret").models()
    assert server.asked[0].headers["Authorization"] == "Bearer accord_secret"
    assert "secret" not in str(caught.value)


def test_only_what_was_said_is_sent():
    server = Server(ok(LIST))
    server.client().recommend(history=["i1"], n=3, filters={"genres": "Crime"})
    server.client().recommend("anna", include_seen=False)
    assert server.bodies() == [
        {"history": ["i1"], "n": 3, "filters": {"genres": "Crime"}},
        {"user_id": "anna", "include_seen": False},
    ]


@pytest.mark.parametrize("status", [200, 503])
def test_whether_it_is_ready_is_no_error(pauses, status):
    told = {"status": "not ready", "model": None, "store": "ok", "caught_up": False, "waiting": 0}
    assert Server(httpx2.Response(status, json=told)).client().ready() == told
    assert pauses == []


def test_an_answer_that_is_none_of_the_servers_is_told():
    with pytest.raises(ApiError, match="did not answer in JSON"):
        Server(httpx2.Response(200, text="<html>")).client().models()
    with pytest.raises(ApiError, match="status 418") as caught:
        Server(httpx2.Response(418, text="<html>")).client().models()
    assert caught.value.code == "error"


@pytest.mark.parametrize(("url", "key"), [("localhost:8000", None), (URL, "two words"), (URL, "line\nbreak")])
def test_what_cannot_be_an_address_or_a_key_is_refused(url, key):
    with pytest.raises(InputError) as caught:
        Client(url, key)
    assert key is None or key not in str(caught.value)
