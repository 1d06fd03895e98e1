"""The card of the model in short: what it was made from, how it mixes its sources, what that was worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from accord.fuse.base import Fuser
from accord.fuse.weighted import Weighted
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.reasons import evidence
from accord.pipeline.words import in_words
from accord.serve.schemas import Language

ALONE = " alone"
"""How a card marks what a source is worth alone."""
POPULAR = "popularity"
TINY = 1e-9


@dataclass(frozen=True)
class Source:
    """A source that is fused."""

    name: str
    reads: str
    """What it looks at, in words."""
    known: float | None
    """Its weight for items with events; None where the fusion has no such weights."""
    new: float | None
    """Its weight for items without events."""


@dataclass(frozen=True)
class Quality:
    """NDCG@10 on held-back events."""

    fused: float
    single: tuple[str, float] | None
    """The best source alone."""
    popular: float | None
    """Popularity alone."""


@dataclass(frozen=True)
class Facts:
    """What a card says of how a model was made; nothing where it does not say."""

    created: str
    data: Sequence[int]
    """Users, items and events that it learned from."""
    dropped: Sequence[str]
    """Sources that were learned and left out."""


def facts_of(card: Mapping[str, Any]) -> Facts:
    """The facts of a card."""
    created, data = str(card.get("created", "")), card.get("dataset", {})
    counts = [int(data[name]) for name in ("users", "items", "events") if name in data]
    return Facts(created[:16].replace("T", " "), counts, list(card.get("dropped", ())))


def sources_of(pipeline: Pipeline, language: Language) -> list[Source]:
    """The fused sources, those that count most first."""
    looks = evidence(pipeline)
    weights = _weights(pipeline.fuser)
    names: Sequence[str] = pipeline.fuser.config.sources
    told = [Source(name, in_words(looks.get(name, name), language), *weights.get(name, (None, None))) for name in names]
    return sorted(told, key=lambda source: -(source.known or 0.0))


def quality_of(card: Mapping[str, Any], pipeline: Pipeline) -> Quality | None:
    """What the card says of held-back users; None where it says nothing."""
    tried = card.get("validation", {}).get("tried", [])
    if not tried:
        return None
    alone = {one["kind"].removesuffix(ALONE): float(one["b"]) for one in tried if one["kind"].endswith(ALONE)}
    names: Sequence[str] = pipeline.fuser.config.sources
    fused = alone.get(names[0]) if len(names) == 1 else None
    looks = evidence(pipeline)
    best = max(alone, key=lambda name: alone[name], default=None)
    popular = next((alone[name] for name in alone if looks.get(name) == POPULAR or name == "popular"), None)
    return Quality(
        float(tried[-1]["b"]) if fused is None else fused, (best, alone[best]) if best is not None else None, popular
    )


def _weights(fuser: Fuser) -> dict[str, tuple[float, float]]:
    """Weights for known and for new items by source, each as a share of all."""
    if not isinstance(fuser, Weighted):
        return {}
    shares = (fuser.weights / np.maximum(fuser.weights.sum(axis=1, keepdims=True), TINY)).tolist()
    return dict(zip(fuser.config.sources, zip(*shares, strict=True), strict=True))
