"""``accord models``: the versions of a run, which one is live, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from accord.cli.console import output, print_json
from accord.cli.options import Json
from accord.registry import Registry, Version
from accord.registry.registry import KEEP

Run = Annotated[Path, typer.Argument(help="A trained run, or its registry.")]
Name = Annotated[str, typer.Argument(help="A version, as accord models list shows it.")]

HELP = "Versions of a trained run: list, show, publish, promote, rollback, prune."
LIST = """List the versions, the newest last.

**Example**

    accord models list runs/shop-live
"""
SHOW = """Show the card of a version: what it was made from and with. Without VERSION: of the live one.

**Example**

    accord models show runs/shop-live
"""
PUBLISH = """Put a trained folder into the registry of a run, as a candidate or, with --live, live.

Without SOURCE the run itself is published.

**Examples**

    accord models publish runs/shop-live --live

    accord models publish runs/shop-live runs/experiment --note 'with pictures'
"""
PROMOTE = """Make a version live. Servers on this run answer with it from then on, without a restart.

**Example**

    accord models promote runs/shop-live 20260730T101112.131415Z-0a1b2c3d
"""
ROLLBACK = """Make the version live that was live before.

**Example**

    accord models rollback runs/shop-live
"""
PRUNE = """Remove old versions: all but the live one, the one live before it, and the newest.

**Example**

    accord models prune runs/shop-live --keep 3

    accord models prune runs/shop-live --only-live
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help=HELP)
    for name, text, function in (
        ("list", LIST, show_versions),
        ("show", SHOW, show),
        ("publish", PUBLISH, publish),
        ("promote", PROMOTE, promote),
        ("rollback", ROLLBACK, rollback),
        ("prune", PRUNE, prune),
    ):
        group.command(name, help=text)(function)
    app.add_typer(group, name="models")


def show_versions(run: Run, json: Json = False) -> None:
    """List them."""
    registry = Registry.beside(run)
    versions = registry.versions()
    if json:
        print_json({"live": registry.live(), "versions": [version.model_dump() for version in versions]})
    elif versions:
        output.print(_table(versions))
    else:
        output.print(f"No versions. Publish one: accord models publish {run} --live", markup=False)


def _table(versions: list[Version]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("version", "stage", "note"):
        table.add_column(name, overflow="fold" if name == "note" else "ignore", no_wrap=name != "note")
    for version in versions:
        style = "bold" if version.stage == "live" else ""
        table.add_row(version.version, version.stage, version.note, style=style)
    return table


def show(run: Run, version: Annotated[str | None, typer.Argument(help="A version.")] = None) -> None:
    """Print the card as JSON."""
    registry = Registry.beside(run)
    name = version or registry.live() or ""
    print_json({"version": registry.version(name).model_dump(), "card": registry.card(name)})


def publish(
    run: Run,
    source: Annotated[Path | None, typer.Argument(help="A trained folder; by default the run itself.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Promote it at once.")] = False,
    note: Annotated[str, typer.Option(help="One line for the list.")] = "",
    json: Json = False,
) -> None:
    """Copy it in."""
    registry = Registry.beside(run)
    version = registry.publish(source or run, "live" if live else "candidate", note)
    _told(
        json, f"Published {version}{', which is live now' if live else ' as a candidate'}.", version=version, live=live
    )


def promote(run: Run, version: Name, json: Json = False) -> None:
    """Swap the pointer."""
    registry = Registry.beside(run)
    before = registry.live()
    registry.promote(version)
    _told(json, f"{version} is live now.", live=version, previous=before)


def rollback(run: Run, json: Json = False) -> None:
    """Swap it back."""
    registry = Registry.beside(run)
    before = registry.live()
    version = registry.rollback()
    _told(json, f"{version} is live again, in place of {before}.", live=version, previous=before)


def prune(
    run: Run,
    keep: Annotated[int, typer.Option(min=0, help="How many of the newest versions stay.")] = KEEP,
    only_live: Annotated[
        bool, typer.Option("--only-live", help="Nothing else stays, not even to roll back to.")
    ] = False,
    json: Json = False,
) -> None:
    """Remove folders."""
    removed = Registry.beside(run).prune(0 if only_live else keep, previous=not only_live)
    _told(json, f"Removed {len(removed)} versions{': ' if removed else ''}{', '.join(removed)}.", removed=removed)


def _told(json: bool, text: str, **values: Any) -> None:
    if json:
        print_json(values)
    else:
        output.print(text, markup=False, soft_wrap=True)
