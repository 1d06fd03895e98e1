"""``accord store``: look into an event store, copy it, export it, empty it of what is old."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from accord.cli.console import output, print_json
from accord.cli.options import Json
from accord.core.errors import InputError
from accord.data import store as stores

store = typer.Typer(help="The event store: what is in it, copies, exports, retention.", no_args_is_help=True)

Url = Annotated[str, typer.Argument(metavar="URL", help="The store: a path, or sqlite:///PATH.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the store that is there.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(store, name="store")


@store.command()
def info(url: Url, as_json: Json = False) -> None:
    """Say how many events, items, users, impressions and erasures a store holds.

    Example:

        accord store info shop.db
    """
    with _opened(url) as opened:
        found = {**opened.counts(), "last_change": opened.last_change()}
    _tell(found, as_json=as_json)


@store.command()
def export(
    url: Url,
    out: Annotated[Path, typer.Option(help="Folder to write, one Parquet file a table.")],
    since: Annotated[str | None, typer.Option(help="Only rows from this date or time on (ISO 8601, UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="Only rows before this date or time.")] = None,
    as_json: Json = False,
) -> None:
    """Write the tables as Parquet files, while the store is in use.

    Examples:

        accord store export shop.db --out tables

        accord store export shop.db --out january --since 2026-01-01 --until 2026-02-01
    """
    with _opened(url) as opened:
        found = stores.export(opened, out, _time(since, "--since"), _time(until, "--until"))
    _tell(found, as_json=as_json)


@store.command()
def backup(
    url: Url,
    out: Annotated[Path, typer.Option(help="File to write; it must not exist.")],
    as_json: Json = False,
) -> None:
    """Write a consistent copy into one file, while the store is in use.

    A copy holds people who are erased later: keep none longer than you may keep their data.

    Example:

        accord store backup shop.db --out shop-backup.db
    """
    with _opened(url) as opened:
        opened.backup(out)
    _tell({"out": str(out), "bytes": out.stat().st_size}, as_json=as_json)


@store.command()
def restore(
    url: Url,
    source: Annotated[Path, typer.Option("--from", help="File that accord store backup wrote.")],
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Put a backup in the place of a store; restart the servers that have it open afterwards.

    People who were erased from the present store since the backup was made are erased again.

    Examples:

        accord store restore shop.db --from shop-backup.db

        accord store restore shop.db --from shop-backup.db --force
    """
    found = stores.restore(source, stores.store_path(url), force=force)
    _tell(found, as_json=as_json)


@store.command()
def retain(
    url: Url,
    days: Annotated[float, typer.Option(min=0, help="Keep events and impressions of so many days.")],
    as_json: Json = False,
) -> None:
    """Remove events and impressions that are older than some days; items and users stay.

    Example:

        accord store retain shop.db --days 365
    """
    before = datetime.now(UTC) - timedelta(days=days)
    with _opened(url) as opened:
        found = opened.retain(before.timestamp())
    _tell(found, as_json=as_json)


@contextmanager
def _opened(url: str) -> Iterator[stores.Store]:
    """The store, which must exist."""
    opened = stores.open_store(url, create=False)
    try:
        yield opened
    finally:
        opened.close()


def _time(text: str | None, option: str) -> float | None:
    """Seconds since 1970. Raises ``InputError`` where the text is no time."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        remedy = "Write 2026-01-31 or 2026-01-31T12:00:00."
        raise InputError("not a date or a time", place=option, value=text, remedy=remedy) from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _tell(found: dict[str, int] | dict[str, int | str], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        output.print(f"{name.replace('_', ' ')}: {value if isinstance(value, str) else f'{value:,}'}", markup=False)
