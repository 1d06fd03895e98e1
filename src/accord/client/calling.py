"""One request to the server: repeated where that may help and does no harm, its answer read or raised."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from accord.client.asking import Request
from accord.client.errors import UNREACHABLE, ApiError
from accord.core.errors import InputError

PASSING = frozenset({429, 502, 503, 504})
"""Answers that a repetition may change."""
REFUSED = 429
"""The one of them after which the server has certainly done nothing."""
FIRST = 0.2
"""Seconds waited at most before the first repetition; twice as much before each further one."""
LONGEST = 60.0
"""Seconds waited at most before a repetition; where the server asks for more, the error is raised at once."""


class Calling:
    """Sends requests to one server. Threads may share it."""

    def __init__(self, url: str, key: str | None, timeout: float, retries: int, http: httpx2.Client | None) -> None:
        self.url, self.retries = _checked(url), retries
        self.http = http or httpx2.Client(timeout=timeout)
        self._headers = {"Authorization": f"Bearer {_printable(key)}"} if key else {}

    def json(self, request: Request) -> Any:
        """The answer as JSON. Raises ``ApiError`` where there is no good one, after the last repetition."""
        answer = self._ask(request)
        try:
            return answer.json()
        except ValueError:
            raise ApiError(
                "unreadable",
                f"{self.url} did not answer in JSON",
                remedy="Is this accord serve?",
                status=answer.status_code,
            ) from None

    def text(self, request: Request) -> str:
        """The answer as text. Raises as ``json``."""
        return self._ask(request).text

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def _ask(self, request: Request) -> httpx2.Response:
        turn = 0
        while True:
            try:
                return self._once(request)
            except ApiError as error:
                asked = error.wait or 0.0
                if turn == self.retries or asked > LONGEST or not _may_repeat(request, error):
                    raise
            time.sleep(asked + jittered(turn))
            turn += 1

    def _once(self, request: Request) -> httpx2.Response:
        try:
            answer = self.http.request(
                request.method,
                self.url + request.path,
                json=request.body,
                params=request.params,
                headers=self._headers,
            )
        except httpx2.RequestError as error:
            raise _unreachable(self.url, error) from error
        if answer.is_success or answer.status_code == request.also:
            return answer
        raise error_of(answer)


def jittered(turn: int) -> float:
    """Seconds to wait before a repetition: exponential, with full jitter, so that clients do not come back together."""
    return secrets.SystemRandom().uniform(0.0, min(LONGEST, FIRST * 2**turn))


def error_of(answer: httpx2.Response) -> ApiError:
    """The error that an answer tells, in the server's one shape or, from a proxy, in none."""
    status, wait = answer.status_code, _seconds(answer.headers.get("retry-after"))
    told = _told(answer)
    return ApiError(
        str(told.get("code", "error")),
        str(told.get("message", f"the server answered with status {status}")),
        field=told.get("field"),
        remedy=told.get("remedy"),
        status=status,
        untouched=status == REFUSED,
        wait=wait,
    )


def _may_repeat(request: Request, error: ApiError) -> bool:
    passing = error.status is None or error.status in PASSING
    return passing and (request.repeatable or error.untouched)


def _unreachable(url: str, error: httpx2.RequestError) -> ApiError:
    """No answer; where there was no connection the request did not arrive."""
    return ApiError(
        UNREACHABLE,
        f"{url} did not answer ({type(error).__name__}: {error})",
        remedy="Is the server running, and at this address?",
        untouched=isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout),
    )


def _told(answer: httpx2.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    told = body.get("error") if isinstance(body, dict) else None
    return told if isinstance(told, dict) else {}


def _seconds(text: str | None) -> float | None:
    """A Retry-After header in seconds from now; None where it is missing or cannot be read."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _checked(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise InputError("not an address", place="url", value=url, remedy="Such as http://localhost:8000.")
    return url.rstrip("/")


def _printable(key: str) -> str:
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise InputError("an API key has printable ASCII characters only, and no space", place="key")
    return key
