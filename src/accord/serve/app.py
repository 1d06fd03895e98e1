"""The app: its parts put together, nothing global."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware

from accord import __version__
from accord.core.run import Run
from accord.serve.access import OPEN, SCHEMES
from accord.serve.answering import Answers
from accord.serve.errors import add_handlers
from accord.serve.gate import Gate
from accord.serve.keys import KeyRing
from accord.serve.limits import RateLimit
from accord.serve.live import Live
from accord.serve.logs import Log, make_log
from accord.serve.metrics import Metrics
from accord.serve.pages.access import FREE, PageKey
from accord.serve.pages.routes import router as pages
from accord.serve.preparing import prepare, served_placements
from accord.serve.routes import events, health, items, models, placements, recommend, users
from accord.serve.settings import ServeSettings
from accord.serve.updater import Updater

ROUTERS = (events.router, items.router, users.router, recommend.router, placements.router, models.router, health.router)
DESCRIPTION = """Live recommendations: an event counts on the next request, an item posted a second ago can be
recommended, and nothing acknowledged is lost. Every error has one shape, `ErrorAnswer`."""


def create_app(settings: ServeSettings, log: Log | None = None) -> FastAPI:
    """The app of one worker. Raises ``InputError`` where a file or an address of the settings cannot be used.

    Its state lives in ``app.state``: ``live`` (store, pipeline), ``answers``, ``updater``, ``keyed``. It begins when
    the server starts the app, and ends with it.
    """
    settings.check_exposed()
    log, metrics = log or make_log(), Metrics()
    keys = KeyRing(settings.keys) if settings.keys is not None else None
    app = FastAPI(
        title="Accord",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,  # the pages that come with the framework load scripts from elsewhere
        redoc_url=None,
        lifespan=_lifespan(settings, metrics, log),
    )
    app.state.keyed = keys is not None
    app.state.settings = settings
    add_handlers(app)
    for router in (*ROUTERS, pages):
        app.include_router(router)
    app.openapi = lambda: _openapi(app)
    rate, most, free = RateLimit(settings.rate), settings.max_body, OPEN | FREE
    app.add_middleware(Gate, keys=keys, rate=rate, most=most, metrics=metrics, log=log, free=free)
    app.add_middleware(PageKey)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
            expose_headers=["X-Request-Id", "Retry-After"],
        )
    return app


def _lifespan(settings: ServeSettings, metrics: Metrics, log: Log) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        if not settings.prepared:
            await run_in_threadpool(prepare, settings, Run(cache=None), lambda note: _warn(log, note))
        live = await run_in_threadpool(Live, settings, metrics, log)
        app.state.live, app.state.answers = live, Answers(live, served_placements(settings))
        app.state.updater = updater = Updater(live, settings.update_every)
        live.start()
        updater.start()
        try:
            yield
        finally:
            await run_in_threadpool(updater.stop)
            await run_in_threadpool(live.stop)

    return lifespan


def _warn(log: Log, note: str) -> None:
    log.warning("looks wrong", note=note)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the ways to send a key."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        document.setdefault("components", {})["securitySchemes"] = SCHEMES
        app.openapi_schema = document
    return app.openapi_schema
