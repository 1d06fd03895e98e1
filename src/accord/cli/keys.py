"""``accord keys``: who may call the service."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from accord.cli.console import output, print_json
from accord.cli.options import Json
from accord.serve.keys import create_key, read_keys, revoke_key, rotate_key

HELP = """API keys of the service, kept as hashes in a file that only you can read.

A running server reads the file again when it changes. Scopes: read (lists, reasons, metrics), write (events, feedback,
items, users), admin (versions of the model, erasure); none includes another.

**Examples**

    accord keys create keys.json --name shop --scope read,write

    accord keys list keys.json

    accord keys rotate keys.json --name shop --grace-hours 24

    accord keys revoke keys.json --name shop
"""

KeyPath = Annotated[Path, typer.Argument(metavar="FILE", help="File of keys; create makes it.")]
Name = Annotated[str, typer.Option(help="Who holds the key.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    keys = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode="markdown")
    for name, command in (("create", create), ("list", listing), ("rotate", rotate), ("revoke", revoke)):
        keys.command(name)(command)
    app.add_typer(keys, name="keys")


def create(
    file: KeyPath,
    name: Name,
    scope: Annotated[str, typer.Option(help="Scopes, with commas: read, write, admin.")] = "read",
    json: Json = False,
) -> None:
    """Make a key and show it, this once."""
    _show(create_key(file, name, [part.strip() for part in scope.split(",") if part.strip()]), as_json=json)


def rotate(
    file: KeyPath,
    name: Name,
    grace_hours: Annotated[float, typer.Option(min=0, help="Hours for which the old key still opens.")] = 24.0,
    json: Json = False,
) -> None:
    """Make a new key of the same name and scopes, and end the old one after a while."""
    _show(rotate_key(file, name, timedelta(hours=grace_hours)), as_json=json)


def revoke(
    file: KeyPath, name: Annotated[str, typer.Option(help="Name of the holder, or id of one key.")], json: Json = False
) -> None:
    """End a key at once."""
    ended = revoke_key(file, name)
    print_json({"ended": ended}) if json else output.print(f"Ended {ended} of the keys.", markup=False)


def listing(file: KeyPath, json: Json = False) -> None:
    """Show the keys without their secrets."""
    keys = [key.model_dump(mode="json", exclude={"hash"}) for key in read_keys(file)]
    if json:
        print_json(keys)
        return
    table = Table("name", "id", "scopes", "created", "ends")
    for key in keys:
        table.add_row(
            escape(key["name"]), key["id"], ", ".join(key["scopes"]), key["created"][:19], (key["ends"] or "")[:19]
        )
    output.print(table)


def _show(text: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"key": text})
        return
    output.print(text, markup=False, highlight=False, soft_wrap=True)
    output.print("Keep it now: only its hash was written.", markup=False)
