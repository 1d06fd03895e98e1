"""One shape for every error: ``{"error": {"code", "message", "field"?, "remedy"?}}``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from accord.core.errors import AccordError
from accord.data.store.base import StoreUnavailable

RETRY = 1
"""Seconds after which a client may try again while the store is away."""


class ErrorBody(BaseModel):
    """What went wrong, and what to do about it."""

    code: str = Field(description="A word for programs: `bad_input`, `not_found`, `store_unavailable`, ...")
    message: str = Field(description="A sentence for people.")
    field: str | None = Field(default=None, description="Where in the request, such as `events.0.user_id`.")
    remedy: str | None = Field(default=None, description="What to do about it.")


class ErrorAnswer(BaseModel):
    """Every answer with a status of 400 or more, but that of `/readyz`."""

    error: ErrorBody


class ApiError(AccordError):
    """An error with a status of its own."""

    def __init__(
        self,
        status: int,
        code: str,
        problem: str,
        *,
        field: str | None = None,
        remedy: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(problem, place=field, remedy=remedy)
        self.status, self.code, self.headers = status, code, headers or {}


CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    422: "bad_input",
    429: "too_many_requests",
    500: "internal_error",
    503: "unavailable",
}
SENTENCES = {
    400: "The request cannot be read",
    404: "There is nothing at this address",
    405: "This address does not take that method",
    500: "Something went wrong on the server",
}


def unknown(what: str, field: str) -> ApiError:
    """404 for something that is not there; the id itself is not repeated."""
    return ApiError(404, "not_found", f"there is no such {what}", field=field)


def shape(status: int, body: ErrorBody, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer of an error."""
    return JSONResponse({"error": body.model_dump(exclude_none=True)}, status, headers)


def plain(status: int, remedy: str | None = None, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer of an error that says no more than its status."""
    message = SENTENCES.get(status, "The request was refused")
    return shape(status, ErrorBody(code=CODES.get(status, "error"), message=f"{message}.", remedy=remedy), headers)


def answer_to(error: AccordError) -> JSONResponse:
    """The answer of an error that Accord raised on purpose; values received are not repeated."""
    message = error.problem[:1].upper() + error.problem[1:] + "."
    body = ErrorBody(code=error.code, message=message, field=error.place, remedy=error.remedy)
    if isinstance(error, ApiError):
        return shape(error.status, body, error.headers)
    if isinstance(error, StoreUnavailable):
        body = ErrorBody(
            code=error.code, message="The store is away; nothing was kept.", remedy="Send the same request again."
        )
        return shape(503, body, {"Retry-After": str(RETRY)})
    return shape(422, body)


NAMED = 200
"""Longer names of fields are cut: those of a context are the client's own."""


def first_problem(problems: Sequence[Any], skip: int = 0) -> tuple[str, str | None]:
    """Message and field of the first of pydantic's errors, without the value received."""
    first = problems[0]
    field = ".".join(str(part)[:NAMED] for part in first["loc"][skip:])[:NAMED]
    message = str(first["msg"]).removeprefix("Value error, ")
    return message[:1].upper() + message[1:], field or None


async def _on_accord(_: Request, error: Exception) -> JSONResponse:
    return answer_to(cast("AccordError", error))  # it is registered for this class alone


async def _on_validation(_: Request, error: Exception) -> JSONResponse:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    if problems[0]["type"] == "json_invalid":
        return shape(422, ErrorBody(code="bad_input", message="The body is not JSON.", remedy="Send UTF-8 JSON."))
    message, field = first_problem(problems, skip=1)
    return shape(422, ErrorBody(code="bad_input", message=f"{message}.", field=field, remedy="See /openapi.json."))


async def _on_http(_: Request, error: Exception) -> JSONResponse:
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    return plain(status, "See /openapi.json." if status in (404, 405) else None, dict(headers or {}))


def add_handlers(app: FastAPI) -> None:
    """Give every error of the app the one shape."""
    app.add_exception_handler(AccordError, _on_accord)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
