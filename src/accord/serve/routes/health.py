"""For machines that watch over the service."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from accord.data.store.base import StoreUnavailable
from accord.serve.access import needs
from accord.serve.routes.parts import TheLive
from accord.serve.schemas import Ready

router = APIRouter(tags=["operation"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Whether the process answers; restart it where it does not."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": Ready, "description": "Lists cannot be made now"}})
def readyz(live: TheLive, response: Response) -> Ready:
    """Whether lists can be made; send requests elsewhere while they cannot (503)."""
    store = _store(live)
    ready = live.answering is not None and store == "ok"
    response.status_code = 200 if ready else 503
    return Ready(
        status="ready" if ready else "not ready",
        model=live.answering,
        store=store,
        caught_up=live.caught_up,
        waiting=live.changes.waiting,
    )


@router.get("/metrics", response_class=Response, **needs("read"))
def metrics(live: TheLive) -> Response:
    """Counters and times in the text format of Prometheus, of all workers together."""
    return Response(live.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _store(live: TheLive) -> Literal["ok", "away"]:
    try:
        live.store.last_change()
    except StoreUnavailable:
        return "away"
    return "ok"
