"""Events over HTTP: idempotent, checked row by row, durable before the answer, and answers to lists."""

import time

import pytest

from accord.data.store.events import Event

GOOD = {"event_id": "e1", "user_id": "new", "item_id": "i3", "event": "purchase"}


def test_an_event_sent_twice_counts_once(server):
    assert server.post(GOOD) == {"accepted": 1, "duplicates": 0, "rejected": []}
    assert server.post(GOOD, {**GOOD, "event_id": "e2"}) == {"accepted": 1, "duplicates": 1, "rejected": []}
    assert len(server.live.store.histories(["new"], 10)[0]) == 2


def test_an_event_without_an_id_gets_one(server):
    bare = {"user_id": "new", "item_id": "i3"}
    assert server.post(bare)["accepted"] == server.post(bare)["accepted"] == 1
    events = server.live.store.histories(["new"], 10)[0]
    assert len({event.event_id for event in events}) == 2


def test_what_is_kept_is_what_was_sent(server):
    server.post({**GOOD, "timestamp": 1.7e9, "value": 4.5, "context": {"device": "phone"}, "impression_id": "x"})
    event = server.live.store.histories(["new"], 10)[0][0]
    assert event == Event("e1", "new", "i3", "purchase", 1.7e9, 4.5, 3.0, "x", {"device": "phone"})


def test_an_event_without_a_time_happened_now(server):
    server.post(GOOD)
    assert server.live.store.histories(["new"], 10)[0][0].timestamp == pytest.approx(time.time(), abs=30)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (4, "valid dictionary"),
        ({"user_id": "u"}, "item_id: Field required"),
        ({**GOOD, "user_id": ""}, "user_id"),
        ({**GOOD, "user_id": "a\u0000b"}, "control characters"),
        ({**GOOD, "user_id": " padded"}, "no space at its ends"),
        ({**GOOD, "item_id": 3}, "item_id: Input should be a valid string"),
        ({**GOOD, "item_id": "x" * 600}, "item_id: String should have at most 512 characters"),
        ({**GOOD, "timestamp": "yesterday"}, "timestamp"),
        ({**GOOD, "timestamp": time.time() + 1e6}, "ahead of the server's clock"),
        ({**GOOD, "timestamp": 1.7e12}, "timestamp"),
        ({**GOOD, "colour": "red"}, "colour: Extra inputs are not permitted"),
        ({**GOOD, "context": {"device": 3}}, "context.device"),
    ],
)
def test_bad_rows_are_rejected_and_the_good_ones_beside_them_kept(server, row, reason):
    answer = server.post({**GOOD, "event_id": "first"}, row, {**GOOD, "event_id": "last"})
    assert answer["accepted"] == 2
    assert [rejected["index"] for rejected in answer["rejected"]] == [1]
    assert reason in answer["rejected"][0]["reason"]


def test_a_batch_has_a_bound(server):
    answer = server.client.post("/v1/events", json={"events": [GOOD] * 1001})
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "events"


def test_an_event_of_an_unknown_item_is_kept_and_harms_nothing(server):
    before = server.items(user_id="u1", n=5)
    assert server.post({"user_id": "u1", "item_id": "comes later"})["accepted"] == 1
    assert server.items(user_id="u1", n=5) == before


def test_feedback_answers_a_list(server):
    shown = server.recommend(user_id="u2", n=3)
    item = shown["items"][0]["item_id"]
    sent = {"impression_id": shown["impression_id"], "item_id": item, "event": "view", "event_id": "f1"}
    assert server.client.post("/v1/feedback", json=sent).json()["accepted"] == 1
    assert server.client.post("/v1/feedback", json=sent).json()["duplicates"] == 1
    event = server.live.store.histories(["u2"], 200)[0][-1]
    assert (event.item_id, event.impression_id, event.weight) == (item, shown["impression_id"], 0.5)
    assert item not in server.items(user_id="u2", n=3)


def test_feedback_on_what_was_not_shown_is_refused(server):
    shown = server.recommend(history=["i1"], n=3)
    send = {"impression_id": shown["impression_id"], "item_id": shown["items"][0]["item_id"]}
    nobody = server.client.post("/v1/feedback", json=send)
    assert (nobody.status_code, nobody.json()["error"]["field"]) == (422, "user_id")
    assert server.client.post("/v1/feedback", json={**send, "user_id": "somebody"}).json()["accepted"] == 1
    other = server.client.post("/v1/feedback", json={**send, "user_id": "somebody", "item_id": "i1"})
    assert (other.status_code, other.json()["error"]["field"]) == (422, "item_id")
    unknown = server.client.post("/v1/feedback", json={**send, "impression_id": "never"})
    assert (unknown.status_code, unknown.json()["error"]["field"]) == (404, "impression_id")


def test_an_erased_person_is_gone_from_histories_and_memory(server):
    server.post({"user_id": "u3", "item_id": "i3"})
    own = server.items(user_id="u3", n=10)
    erased = server.client.delete("/v1/users/u3").json()["erased"]
    assert erased["events"] >= 9
    assert server.live.remembered.of("u3") == ()
    assert server.live.store.histories(["u3"], 10) == [[]]
    assert server.items(user_id="u3", n=10) != own
    assert server.items(user_id="u3", n=10) == server.items(user_id="nobody ever", n=10)


def test_two_servers_on_one_store_see_each_others_events(serve):
    one, other = serve(), serve()
    best = one.items(user_id="u6", n=3)[0]
    one.post({"user_id": "u6", "item_id": best})
    assert best not in other.items(user_id="u6", n=3)
