"""What routes ask for: the parts of the app, as dependencies."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from accord.serve.answering import Answers
from accord.serve.live import Live


async def _live(request: Request) -> Live:
    return request.app.state.live


async def _answers(request: Request) -> Answers:
    return request.app.state.answers


TheLive: TypeAlias = Annotated[Live, Depends(_live)]
TheAnswers: TypeAlias = Annotated[Answers, Depends(_answers)]
