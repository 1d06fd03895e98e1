"""What somebody asks with the page's form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, TypeVar
from urllib.parse import parse_qs

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from accord.serve.limits import LISTED
from accord.serve.schemas import ExplainIn, Language, RecommendIn
from accord.serve.settings import HISTORY

FIELDS = HISTORY + LISTED + 20
"""The most fields of a form: a history, the list before, and the rest."""
Checked = TypeVar("Checked", bound=BaseModel)


@dataclass(frozen=True)
class Form:
    """The fields of the form, those that are not filled in left out."""

    user: str = ""
    text: str = ""
    placement: str = ""
    n: str = ""
    items: Sequence[str] = ()
    """The invented history, oldest first."""
    before: Sequence[str] = ()
    """The list that is on the page."""
    whose: str = ""
    """The person whose list that is."""
    impression: str = ""
    """Where that list was kept: its impression."""
    real: bool = False
    kind: str = ""
    add: str = ""
    """An item that was chosen just now."""
    why: str = ""
    """An item that somebody asks about."""

    @classmethod
    def of(cls, fields: Mapping[str, Sequence[str]]) -> Form:
        """The form with its button applied to the history: ``drop`` takes a place out, ``clear`` everything."""
        items = [] if "clear" in fields else list(fields.get("item", ()))
        drop = fields.get("drop", ("",))[0]
        if drop.isdecimal() and int(drop) < len(items):
            del items[int(drop)]
        names = ("user", "text", "placement", "n", "whose", "impression", "kind", "add", "why")
        told = {name: fields[name][0].strip() for name in names if name in fields}
        if "clear" in fields:
            told |= {"user": "", "text": ""}
        return cls(**told, items=items, before=fields.get("before", ()), real="real" in fields)

    def wish(self, language: Language) -> RecommendIn:
        """The request that ``POST /v1/recommend`` would get."""
        given = {
            "user_id": self.user or None,
            "text": self.text or None,
            "placement": self.placement or None,
            "n": int(self.n) if self.n.isdecimal() else self.n or None,
            "history": list(self.items) or None,
        }
        return checked(RecommendIn, given | {"explain": True, "language": language})

    def question(self, language: Language) -> ExplainIn:
        """The request that ``POST /v1/explain`` would get."""
        given = {"user_id": self.user or None, "history": list(self.items) or None, "items": [self.why]}
        return checked(ExplainIn, given | {"without": True, "language": language})


def checked(model: type[Checked], given: dict[str, Any]) -> Checked:
    """A request as the API checks it, with its errors."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems = [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors()]
        raise RequestValidationError(problems) from None


async def _form(request: Request) -> Form:
    body = (await request.body()).decode(errors="replace")
    try:
        return Form.of(parse_qs(body, max_num_fields=FIELDS))
    except ValueError:
        problem = {"type": "too_many", "loc": ("body",), "msg": "too many fields"}
        raise RequestValidationError([problem]) from None


TheForm: TypeAlias = Annotated[Form, Depends(_form)]
