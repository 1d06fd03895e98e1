"""Lists, and why they are as they are."""

from __future__ import annotations

from fastapi import APIRouter

from accord.serve.access import needs
from accord.serve.routes.parts import TheAnswers
from accord.serve.schemas import ExplainIn, ExplainOut, ListOut, RecommendIn

router = APIRouter(tags=["recommend"])


@router.post("/v1/recommend", response_model_exclude_unset=True, **needs("read"))
def recommend(body: RecommendIn, answers: TheAnswers) -> ListOut:
    """The best items for a user, for a history without a user, for some words, or for all of these together."""
    return answers.recommend(body)


@router.post("/v1/explain", response_model_exclude_unset=True, **needs("read", 404))
def explain(body: ExplainIn, answers: TheAnswers) -> ExplainOut:
    """Why these items would be shown to this person: what each source adds, and which events speak for them."""
    return answers.explain(body)
