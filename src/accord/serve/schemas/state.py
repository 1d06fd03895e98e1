"""The versions of the model, and how the service does."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class ModelVersion(BaseModel):
    """One version of the model."""

    version: str
    stage: Literal["candidate", "live", "retired"]
    created: str
    note: str


class ModelsOut(BaseModel):
    """The versions there are, oldest first."""

    versions: list[ModelVersion]
    live: str | None
    """The version that answers on every worker within a second or two."""
    answering: str
    """The version that this worker answers from at the moment."""


class Ready(BaseModel):
    """Whether lists can be made."""

    status: Literal["ready", "not ready"]
    model: str | None
    """The version that answers."""
    store: Literal["ok", "away"]
    caught_up: bool
    """Whether everything that the store had when the server started is in the answers."""
    waiting: int
    """Items to be encoded."""
