"""People: what is known of them, and their right to be forgotten."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query

from accord.serve.access import needs
from accord.serve.checking import good_fields
from accord.serve.limits import LISTED
from accord.serve.routes.parts import TheAnswers, TheLive
from accord.serve.schemas import Erased, Fields, Id, Kept, Language, ListOut, RecommendIn

router = APIRouter(tags=["users"])
UserId = Annotated[Id, Path(description="The user's id; it may hold slashes.")]


@router.put("/v1/users/{user_id:path}", **needs("write", 404))
def put_user(
    user_id: UserId, fields: Annotated[Fields, Body(examples=[{"city": "Graz", "plan": "family"}])], live: TheLive
) -> Kept:
    """Keep what is known of a user, in place of what was. Users need not be announced before their events."""
    live.store.put_user(user_id, good_fields(fields))
    return Kept(kept=True)


@router.delete("/v1/users/{user_id:path}", **needs("admin", 404))
def erase_user(user_id: UserId, live: TheLive) -> Erased:
    """Erase a person: events, facts and impressions, from this answer on. A salted hash of the id stays, so that the
    next refresh keeps the person out of the model; the same id may come again as somebody new."""
    erased = live.store.erase_user(user_id)
    live.remembered.clear()
    return Erased(erased=erased)


@router.get("/v1/users/{user_id:path}/recommendations", response_model_exclude_unset=True, **needs("read", 404))
def recommendations(
    user_id: UserId,
    answers: TheAnswers,
    n: Annotated[int | None, Query(ge=1, le=LISTED)] = None,
    placement: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
    explain: bool = False,
    language: Language = "en",
) -> ListOut:
    """The list of a user, for pages that only read; `POST /v1/recommend` can say more."""
    asked = RecommendIn(user_id=user_id, n=n, placement=placement, explain=explain, language=language)
    return answers.recommend(asked)
