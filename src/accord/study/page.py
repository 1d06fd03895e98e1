"""One self-contained HTML page: no script, no request to anywhere, every value escaped."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from accord.study import charts
from accord.study.wording import count, number, percent


def render_page(template: str, title: str, **context: Any) -> str:
    """Fill a template of this room. Values are escaped; only charts and the style sheet are taken as they are."""
    css = _style()
    made = _templates().get_template(template)
    sheet = Markup(css)  # noqa: S704 (a file of this package)
    return made.render(title=title, css=sheet, policy=policy(css), charts_drawn=charts.available(), **context)


def policy(css: str) -> str:
    """The content security policy: nothing may load or run; the one style sheet is named by its hash."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def environment(package: str) -> Environment:
    """The templates of a package, which are strict: every value is escaped, and one that is missing is an error."""
    made = Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(count=count, percent=percent, number=number)
    return made


@cache
def _templates() -> Environment:
    return environment("accord.study")


@cache
def _style() -> str:
    source, _, _ = PackageLoader("accord.study", "templates").get_source(_templates(), "page.css")
    return "\n" + source.strip() + "\n"
