"""Which language a page is in."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from accord.serve.pages.texts import LANGUAGES, Texts


async def _texts(request: Request) -> Texts:
    asked = request.query_params.get("lang")
    return LANGUAGES[asked if asked in LANGUAGES else preferred(request.headers.get("accept-language", ""))]


TheTexts: TypeAlias = Annotated[Texts, Depends(_texts)]
"""The texts in the language that ``?lang=`` asks for, or else the browser."""


def preferred(header: str) -> str:
    """The language of ours that an ``Accept-Language`` header likes best; English where it names none.

    >>> preferred("de, zh-CN;q=0.8, en;q=0.5")
    'zh'
    """
    liked = [_liked(part) for part in header.split(",")]
    ours = [(weight, -place, name) for place, (name, weight) in enumerate(liked) if name in LANGUAGES and weight > 0]
    return max(ours, default=(0.0, 0, "en"))[2]


def _liked(part: str) -> tuple[str, float]:
    """The primary language of one entry, and how much it is liked; 0 where that cannot be read."""
    tag, _, weight = part.strip().partition(";q=")
    try:
        return tag.split("-")[0].lower(), float(weight or 1.0)
    except ValueError:
        return tag, 0.0
