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
from accord.pipeline.counterfactual import DEPTH
from accord.pipeline.words import Language
from accord.study.examples import told, told_of
from accord.study.splitting import item_numbers

HELP = """Why these items: what each source adds to the score, and which past events and words speak for it.

**Examples**

    accord explain runs/films-live --user 196

    accord explain runs/films-live --user 196 --item 50 --json

    accord explain runs/films-live --having 50 --having 181

    accord explain runs/films-live --user 196 --lang zh --counterfactual
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
    lang: Annotated[Language, typer.Option(help="Language of the sentences.")] = "en",
    counterfactual: Annotated[
        bool, typer.Option("--counterfactual", help="Also where each item would stand without each of those events.")
    ] = False,
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
        numbers = item_numbers(pipeline.data, item, "--item")[None, :]
        answer = told_of(pipeline, queries, numbers, lang=lang, without=counterfactual)[0]
    else:
        answer = told(pipeline, queries, n, lang=lang, without=counterfactual)[0]
    print_json(answer) if json else _show(answer, counterfactual)


def _show(answer: dict[str, Any], counterfactual: bool) -> None:
    output.print(
        f"Newest in the history of {escape(answer['user'])}: {escape(', '.join(answer['history']) or 'nothing')}"
    )
    columns = ["", "title", "score", "reason", "parts", *(["place without"] if counterfactual else [])]
    table = Table(*columns, show_lines=True)
    for place, entry in enumerate(answer["list"], 1):
        parts = ", ".join(f"{name} {value:+.2f}" for name, value in entry["sources"].items() if value)
        cells = [str(place), escape(entry["title"]), f"{entry['score']:.3f}", escape(entry["reason"]), parts]
        table.add_row(*cells, *([escape(_places(entry))] if counterfactual else []))
    output.print(table)


def _places(entry: dict[str, Any]) -> str:
    """``Alpha: 14; Beta: over 100``."""
    pairs = zip(entry["because"], entry["without"], strict=True)
    return "; ".join(f"{event['title']}: {without['place'] or f'over {DEPTH}'}" for event, without in pairs)
