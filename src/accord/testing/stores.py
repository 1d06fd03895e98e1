"""What every event store must keep. Inherit in three lines::

class TestMine(StoreContract):
    def connect(self, folder: Path) -> Store:
        return MyStore(folder / "my.db")

``accord.testing.store_lives`` compares a store with a plain model of it.
"""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from accord.core.errors import InputError
from accord.data.store.base import Store, StoreUnavailable
from accord.data.store.events import Appended, Change, Event, Impression
from accord.data.store.scanning import SCHEMAS, TABLES, export

SHOWN = Impression(
    "shown-1", "ann", 1e9, "v1", "home", [{"item_id": "tea", "score": 0.5, "place": 1}], {"n": 1, "who": {"x": None}}
)
FIELDS = {"title": "Green tea 绿茶", "price": 3.5, "stock": 7, "new": True, "tags": ["tea", "green"], "brand": None}


def event(number: int, user: str = "ann", item: str = "tea", at: float | None = None) -> Event:
    """An event with the id ``e<number>``, a day after the one before."""
    return Event(f"e{number}", user, item, "view", 86_400.0 * number if at is None else at)


class StoreContract:
    """Tests of one kind of store; see the module for how to inherit them."""

    def connect(self, folder: Path) -> Store:
        """Open the store of a folder; of the same folder again: another connection to the same store."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """An empty store."""
        store = self.connect(tmp_path)
        yield store
        store.close()

    def test_events_come_back_as_they_were(self, store: Store) -> None:
        """Every field, also 64-bit floats and text of any script."""
        given = Event(
            "e1", "用户", "tea", "buy", 1.7e9 + 0.123456, 0.1 + 0.2, 0.7, "shown-1", {"device": "手机", "q": '"'}
        )
        assert store.append_events([given]) == Appended(1, 0)
        assert store.histories(["用户"], 10) == [[given]]

    def test_an_event_counts_once(self, store: Store) -> None:
        """Sent again, within a batch too, it is a duplicate, and the first one stays."""
        first = [event(1), event(2), replace(event(1), item_id="coffee")]
        assert store.append_events(first) == Appended(2, 1)
        assert store.append_events([replace(event(2), user_id="bob"), event(3)]) == Appended(1, 1)
        assert [found.item_id for found in store.histories(["ann"], 10)[0]] == ["tea", "tea", "tea"]
        assert store.histories(["bob"], 10) == [[]]
        assert store.append_events([]) == Appended(0, 0)

    def test_histories_are_the_newest_oldest_first(self, store: Store) -> None:
        """By time, and within one time by arrival."""
        store.append_events([event(5), event(2), event(9), event(3, "bob"), event(4, at=event(2).timestamp)])
        found = store.histories(["ann", "nobody", "bob", "ann"], 3)
        assert [[one.event_id for one in row] for row in found] == [["e4", "e5", "e9"], [], ["e3"], ["e4", "e5", "e9"]]

    def test_an_event_without_a_time_happens_now(self, store: Store) -> None:
        """By the clock of the store."""
        before = time.time()
        store.append_events([Event("e1", "ann", "tea")])
        assert before <= store.histories(["ann"], 1)[0][0].timestamp <= time.time()

    def test_reading_on_misses_nothing(self, store: Store) -> None:
        """``events_after`` follows the arrival, whatever the times."""
        store.append_events([event(5), event(2)])
        first = store.events_after(0, 1)
        store.append_events([event(1)])
        rest = store.events_after(first[-1][0])
        assert [one.event_id for _, one in [*first, *rest]] == ["e5", "e2", "e1"]
        assert store.events_after(rest[-1][0]) == []

    def test_items_come_back_and_changes_tell(self, store: Store) -> None:
        """Put, edited, put as it was, deleted, revived."""
        assert (store.last_change(), store.changes(0)) == (0, [])
        assert store.put_items([("tea", FIELDS), ("cup", {})]) == store.last_change() == 2
        assert store.items(["cup", "tea", "pot"]) == [{}, FIELDS, None]
        assert store.put_items([("tea", FIELDS)]) == 2
        assert store.put_items([("tea", {"title": "Tea"})]) == 3
        assert store.delete_items(["cup", "pot"]) == 4
        assert store.delete_items(["cup"]) == 4
        assert store.items(["cup"]) == [None]
        assert store.changes(0) == [Change(3, "item", "tea", {"title": "Tea"}), Change(4, "delete", "cup")]
        assert store.changes(3, 1) == store.changes(3) == [Change(4, "delete", "cup")]
        assert store.put_items([("cup", {"n": 1})]) == 5
        assert store.items(["cup"]) == [{"n": 1}]
        assert store.changes(4) == [Change(5, "item", "cup", {"n": 1})]

    def test_seeded_facts_are_no_change_and_replace_nothing(self, store: Store) -> None:
        """``add_facts`` keeps what is there, and does not bring back what was deleted."""
        store.put_items([("tea", {"a": 1}), ("cup", {})])
        store.delete_items(["cup"])
        assert store.add_facts("items", [("tea", {"a": 2}), ("cup", {"a": 3}), ("pot", {"a": 4})]) == 1
        assert store.items(["tea", "cup", "pot"]) == [{"a": 1}, None, {"a": 4}]
        assert store.last_change() == 3
        assert store.add_facts("users", [("ann", {"age": 30})]) == 1
        assert store.user("ann") == {"age": 30}

    def test_batches_of_columns_are_checked_and_count_once(self, store: Store) -> None:
        """``add_events`` takes what ``scan`` gives, and refuses what ``append_events`` refuses."""
        given = [replace(event(1), value=2.5, context={"device": "手机"}), event(2, "bob")]
        store.append_events([*given, event(3)])
        (batch,) = store.scan("events")
        store.retain(event(3).timestamp)
        assert store.add_events(batch) == Appended(2, 1)
        assert store.histories(["ann", "bob"], 9) == [[given[0], event(3)], [given[1]]]
        rows = batch.to_pylist()
        wrong: list[dict[str, Any]] = [{"user_id": ""}, {"item_id": None}, {"event_id": "x" * 513}, {"item_id": "a\0"}]
        wrong += [{"timestamp": math.nan}, {"timestamp": 1.7e12}, {"value": math.inf}, {"context": "[1]"}]
        wrong += [{"context": "no JSON"}, {"context": '{"a": 1}'}]
        for change in wrong:
            with pytest.raises(InputError, match=next(iter(change))):
                store.add_events(pa.RecordBatch.from_pylist([rows[1], {**rows[0], **change}], SCHEMAS["events"]))
        with pytest.raises(InputError, match="columns"):
            store.add_events(batch.select(["user_id"]))

    def test_users_and_settings(self, store: Store) -> None:
        """What was put last is there."""
        assert (store.user("ann"), store.meta("colour")) == (None, None)
        store.put_user("ann", {"age": 30})
        store.put_user("ann", {"age": 31})
        store.put_meta("colour", "red")
        store.put_meta("colour", "blue")
        assert (store.user("ann"), store.meta("colour")) == ({"age": 31}, "blue")

    def test_impressions(self, store: Store) -> None:
        """The first of an id stays; one that nobody waits for is written before what comes after it."""
        store.put_impression(SHOWN, wait=False)
        store.put_impression(replace(SHOWN, model="v2"))
        assert store.impression("shown-1") == SHOWN
        assert store.impression("shown-2") is None

    def test_an_erasure_reaches_everything(self, store: Store) -> None:
        """Events, facts and impressions, also those whose request alone names the user; others stay."""
        asked = replace(SHOWN, impression_id="shown-2", user_id=None, request={"for": [{"user_id": "ann"}]})
        other = replace(SHOWN, impression_id="shown-3", user_id="bob", request={"n": 1, "exclude": ["ann"]})
        store.append_events([event(1), event(2), event(3, "bob")])
        for shown in (SHOWN, asked, other):
            store.put_impression(shown)
        store.put_user("ann", {"age": 30})
        change = store.put_items([("tea", {})])
        assert store.erase_user("ann") == {"events": 2, "users": 1, "impressions": 2}
        assert store.histories(["ann", "bob"], 9) == [[], [event(3, "bob")]]
        assert (store.user("ann"), store.impression("shown-1"), store.impression("shown-2")) == (None, None, None)
        assert store.impression("shown-3") == other
        assert store.changes(change) == [Change(change + 1, "erase", store.pseudonym("ann"))]
        assert store.counts()["erasures"] == 1

    def test_an_erased_person_is_remembered_by_pseudonym_alone(self, store: Store) -> None:
        """Until the tombstone is purged; who comes back under the id is a new person."""
        before = time.time()
        store.erase_user("ann")
        assert store.erased(["ann", "bob"]) == store.erased(["ann", "bob"], before) == [True, False]
        assert store.erased(["ann"], time.time() + 1) == [False]
        store.append_events([event(1)])
        assert store.histories(["ann"], 1) == [[event(1)]]
        rows = [row for batch in store.scan("erasures") for row in batch.to_pylist()]
        assert [row["pseudonym"] for row in rows] == [store.pseudonym("ann")]
        assert "ann" not in store.pseudonym("ann")
        assert store.purge_erasures(before) == 0
        assert store.purge_erasures(time.time() + 1) == 1
        assert store.erased(["ann"]) == [False]

    def test_scans_and_exports(self, store: Store, tmp_path: Path) -> None:
        """Every table in the order of arrival, within the times, in the schema that is promised."""
        store.append_events([event(3), event(1), event(2)])
        store.put_items([("tea", FIELDS)])
        store.put_user("ann", {})
        store.put_impression(SHOWN)
        store.erase_user("bob")
        since, until = event(1).timestamp, event(3).timestamp
        found = [row["event_id"] for batch in store.scan("events", since, until) for row in batch.to_pylist()]
        assert found == ["e1", "e2"]
        for table in TABLES:
            assert all(batch.schema == SCHEMAS[table] for batch in store.scan(table))
        assert export(store, tmp_path / "out") == {
            "events": 3,
            "items": 1,
            "users": 1,
            "impressions": 1,
            "erasures": 1,
        }
        with pytest.raises(InputError, match="there already"):
            export(store, tmp_path / "out")

    def test_retention(self, store: Store) -> None:
        """Events and impressions from before a time go; items, users and tombstones stay."""
        store.append_events([event(1), event(2), event(3)])
        store.put_impression(replace(SHOWN, created=event(1).timestamp))
        store.put_user("ann", {})
        assert store.retain(event(3).timestamp) == {"events": 2, "impressions": 1}
        assert store.histories(["ann"], 9) == [[event(3)]]
        assert store.user("ann") == {}

    def test_a_backup_is_a_store(self, store: Store, tmp_path: Path) -> None:
        """It is made while the store is in use, and never over another file."""
        store.append_events([event(1)])
        copy = tmp_path / "copy" / "backup.db"
        store.backup(copy)
        assert copy.stat().st_size > 0
        with pytest.raises(InputError, match="there already"):
            store.backup(copy)

    def test_what_cannot_be_stored_is_refused_by_name(self, store: Store) -> None:
        """And nothing of the batch is kept."""
        bad = [
            (replace(event(1), user_id=""), r"events\[1\]\.user_id"),
            (replace(event(1), event_id="x" * 513), r"events\[1\]\.event_id"),
            (replace(event(1), item_id="half \ud800"), r"events\[1\]\.item_id"),
            (replace(event(1), item_id="nul \0"), r"events\[1\]\.item_id"),
            (replace(event(1), timestamp=math.inf), r"events\[1\]\.timestamp"),
            (replace(event(1), timestamp=1.7e12), "Divide it by 1000"),
            (replace(event(1), value=math.nan), r"events\[1\]\.value"),
            (replace(event(1), weight=-math.inf), r"events\[1\]\.weight"),
            (replace(event(1), context={"a": "x" * 513}), r"context\.a"),
        ]
        for wrong, named in bad:
            with pytest.raises(InputError, match=named):
                store.append_events([event(0), wrong])
        assert store.counts()["events"] == 0
        fields: list[Any] = [math.nan, math.inf, {"a": 1}, [1], ["x" * 513], "x" * 20_001, 2**60, [None], b"bytes"]
        for value in fields:
            with pytest.raises(InputError, match=r"items\[tea\]\.field"):
                store.put_items([("cup", {}), ("tea", {"field": value})])
        with pytest.raises(InputError, match="fields"):
            store.put_user("ann", {f"f{n}": n for n in range(201)})
        assert store.counts() == dict.fromkeys(TABLES, 0)

    def test_threads_lose_nothing(self, store: Store) -> None:
        """Sixteen at once, each event sent twice; what was acknowledged as new is there once."""

        def send(thread: int) -> list[Appended]:
            numbers = range(1000 * (thread // 2), 1000 * (thread // 2) + 20, 2)
            user = f"user{thread // 2}"
            return [store.append_events([event(n, user), event(n + 1, user)]) for n in numbers]

        with ThreadPoolExecutor(16) as pool:
            answers = [answer for answers in pool.map(send, range(16)) for answer in answers]
        assert sum(answer.accepted for answer in answers) == 160
        assert sum(answer.duplicates for answer in answers) == 160
        assert [len(row) for row in store.histories([f"user{n}" for n in range(8)], 99)] == [20] * 8
        assert store.commits().transactions <= store.commits().rows

    def test_it_outlives_its_connection(self, store: Store, tmp_path: Path) -> None:
        """Another connection sees what was acknowledged, and the salt and the numbers go on."""
        store.append_events([event(1)])
        change = store.put_items([("tea", {})])
        other = self.connect(tmp_path)
        assert other.histories(["ann"], 1) == [[event(1)]]
        assert other.pseudonym("ann") == store.pseudonym("ann") != store.pseudonym("bob")
        assert other.put_items([("cup", {})]) == change + 1 == store.last_change()
        other.close()

    def test_a_closed_store_says_so(self, store: Store) -> None:
        """Closing twice does no harm."""
        store.close()
        store.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            store.append_events([event(1)])
        with pytest.raises(StoreUnavailable, match="closed"):
            store.histories(["ann"], 1)
