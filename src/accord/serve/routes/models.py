"""Versions of the model: which there are, which one answers, and the way back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from accord.core.errors import InputError
from accord.serve.access import needs
from accord.serve.current import STARTING
from accord.serve.errors import ApiError, unknown
from accord.serve.live import Live
from accord.serve.routes.parts import TheLive
from accord.serve.schemas import ModelsOut, ModelVersion

router = APIRouter(tags=["models"])
Version = Annotated[str, Path(max_length=64, description="The name of a version.")]
ADMIN = needs("admin", 404, 409)


@router.get("/v1/models", **needs("admin"))
def models(live: TheLive) -> ModelsOut:
    """All versions, oldest first."""
    return _told(live)


@router.get("/v1/models/{version}", **ADMIN)
def card(version: Version, live: TheLive) -> dict[str, Any]:
    """The card of a version: what it was made from and with, and the digests of its files."""
    _check(live, version)
    return live.versions.need().card(version)


@router.post("/v1/models/rollback", **ADMIN)
def rollback(live: TheLive) -> ModelsOut:
    """Back to the version that was live before; again, to the one before that. No request is dropped."""
    registry = live.versions.need()
    if registry.previous() is None:
        raise ApiError(409, "conflict", "no version was live before this one", remedy="Promote another one.")
    registry.rollback()
    return _told(live)


@router.post("/v1/models/{version}/promote", **ADMIN)
def promote(version: Version, live: TheLive) -> ModelsOut:
    """Make a version live. Every worker reads it in the background and goes on with the old one meanwhile."""
    _check(live, version)
    live.versions.need().promote(version)
    return _told(live)


def _check(live: Live, version: str) -> None:
    try:
        live.versions.need().version(version)
    except InputError:
        raise unknown("version", "version") from None


def _told(live: Live) -> ModelsOut:
    live.refresh()
    registry = live.versions.registry
    listed = [
        ModelVersion(version=one.version, stage=one.stage, created=one.created, note=one.note)
        for one in registry.versions()
    ]
    return ModelsOut(versions=listed, live=registry.live(), answering=live.answering or STARTING)
