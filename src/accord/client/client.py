"""The client: a method for every address of the API."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from accord.client.answers import (
    EventGiven,
    EventsOut,
    ExplainOut,
    FeedbackFacts,
    Fields,
    ItemsOut,
    Language,
    ListOut,
    ModelsOut,
    Person,
    Ready,
    Rejected,
    Wishes,
)
from accord.client.asking import Request, address
from accord.client.batch import EVERY, MOST, ROOM, Batch
from accord.client.errors import ApiError
from accord.core.errors import InputError

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
NOT_FOUND = 404


class Client:
    """Asks one server: ``with Client("http://localhost:8000", key) as client: client.recommend("anna", n=10)``.

    ``timeout`` (seconds) holds for each try. Where there is no answer, and after 429, 502, 503 and 504, the same is
    asked up to ``retries`` times more, ever more slowly and as ``Retry-After`` says, but only where asking twice is as
    good as asking once. What the server refuses in the end is an ``ApiError``. ``http``: an ``httpx2.Client`` to use in
    place of an own one, for proxies and certificates; it is closed with this one. Threads may share a client.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: float = 10.0,
        retries: int = 5,
        http: httpx2.Client | None = None,
    ) -> None:
        try:
            from accord.client.calling import Calling
        except ModuleNotFoundError as missing:
            raise InputError(
                f"the client needs the package {missing.name!r}",
                place="accord.client",
                remedy="Install the extra, in the checkout: pip install '.[client]'.",
            ) from None
        self._calling = Calling(url, key, timeout, retries, http)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._calling.close()

    def batch(self, *, most: int = MOST, every: float = EVERY, room: int = ROOM) -> Batch:
        """Events to be sent in the background: ``with client.batch() as events: events.add("anna", "i7", "view")``."""
        return Batch(self.events, most=most, every=every, room=room)

    def events(self, events: Iterable[EventGiven]) -> EventsOut:
        """Keep events. They are on the server's disk when this returns; one without an ``event_id`` gets one here."""
        rows = [{"event_id": secrets.token_hex(16), **event} for event in events]
        answers = [self._post("events", body={"events": some}) for some in _chunks(rows)]
        return EventsOut(
            accepted=sum(answer["accepted"] for answer in answers),
            duplicates=sum(answer["duplicates"] for answer in answers),
            rejected=_rejected(answers),
        )

    def feedback(
        self, impression_id: str, item_id: str, event: str = "click", **facts: Unpack[FeedbackFacts]
    ) -> EventsOut:
        """Answer a list: an event of the user to whom it was shown."""
        own = {"event_id": secrets.token_hex(16), "impression_id": impression_id, "item_id": item_id, "event": event}
        return self._post("feedback", body={**own, **facts})

    def put_items(self, items: Iterable[Fields]) -> ItemsOut:
        """Keep items, each with ``item_id`` and all its fields."""
        answers = [self._post("items", body={"items": some}) for some in _chunks(list(items))]
        return ItemsOut(accepted=sum(answer["accepted"] for answer in answers), rejected=_rejected(answers))

    def put_item(self, item_id: str, fields: Mapping[str, Any]) -> ItemsOut:
        """Keep one item with all its fields, in place of those it had."""
        return self._calling.json(Request("PUT", address("items", item_id), dict(fields)))

    def delete_item(self, item_id: str) -> bool:
        """Delete an item: it is in no list from now on. False: there is none."""
        try:
            return self._calling.json(Request("DELETE", address("items", item_id)))["deleted"]
        except ApiError as error:  # also where the answer to the first try was lost
            if error.status == NOT_FOUND:
                return False
            raise

    def put_user(self, user_id: str, fields: Mapping[str, Any]) -> bool:
        """Keep what is known of a user, in place of what was."""
        return self._calling.json(Request("PUT", address("users", user_id), dict(fields)))["kept"]

    def erase_user(self, user_id: str) -> dict[str, int]:
        """Erase a person; the rows removed, by table."""
        return self._calling.json(Request("DELETE", address("users", user_id)))["erased"]

    def recommend(self, user_id: str | None = None, *, n: int | None = None, **asked: Unpack[Wishes]) -> ListOut:
        """A list for a user, for a ``history``, for a ``text``, or for all of these together."""
        return self._post("recommend", body=_given(user_id=user_id, n=n, **asked))

    def recommendations(
        self,
        user_id: str,
        *,
        n: int | None = None,
        placement: str | None = None,
        explain: bool = False,
        language: Language = "en",
    ) -> ListOut:
        """The list of a user, where no more is to be said."""
        params = _given(n=n, placement=placement, explain=explain, language=language)
        return self._get("users", user_id, "recommendations", params=params)

    def similar(self, item_id: str, n: int = 20) -> ListOut:
        """What somebody would be shown who had chosen just this item."""
        return self._get("items", item_id, "similar", params={"n": n})

    def explain(
        self,
        items: Sequence[str],
        user_id: str | None = None,
        *,
        language: Language = "en",
        without: bool = False,
        **person: Unpack[Person],
    ) -> ExplainOut:
        """Why these items would be shown to this person; ``without``: also their places without single events."""
        asked = _given(items=list(items), user_id=user_id, language=language, without=without, **person)
        return self._post("explain", body=asked)

    def placements(self) -> dict[str, dict[str, Any]]:
        """The named places of lists, with their rules."""
        return self._get("placements")

    def placement(self, name: str) -> dict[str, Any]:
        """One named place."""
        return self._get("placements", name)

    def models(self) -> ModelsOut:
        """The versions of the model."""
        return self._get("models")

    def card(self, version: str) -> dict[str, Any]:
        """What a version was made from and with."""
        return self._get("models", version)

    def promote(self, version: str) -> ModelsOut:
        """Make a version live."""
        return self._post("models", version, "promote")

    def rollback(self) -> ModelsOut:
        """Back to the version that was live before. Asked once: a second time would go back further."""
        return self._post("models", "rollback", repeatable=False)

    def health(self) -> bool:
        """Whether the server's process answers."""
        return self._calling.json(Request("GET", "/healthz"))["status"] == "ok"

    def ready(self) -> Ready:
        """Whether lists can be made; the answer is never an error where the server answers at all."""
        return self._calling.json(Request("GET", "/readyz", also=503))

    def metrics(self) -> str:
        """Counters and times in the text format of Prometheus."""
        return self._calling.text(Request("GET", "/metrics"))

    def _get(self, *parts: str, params: Mapping[str, Any] | None = None) -> Any:
        return self._calling.json(Request("GET", address(*parts), params=params))

    def _post(self, *parts: str, body: Any = None, repeatable: bool = True) -> Any:
        return self._calling.json(Request("POST", address(*parts), body, repeatable=repeatable))


def _given(**values: Any) -> dict[str, Any]:
    """What was said, without what was left open."""
    return {name: value for name, value in values.items() if value is not None}


def _chunks(rows: Sequence[T]) -> Iterable[Sequence[T]]:
    return [rows[start : start + MOST] for start in range(0, len(rows), MOST)]


def _rejected(answers: Sequence[Mapping[str, Any]]) -> list[Rejected]:
    """Rejected rows of all chunks, by their place in the whole."""
    return [
        Rejected(index=chunk * MOST + row["index"], reason=row["reason"])
        for chunk, answer in enumerate(answers)
        for row in answer["rejected"]
    ]
