"""``accord explain``: why an item stands in somebody's list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from accord.cli.console import output, print_json
from accord.cli.options import Json
from accord.core.errors import InputError
from accord.core.queries import Queries
from accord.pipeline.artefact import load
from accord.study.examples import told, told_of
from accord.study.splitting import item_numbers

HELP = """Why these items: what each source adds to the score, and which past events speak for it.

**Examples**

    accord explain runs/films-live --user 196

    accord explain runs/films-live --user 196 --item 50 --json

    accord explain runs/films-live --having 50 --having 181
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain", help=HELP)(run)


def run(
    trained: Annotated[Path, typer.Argument(metavar="RUN", help="Folder made by accord train.")],
    user: Annotated[str | None, typer.Option(help="A user id.")] = None,
    having: Annotated[list[str] | None, typer.Option(help="An item id of an invented history, oldest first.")] = None,
    item: Annotated[list[str] | None, typer.Option(help="Explain these items in place of the list.")] = None,
    n: Annotated[int, typer.Option("-n", min=1, max=200, help="Length of the list.")] = 10,
    json: Json = False,
) -> None:
    """Print the reasons."""
    if (user is None) == (not having):
        raise InputError("say whose list: either --user ID or --having ITEM", place="accord explain")
    pipeline = load(trained)
    if having:
        queries = Queries.of([item_numbers(pipeline.data, having, "--having").tolist()])
    else:
        queries = pipeline.queries([str(user)])
    if item:
        answer = told_of(pipeline, queries, item_numbers(pipeline.data, item, "--item")[None, :])[0]
    else:
        answer = told(pipeline, queries, n)[0]
    print_json(answer) if json else _show(answer)


def _show(answer: dict[str, Any]) -> None:
    output.print(
        f"Newest in the history of {escape(answer['user'])}: {escape(', '.join(answer['history']) or 'nothing')}"
    )
    table = Table("", "title", "score", "reason", "parts", show_lines=True)
    for place, entry in enumerate(answer["list"], 1):
        parts = ", ".join(f"{name} {value:+.2f}" for name, value in entry["sources"].items() if value)
        table.add_row(str(place), escape(entry["title"]), f"{entry['score']:.3f}", escape(entry["reason"]), parts)
    output.print(table)
