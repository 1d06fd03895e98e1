"""Scripts, styles and pictures of the page, read once and addressed by their content."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

KINDS = {
    "htmx.min.js": "text/javascript; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""Every file that is sent, with its media type."""


class File(NamedTuple):
    """One file as it is sent."""

    content: bytes
    kind: str
    digest: str


@cache
def read(name: str) -> File:
    """A file by name. Raises ``KeyError`` where it is none of ``KINDS``."""
    kind = KINDS[name]
    content = (files("accord.serve.pages") / "static" / name).read_bytes()
    return File(content, kind, hashlib.sha256(content).hexdigest())


def address(name: str) -> str:
    """Where a file is, with a mark of its content, so that browsers may keep it for good."""
    return f"/static/{name}?v={read(name).digest[:12]}"
