"""``accord presets``: the ready pipelines."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from accord.cli.console import output, print_json
from accord.cli.options import Json
from accord.pipeline.spec import preset, preset_descriptions, preset_text

SHOW = """The TOML of a preset: the starting point of a pipeline of your own.

**Examples**

    accord presets show

    accord presets show balanced > my-pipeline.toml
"""


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Ready pipelines.", no_args_is_help=True)
    group.command("list", help="Names and one line each.")(list_presets)
    group.command("show", help=SHOW)(show)
    app.add_typer(group, name="presets")


def list_presets(json: Json = False) -> None:
    """Print names and descriptions."""
    found = preset_descriptions()
    if json:
        print_json(found)
        return
    table = Table("preset", "what it is")
    for name, description in found.items():
        table.add_row(name, description)
    output.print(table)


def show(
    name: Annotated[str | None, typer.Argument(help="A preset; without it all are listed.")] = None,
    json: Json = False,
) -> None:
    """Print the TOML of one preset, or the list."""
    if name is None:
        list_presets(json=json)
    elif json:
        print_json(preset(name).model_dump(mode="json"))
    else:
        typer.echo(preset_text(name), nl=False)
