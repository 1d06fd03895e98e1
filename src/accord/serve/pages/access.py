"""Who may use the page: the API key of a cookie, for addresses of the page alone, and requests of the page alone."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from accord.serve.access import sent_key
from accord.serve.errors import ApiError
from accord.serve.keys import PATTERN, Key
from accord.serve.keys import Scope as KeyScope
from accord.serve.pages.static import KINDS

PREFIX = "/page"
"""Addresses of what the page asks for."""
FREE = frozenset({"/", *(f"/static/{name}" for name in KINDS)})
"""Addresses that need no key: nothing of the data is in them."""
KEY, MARK = "accord_key", "accord_page"
"""The cookie with the key, which browsers send to ``/page`` alone, and the one that tells ``/`` that there is one."""


class PageKey:
    """Outside the gate: hands it the key of the page's cookie. No other address takes a key from a cookie."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with the key in a header where it is one of the page."""
        if scope["type"] == "http" and scope["path"].startswith(f"{PREFIX}/") and sent_key(scope["headers"]) is None:
            key = _kept(scope["headers"])
            if key is not None:
                scope = {**scope, "headers": [*scope["headers"], (b"x-api-key", key.encode())]}
        await self.app(scope, receive, send)


def _kept(headers: list[tuple[bytes, bytes]]) -> str | None:
    """The key in the cookies; None where there is none, or nothing like one."""
    cookies = SimpleCookie()
    for name, value in headers:
        if name == b"cookie":
            try:
                cookies.load(value.decode("latin-1"))
            except CookieError:
                return None
    kept = cookies[KEY].value if KEY in cookies else ""
    return kept if PATTERN.fullmatch(kept) else None


async def from_the_page(request: Request) -> None:
    """Raises ``ApiError`` (403) where a request does not come from our own scripts.

    A page of another origin cannot send this header unless it is let: CORS does not let it, whatever origins it opens.
    """
    if "hx-request" not in request.headers:
        raise ApiError(403, "forbidden", "only the page itself may ask this", remedy="Use /v1; see /openapi.json.")


def may(request: Request, scope: KeyScope) -> bool:
    """Whether the key of a request has a scope; without keys everybody on this machine has them all."""
    key: Key | None = request.scope["state"].get("key")
    return not request.app.state.keyed or (key is not None and scope in key.scopes)


def keep_key(request: Request, response: Response) -> None:
    """Put the key that came with a request, which the gate has checked, in the page's cookies."""
    secure = request.url.scheme == "https"
    response.set_cookie(
        KEY,
        sent_key(request.headers.raw) or "",
        path=PREFIX,
        secure=secure,
        httponly=True,
        samesite="strict",
    )
    response.set_cookie(MARK, "1", secure=secure, httponly=True, samesite="strict")


def forget_key(response: Response) -> None:
    """Remove both cookies."""
    response.delete_cookie(KEY, path=PREFIX)
    response.delete_cookie(MARK)
