"""Templates to answers: every value escaped, and nothing runs or loads but our own files."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from accord.serve.pages.static import address
from accord.serve.pages.texts import LANGUAGES, Texts

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
"""No inline script, no inline style, no eval, no frame, nothing from elsewhere."""


def page(template: str, texts: Texts, headers: dict[str, str] | None = None, **values: Any) -> HTMLResponse:
    """A filled template of this room."""
    made = _environment().get_template(template).render(t=texts, languages=LANGUAGES, **values)
    return HTMLResponse(made, headers={"Content-Security-Policy": POLICY, **(headers or {})})


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("accord.serve.pages", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(count=lambda n: f"{n:,}", number=lambda value: f"{value:.3g}", percent=lambda x: f"{x:.0%}")
    made.globals["static"] = address
    return made
