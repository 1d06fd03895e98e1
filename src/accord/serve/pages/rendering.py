"""Templates to answers: every value escaped, and nothing runs or loads but our own files."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment
from starlette.responses import HTMLResponse

from accord.serve.pages.static import address
from accord.serve.pages.texts import LANGUAGES, Texts
from accord.study.page import environment

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
"""No inline script, no inline style, no eval, no frame, nothing from elsewhere."""


def page(template: str, texts: Texts, headers: dict[str, str] | None = None, **values: Any) -> HTMLResponse:
    """A filled template of this room."""
    made = _templates().get_template(template).render(t=texts, languages=LANGUAGES, **values)
    return HTMLResponse(made, headers={"Content-Security-Policy": POLICY, **(headers or {})})


@cache
def _templates() -> Environment:
    made = environment("accord.serve.pages")
    made.globals["static"] = address
    return made
