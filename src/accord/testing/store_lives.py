"""Random lives of a store, compared step by step with a plain model of it. Inherit in four lines::

class Lives(StoreLives):
    def connect(self, folder: Path) -> Store:
        return MyStore(folder / "my.db")

TestLives = Lives.TestCase
"""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from accord.data.store.base import Store
from accord.data.store.events import Appended, Change, Event

USERS, ITEMS = ("ann", "bob", "冯"), ("tea", "cup", "pot")
MOST = 3

_users, _items = st.sampled_from(USERS), st.sampled_from(ITEMS)
_fields = st.dictionaries(
    st.sampled_from(("title", "price")), st.one_of(st.none(), st.booleans(), st.text("a'é\"%", max_size=3))
)
_events = st.builds(
    Event, st.integers(0, 12).map(str), _users, _items, st.sampled_from(("", "view")), st.integers(0, 5).map(float)
)


class StoreLives(RuleBasedStateMachine):
    """Any order of calls gives what dictionaries and lists give."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="accord-store-"))
        self.store = self.connect(self.folder)
        self.events: dict[str, Event] = {}
        """By id, in the order of arrival."""
        self.seen: dict[str, dict[str, Any] | None] = {}
        self.changes: dict[str, Change] = {}
        """The newest change of each item and each erased user."""
        self.last = 0

    def connect(self, folder: Path) -> Store:
        """Open the store of a folder."""
        raise NotImplementedError

    def teardown(self) -> None:
        """Close and remove the store."""
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(batch=st.lists(_events, max_size=6))
    def append(self, batch: list[Event]) -> None:
        """Events that are new within the store and the batch count."""
        new = {event.event_id: event for event in reversed(batch) if event.event_id not in self.events}
        assert self.store.append_events(batch) == Appended(len(new), len(batch) - len(new))
        for event in batch:
            self.events.setdefault(event.event_id, event)

    @rule(items=st.lists(st.tuples(_items, _fields), max_size=3))
    def put(self, items: list[tuple[str, dict[str, Any]]]) -> None:
        """An item that says something new is a change."""
        for name, fields in items:
            if name not in self.seen or self.seen[name] != fields or list(self.seen[name] or ()) != list(fields):
                self._change(name, "item", name, fields)
            self.seen[name] = fields
        assert self.store.put_items(items) == self.last

    @rule(ids=st.lists(_items, max_size=2))
    def delete(self, ids: list[str]) -> None:
        """An item that is there is deleted."""
        for name in ids:
            if self.seen.get(name) is not None:
                self.seen[name] = None
                self._change(name, "delete", name, None)
        assert self.store.delete_items(ids) == self.last

    @rule(user=_users)
    def erase(self, user: str) -> None:
        """The events of a user go; another one may have their ids later."""
        gone = [event_id for event_id, event in self.events.items() if event.user_id == user]
        for event_id in gone:
            del self.events[event_id]
        assert self.store.erase_user(user)["events"] == len(gone)
        self._change(f"erased {user}", "erase", self.store.pseudonym(user), None)

    @rule(before=st.integers(0, 5))
    def retain(self, before: int) -> None:
        """Old events go."""
        gone = [event_id for event_id, event in self.events.items() if event.timestamp < before]
        for event_id in gone:
            del self.events[event_id]
        assert self.store.retain(float(before))["events"] == len(gone)

    @rule()
    def reopen(self) -> None:
        """Nothing is lost between two lives."""
        self.store.close()
        self.store = self.connect(self.folder)

    @invariant()
    def agrees(self) -> None:
        """What can be read is what the model has."""
        arrived = list(self.events.values())
        assert [event for _, event in self.store.events_after(0)] == arrived
        by_time = sorted(arrived, key=lambda event: event.timestamp)
        wanted = [[event for event in by_time if event.user_id == user][-MOST:] for user in USERS]
        assert self.store.histories(USERS, MOST) == wanted
        assert self.store.items(ITEMS) == [self.seen.get(name) for name in ITEMS]
        assert self.store.last_change() == self.last
        assert self.store.changes(0) == sorted(self.changes.values(), key=lambda change: change.number)

    def _change(self, key: str, kind: Any, name: str, fields: dict[str, Any] | None) -> None:
        self.last += 1
        self.changes[key] = Change(self.last, kind, name, fields)
