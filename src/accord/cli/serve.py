"""``accord serve``: a trained pipeline as a service."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from accord.cli.console import errors, make_run, output
from accord.core.config import parse
from accord.core.errors import InputError

HELP = """Answer over HTTP: lists, events, items, users, versions; see docs/serve.md and /openapi.json.

An event counts on the next request; an item that is posted is recommended within about a second. The store is SQLite
beside the run unless --store says otherwise; an empty one is filled with the training events first. Without --keys the
server answers on this machine only.

**Examples**

    accord serve runs/shop-live

    accord serve runs/shop-live --store sqlite:///shop.db --port 8080 --workers 2 --keys keys.json --host 0.0.0.0

    accord serve runs/shop-live --refresh-every 24h

    accord serve runs/shop-live --placements placements.toml --cors-origin https://shop.example
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve", help=HELP)(run)


def run(
    trained: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder made by accord train, or a registry; it may come later.")
    ],
    store: Annotated[str | None, typer.Option(help="URL of the store, such as sqlite:///shop.db.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen at.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes; at most one a core.")] = 1,
    placements: Annotated[Path | None, typer.Option(help="TOML file of named places.")] = None,
    keys: Annotated[Path | None, typer.Option(help="File of API keys; see accord keys.")] = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="Pages of this origin may call the API from a browser.")
    ] = None,
    rate: Annotated[
        str, typer.Option(help="Requests of one key (or address) to one worker; empty: no limit.")
    ] = "6000/minute",
    budget: Annotated[float, typer.Option(help="Seconds that one source may take for one request.")] = 0.2,
    history: Annotated[int, typer.Option(help="Newest events of a user that a request reads.")] = 200,
    update_every: Annotated[
        float, typer.Option(help="Seconds between updates of the sources that count, by one worker; 0: none.")
    ] = 60.0,
    refresh_every: Annotated[
        str | None, typer.Option(help="Learn anew from the store this often, such as 24h, in a process of its own.")
    ] = None,
) -> None:
    """Prepare, say where it listens, and answer until it is stopped."""
    given = {
        "run": trained,
        "store": store,
        "host": host,
        "port": port,
        "workers": workers,
        "placements": placements,
        "keys": keys,
        "cors_origins": tuple(cors_origin or ()),
        "rate": rate,
        "budget": budget,
        "history": history,
        "update_every": update_every,
        "refresh_every": refresh_every,
    }
    _serve(given)


def _serve(given: dict[str, Any]) -> None:
    try:
        from accord.serve.preparing import prepare
        from accord.serve.running import run_server
        from accord.serve.settings import ServeSettings
    except ModuleNotFoundError as missing:
        raise InputError(
            f"serving needs the package {missing.name!r}",
            place="accord serve",
            remedy="Install the extra, in the checkout: pip install '.[serve]'.",
        ) from None
    settings = parse(ServeSettings, given, "accord serve")
    version = prepare(settings, make_run(0, quiet=True), lambda note: errors.print(f"Warning: {note}", markup=False))
    place = f"http://{settings.host}:{settings.port}"
    output.print(f"Model: {version or 'none yet: popularity and content of the store'}", markup=False)
    output.print(f"Store: {settings.store_url}", markup=False)
    output.print(f"Listening at {place}; the API: {place}/openapi.json", markup=False)
    output.print("Keys: needed." if settings.keys else "Keys: none; this machine only.", markup=False)
    sys.stdout.flush()
    run_server(settings.model_copy(update={"prepared": True}))
