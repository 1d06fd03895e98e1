"""One request to an embeddings endpoint: repeated where that may help, bounded in size, checked before use."""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx2
import numpy as np

from accord.core.arrays import Floats
from accord.core.errors import InputError
from accord.core.run import Run

PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Answers that a repetition may change."""
LONGEST = 60.0
"""Seconds waited at most before a repetition, whatever the server asks for."""
LARGEST = 256 << 20
"""Bytes of an answer that are read at most."""
RESUME = "What was answered before is kept: run it again to go on."


@dataclass(frozen=True)
class Endpoint:
    """Where to ask, and how patiently."""

    url: str
    key: str | None = field(repr=False)
    timeout: float
    retries: int
    wait: float

    def vectors(self, given: dict[str, Any], n: int, run: Run) -> Floats:
        """``float32[n, dim]``: the answer to a request of ``n`` texts, in their order.

        Raises ``InputError`` with the server's words where it refuses, or goes on failing.
        """
        for turn in range(self.retries + 1):
            try:
                status, after, body = self._post(given)
            except httpx2.TransportError as error:
                status, after, said = None, None, f"{type(error).__name__}: {error}"
            else:
                if status == httpx2.codes.OK:
                    return self._read(body, n)
                said = f"status {status}: {body.decode('utf-8', 'replace')}"
            if turn == self.retries or (status is not None and status not in PASSING):
                raise self._refused(said, given)
            pause = min(LONGEST, max(self.wait * 2**turn, after or 0.0))
            run.progress.note(f"the endpoint did not answer; waiting {pause:.1f} s ({turn + 1} of {self.retries})")
            time.sleep(pause)
        raise self._refused("no answer", given)

    def _post(self, given: dict[str, Any]) -> tuple[int, float | None, bytes]:
        """Status, how long the server asks to wait, and the answer's bytes."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        with (
            httpx2.Client(timeout=self.timeout, headers=headers, verify=_certificates()) as client,
            client.stream("POST", self.url, json=given) as answer,
        ):
            body = bytearray()
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > LARGEST:
                    raise InputError(f"the answer is longer than {LARGEST} bytes", place=self.url)
            return answer.status_code, _seconds(answer.headers.get("retry-after")), bytes(body)

    def _read(self, body: bytes, n: int) -> Floats:
        try:
            data = json.loads(body)["data"]
            numbers = [int(entry["index"]) for entry in data]
            rows = np.array([entry["embedding"] for entry in data], np.float32)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"the answer is no list of embeddings ({error})", place=self.url) from None
        if sorted(numbers) != list(range(n)) or rows.ndim != 2 or not np.isfinite(rows).all():
            raise InputError("the answer does not hold one vector of numbers a text", place=self.url, value=rows.shape)
        return rows[np.argsort(numbers)]

    def _refused(self, said: str, given: dict[str, Any]) -> InputError:
        said = said.replace(self.key, "***") if self.key else said
        problem = f"the endpoint gave no vectors ({said[:300]})"
        return InputError(problem, place=self.url, value=given["model"], remedy=RESUME)


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust: read once, for it takes longer than a request."""
    return httpx2.create_ssl_context()


def _seconds(text: str | None) -> float | None:
    """A Retry-After header in seconds; None where it is missing or a date."""
    return float(text) if text is not None and text.isascii() and text.isdigit() else None
