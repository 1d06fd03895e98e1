"""A server in a function: it answers requests in turn and remembers them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from accord.client import Client

URL = "http://shop.example:1/reco"
Answer = httpx2.Response | Exception | Callable[[httpx2.Request], httpx2.Response]


def ok(body: Any) -> httpx2.Response:
    return httpx2.Response(200, json=body)


def refused(status: int, code: str = "unavailable", **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, json={"error": {"code": code, "message": "It is so."}}, headers=named)


class Server:
    """Gives the answers in turn, and the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.asked = list(answers), list[httpx2.Request]()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx2.Response) else answer(request)

    def client(self, key: str | None = None, retries: int = 3) -> Client:
        return Client(URL, key, retries=retries, http=httpx2.Client(transport=httpx2.MockTransport(self)))

    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.asked]


def keep(request: httpx2.Request) -> httpx2.Response:
    """Accept a batch of events."""
    events = json.loads(request.content)["events"]
    return ok({"accepted": len(events), "duplicates": 0, "rejected": []})


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that clients would have made."""
    made = list[float]()
    monkeypatch.setattr("accord.client.calling.time.sleep", made.append)
    return made
