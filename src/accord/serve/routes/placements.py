"""Named places of lists, as the operator declared them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from accord.serve.access import needs
from accord.serve.errors import unknown
from accord.serve.routes.parts import TheAnswers

router = APIRouter(tags=["placements"])


@router.get("/v1/placements", **needs("read"))
def placements(answers: TheAnswers) -> dict[str, dict[str, Any]]:
    """All placements by name, with their rules."""
    return {name: _told(answers, name) for name in answers.placements}


@router.get("/v1/placements/{name}", **needs("read", 404))
def placement(name: Annotated[str, Path(max_length=64)], answers: TheAnswers) -> dict[str, Any]:
    """One placement."""
    if name not in answers.placements:
        raise unknown("placement", "name")
    return _told(answers, name)


def _told(answers: TheAnswers, name: str) -> dict[str, Any]:
    return answers.placements[name].model_dump(mode="json", exclude_defaults=True, by_alias=True)
