"""Events that are sent in the background, many at a time; none is lost without a word."""

from __future__ import annotations

import atexit
import json
import secrets
import time
from collections import deque
from collections.abc import Callable
from itertools import accumulate, islice
from threading import Condition, Lock, Thread
from types import TracebackType
from typing import Unpack

from accord.client.answers import EventFacts, EventGiven, EventsOut
from accord.client.errors import ApiError
from accord.core.errors import AccordError, InputError

MOST = 500
"""Events sent at a time."""
BYTES = 1 << 19
"""Bytes sent at a time, half of what the server takes."""
EVERY = 1.0
"""Seconds that an event waits at most before it is sent."""
ROOM = 20_000
"""Events that wait at most while the server is away."""


class NotKept(AccordError):
    """Events that the server did not keep: ``unsent`` got no good answer, ``rejected`` come with the reason."""

    code = "not_kept"

    def __init__(
        self, unsent: list[EventGiven], rejected: list[tuple[EventGiven, str]], cause: ApiError | None
    ) -> None:
        why = str(cause) if cause is not None else rejected[0][1]
        super().__init__(
            f"{len(unsent)} events could not be sent and {len(rejected)} were rejected ({why})",
            remedy="They are in `unsent` and `rejected` of this error; those unsent may be sent again as they are.",
        )
        self.unsent, self.rejected, self.cause = unsent, rejected, cause


class Batch:
    """Collects events and sends them when ``most`` wait, or the first has waited ``every`` seconds.

    ``send`` keeps a list of events and may be called twice with the same. An event gets its id and time when it is
    added. While sending fails events wait here, at most ``room`` of them: then ``add`` sends in the caller's thread and
    raises what ``send`` raises. Threads may share a batch. It is closed by ``with``, by ``close`` or when the
    interpreter ends.
    """

    def __init__(
        self,
        send: Callable[[list[EventGiven]], EventsOut],
        *,
        most: int = MOST,
        every: float = EVERY,
        room: int = ROOM,
    ) -> None:
        self.most, self.every, self.room = most, every, room
        self.accepted = 0
        """Events that the server has on its disk."""
        self.duplicates = 0
        """Events whose id the server knew."""
        self.rejected: list[tuple[EventGiven, str]] = []
        """Events that the server would not keep, with its reasons."""
        self.failed: ApiError | None = None
        """Why events could not be sent the last time; None where they could."""
        self._send = send
        self._waiting = deque[tuple[EventGiven, int]]()
        self._changed, self._sending = Condition(), Lock()
        self._closed = False
        self._thread = Thread(target=self._keep_sending, name="accord-events", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.close()
        except NotKept as lost:
            if error is None:
                raise
            error.add_note(str(lost))  # what went wrong first is the one to be raised

    def add(self, user_id: str, item_id: str, event: str = "", **facts: Unpack[EventFacts]) -> str:
        """Take an event; its id.

        Raises ``ApiError`` where there is no room and sending fails, ``InputError`` where the batch is closed, and
        ``TypeError`` or ``ValueError`` where the event is no JSON; the event is not taken then.
        """
        own = EventGiven(event_id=secrets.token_hex(16), user_id=user_id, item_id=item_id, timestamp=time.time())
        given: EventGiven = {**own, "event": event, **facts}
        size = len(json.dumps(given, allow_nan=False))
        if len(self._waiting) >= self.room:
            self._send_some()
        with self._changed:
            if self._closed:
                raise InputError("the batch is closed", place="add", remedy="Open another one: client.batch().")
            self._waiting.append((given, size))
            self._changed.notify()
        return given.get("event_id", "")

    @property
    def unsent(self) -> list[EventGiven]:
        """The events that wait, oldest first."""
        with self._changed:
            return [given for given, _ in self._waiting]

    def flush(self) -> None:
        """Send all that wait, now. Raises ``ApiError`` where that fails; the events go on waiting then."""
        while self._waiting:
            self._send_some()

    def close(self) -> None:
        """Send all that wait and end. Raises ``NotKept`` where events were lost: rejected, or still not sent."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify()
        atexit.unregister(self.close)
        try:
            self.flush()
        except ApiError as error:
            raise NotKept(self.unsent, self.rejected, error) from error
        if self.rejected:
            raise NotKept([], self.rejected, None)

    def _send_some(self) -> None:
        """Send those that have waited longest; they leave the queue when the server has answered."""
        with self._sending:
            with self._changed:
                sizes = accumulate(size for _, size in islice(self._waiting, self.most))
                n = max(1, sum(total <= BYTES for total in sizes))
                events = [given for given, _ in islice(self._waiting, n)]
            if not events:
                return
            try:
                answer = self._send(events)
            except ApiError as error:
                self.failed = error
                raise
            with self._changed:
                for _ in events:
                    self._waiting.popleft()
            self._count(events, answer)

    def _count(self, events: list[EventGiven], answer: EventsOut) -> None:
        self.failed = None
        self.accepted += answer["accepted"]
        self.duplicates += answer["duplicates"]
        self.rejected += [(events[row["index"]], row["reason"]) for row in answer["rejected"]]

    def _keep_sending(self) -> None:
        """Send what waits, until the batch is closed; what fails is tried again after a while."""
        while self._wait():
            try:
                self._send_some()
            except ApiError:  # kept in `failed`; the events still wait
                self._pause()

    def _wait(self) -> bool:
        """Wait until there is something to send; False: the batch is closed, and whoever closed it sends the rest."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            self._changed.wait_for(lambda: len(self._waiting) >= self.most or self._closed, self.every)
            return not self._closed

    def _pause(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed, self.every)
