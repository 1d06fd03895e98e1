"""Batches: many at a time, soon enough, in order, and nothing is lost without a word."""

import subprocess
import sys
import time
from threading import Event, Thread

import pytest
from answering import Server, keep, ok, refused

from accord.client import ApiError, Batch, NotKept
from accord.core.errors import InputError

LONG = 60.0
"""Seconds that no test waits."""


class Sink:
    """Keeps events, but while it is down."""

    def __init__(self) -> None:
        self.kept, self.sizes = list[str](), list[int]()
        self.down = False

    def __call__(self, events):
        if self.down:
            raise ApiError("unreachable", "nobody there")
        self.sizes.append(len(events))
        self.kept += [event["event_id"] for event in events]
        return {"accepted": len(events), "duplicates": 0, "rejected": []}


def until(check) -> bool:
    end = time.monotonic() + 10
    while not check() and time.monotonic() < end:
        time.sleep(0.005)
    return check()


def test_leaving_sends_everything_in_order():
    sink = Sink()
    with Batch(sink, every=LONG) as events:
        ids = [events.add("anna", f"i{n}", "view") for n in range(1_234)]
    assert sink.kept == ids
    assert max(sink.sizes) <= 500
    assert events.accepted == 1_234


def test_a_full_batch_does_not_wait():
    sink = Sink()
    with Batch(sink, most=10, every=LONG) as events:
        for n in range(10):
            events.add("anna", f"i{n}")
        assert until(lambda: len(sink.kept) == 10)


def test_a_lonely_event_does_not_wait_long():
    sink = Sink()
    with Batch(sink, every=0.05) as events:
        events.add("anna", "i1")
        assert until(lambda: len(sink.kept) == 1)


def test_an_event_has_its_id_and_the_time_when_it_was_added():
    server = Server(keep)
    with server.client().batch(every=LONG) as events:
        before = time.time()
        name = events.add("anna", "i1", "view", value=2.0, context={"device": "phone"})
        events.add("anna", "i2", event_id="mine", timestamp=5.0)
        after = time.time()
    first, second = server.bodies()[0]["events"]
    assert before <= first.pop("timestamp") <= after
    told = {"event_id": name, "user_id": "anna", "item_id": "i1", "event": "view", "value": 2.0}
    assert first == {**told, "context": {"device": "phone"}}
    assert (second["event_id"], second["timestamp"]) == ("mine", 5.0)


def test_large_events_are_sent_in_smaller_batches():
    sink = Sink()
    with Batch(sink, every=LONG) as events:
        for n in range(20):
            events.add("anna", f"i{n}", context={"text": "x" * 100_000})
    assert sink.sizes == [5, 5, 5, 5]


def test_events_wait_while_the_server_is_away():
    sink = Sink()
    sink.down = True
    with Batch(sink, every=0.01) as events:
        ids = [events.add("anna", f"i{n}") for n in range(3)]
        assert until(lambda: events.failed is not None)
        assert [event["event_id"] for event in events.unsent] == ids
        sink.down = False
        assert until(lambda: sink.kept == ids)
        assert events.failed is None


def test_without_room_the_caller_is_told_and_the_event_is_not_taken():
    sink = Sink()
    sink.down = True
    events = Batch(sink, every=LONG, room=2)
    ids = [events.add("anna", "i1"), events.add("anna", "i2")]
    with pytest.raises(ApiError, match="nobody there"):
        events.add("anna", "i3")
    sink.down = False
    ids.append(events.add("anna", "i4"))
    events.close()
    assert sink.kept == ids


def test_what_could_not_be_sent_is_raised_and_in_the_error():
    sink = Sink()
    sink.down = True
    with pytest.raises(NotKept, match="1 events could not be sent") as caught, Batch(sink, every=LONG) as events:
        name = events.add("anna", "i1")
    assert [event["event_id"] for event in caught.value.unsent] == [name]


def test_what_was_rejected_is_raised_with_the_reason():
    server = Server(ok({"accepted": 1, "duplicates": 0, "rejected": [{"index": 1, "reason": "no such kind"}]}))
    with pytest.raises(NotKept, match="no such kind") as caught, server.client().batch(every=LONG) as events:
        events.add("anna", "i1")
        events.add("anna", "i2")
    assert [(event["item_id"], reason) for event, reason in caught.value.rejected] == [("i2", "no such kind")]
    assert caught.value.unsent == []


def test_an_error_of_the_caller_is_the_one_that_is_raised():
    sink = Sink()
    sink.down = True
    with pytest.raises(KeyError) as caught, Batch(sink, every=LONG) as events:
        events.add("anna", "i1")
        raise KeyError("mine")
    assert "1 events could not be sent" in caught.value.__notes__[0]


def test_what_is_no_json_is_refused_at_once():
    sink = Sink()
    with Batch(sink, every=LONG) as events:
        with pytest.raises(ValueError, match="Out of range float"):
            events.add("anna", "i1", value=float("nan"))
        events.add("anna", "i2")
    assert len(sink.kept) == 1


def test_a_closed_batch_takes_nothing():
    with Batch(Sink()) as events:
        pass
    events.close()
    with pytest.raises(InputError, match="closed"):
        events.add("anna", "i1")


def test_threads_may_share_a_batch():
    sink, begin = Sink(), Event()

    def add(name: str) -> None:
        begin.wait()
        for n in range(300):
            events.add(name, f"i{n}")

    with Batch(sink, most=50, every=0.01) as events:
        threads = [Thread(target=add, args=(f"u{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        begin.set()
        for thread in threads:
            thread.join()
    assert len(sink.kept) == len(set(sink.kept)) == 1_200


def test_retries_of_the_client_come_first(pauses):
    server = Server(refused(503), refused(429), keep)
    with server.client().batch(every=LONG) as events:
        events.add("anna", "i1")
    assert (len(server.asked), events.accepted) == (3, 1)


def test_the_end_of_the_program_sends_what_waits():
    program = """
from accord.client import Batch

def send(events):
    print("kept", len(events), flush=True)
    return {"accepted": len(events), "duplicates": 0, "rejected": []}

events = Batch(send, every=60)
events.add("anna", "i1")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("kept 1", "")
