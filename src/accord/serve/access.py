"""Who may ask what: keys and scopes. Every route says which scope it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Depends, Request

from accord.serve.errors import ApiError, ErrorAnswer
from accord.serve.keys import Key, Scope

SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer KEY`"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
"""How a key is sent, for the OpenAPI document."""
SCOPE = "x-scope"
"""Where the OpenAPI document says which scope an operation needs."""
OPEN = frozenset({"/healthz", "/readyz", "/openapi.json"})
"""Addresses that need no key and are not counted against a limit."""


def needs(scope: Scope, *statuses: int) -> dict[str, Any]:
    """What a route says of itself: ``@router.get(path, **needs("read", 404))``; ``statuses``: errors of its own."""

    async def check(request: Request) -> None:
        if not request.app.state.keyed:
            return
        key: Key | None = request.scope["state"].get("key")
        if key is None:
            raise no_key()
        if scope not in key.scopes:
            raise ApiError(403, "forbidden", f"the key lacks the scope {scope}", remedy="Ask for a key that has it.")

    return {
        "dependencies": [Depends(check)],
        "openapi_extra": {"security": [{name: []} for name in SCHEMES], SCOPE: scope},
        "responses": errors(400, 401, 403, 413, 422, 429, 500, 503, *statuses),
    }


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Errors of a route, for the OpenAPI document."""
    return {status: {"model": ErrorAnswer, "description": DESCRIPTIONS[status]} for status in statuses}


DESCRIPTIONS = {
    400: "The request cannot be read",
    401: "No key, or none that opens anything",
    403: "The key lacks the scope",
    404: "There is no such thing",
    409: "It cannot be done now",
    413: "The body is too large",
    422: "The request says something that cannot be used",
    429: "Too many requests; see Retry-After",
    500: "An error of the server",
    503: "The store or the model is away; see Retry-After",
}


def no_key() -> ApiError:
    """401: there is no key, or it opens nothing."""
    return ApiError(
        401,
        "unauthorized",
        "an API key is needed",
        remedy="Send the header Authorization: Bearer KEY.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def sent_key(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """The text of the key that came with a request."""
    for name, value in headers:
        if name == b"x-api-key":
            return value.decode("latin-1").strip()
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].decode("latin-1").strip()
    return None
