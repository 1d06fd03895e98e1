"""What is asked of a server: requests and addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Request:
    """What is asked of the server."""

    method: str
    path: str
    body: Any = None
    params: Mapping[str, Any] | None = None
    repeatable: bool = True
    """Whether asking twice does the same as asking once."""
    also: int | None = None
    """A status that is a good answer here, beside those of 200 and more."""


def address(*parts: str) -> str:
    """A path below ``/v1`` of parts that may hold anything, such as ``/v1/items/a%2Fb``."""
    return "".join(f"/{_quoted(part)}" for part in ("v1", *parts))


def _quoted(part: str) -> str:
    """One part of a path; dots alone would be taken for a step in the path."""
    return part.replace(".", "%2E") if part in (".", "..") else quote(part, safe="")
