"""What every request passes: a number for it, keys, limits, headers, one line in the log, and the last resort."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accord.core.errors import AccordError
from accord.serve.access import OPEN, no_key, sent_key
from accord.serve.errors import ApiError, answer_to, plain
from accord.serve.keys import Key, KeyRing
from accord.serve.limits import RateLimit, bounded
from accord.serve.logs import Log, where
from accord.serve.metrics import Metrics
from accord.serve.settings import is_loopback

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Sent with every answer that does not say otherwise."""


@dataclass
class Passage:
    """One request on its way."""

    number: str
    started: float = field(default_factory=time.perf_counter)
    status: int = 0


class Gate:
    """The outermost layer of the app."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: KeyRing | None,
        rate: RateLimit,
        most: int,
        metrics: Metrics,
        log: Log,
        free: frozenset[str] = OPEN,
    ) -> None:
        self.app, self.keys, self.rate, self.most = app, keys, rate, most
        self.metrics, self.log, self.free = metrics, log, free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        passage = Passage(secrets.token_hex(8))
        sending = self._sending(passage, send)
        try:
            refused = self._refused(scope)
            if refused is not None:
                await refused(scope, receive, sending)
            else:
                await self.app(scope, bounded(receive, self.most), sending)
        except Exception as error:  # the last resort of a server: nobody above could answer
            self.log.error("failed", request=passage.number, **where(error))
            if not passage.status:
                await plain(500, f"Tell the operator the request id {passage.number}.")(scope, receive, sending)
        finally:
            self._note(scope, passage)

    def _refused(self, scope: Scope) -> Response | None:
        """Why a request goes no further; notes its key where it does."""
        scope.setdefault("state", {})
        if scope["path"] in self.free:
            return None
        try:
            self._check(scope)
        except AccordError as error:
            return answer_to(error)
        return None

    def _check(self, scope: Scope) -> None:
        headers = scope["headers"]
        key = self._key(headers)
        who = key.id if key is not None else (scope.get("client") or ("nobody",))[0]
        if not self.rate.take(who):
            retry = {"Retry-After": str(self.rate.wait)}
            raise ApiError(429, "too_many_requests", "too many requests", remedy="Wait and retry.", headers=retry)
        if self.keys is None:
            self._check_host(headers)
        elif key is None:
            raise no_key()
        if self._announced(headers) > self.most:
            raise ApiError(413, "too_large", f"a body has at most {self.most} bytes", remedy="Send smaller batches.")
        scope["state"]["key"] = key

    def _key(self, headers: Any) -> Key | None:
        text = sent_key(headers) if self.keys is not None else None
        return self.keys.find(text) if self.keys is not None and text else None

    def _check_host(self, headers: Any) -> None:
        """Without keys only pages of this machine may ask: a stranger's page could point its own name here."""
        host = next((value for name, value in headers if name == b"host"), b"").decode("latin-1")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if not is_loopback(name):
            raise ApiError(
                403, "forbidden", "without keys the server answers to localhost only", remedy="Start it with --keys."
            )

    def _announced(self, headers: Any) -> int:
        value = next((value for name, value in headers if name == b"content-length"), b"0")
        return int(value) if value.isdigit() else 0

    def _sending(self, passage: Passage, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                passage.status = message["status"]
                headers = MutableHeaders(raw=message["headers"])
                headers["X-Request-Id"] = passage.number
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        return sending

    def _note(self, scope: Scope, passage: Passage) -> None:
        """Count the request and write its line; the address is the route's, so no id is in it."""
        seconds = time.perf_counter() - passage.started
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if route != "unmatched" else "-"
        self.metrics.requests.labels(method, route, str(passage.status)).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        self.log.info(
            "request",
            method=scope["method"],
            route=route,
            status=passage.status,
            ms=round(seconds * 1000, 2),
            request=passage.number,
        )
