"""``accord similar``: items like a given one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.markup import escape
from rich.table import Table

from accord.cli.console import output, print_json
from accord.cli.options import Json
from accord.pipeline.artefact import load
from accord.pipeline.reasons import titles_of
from accord.study.splitting import item_numbers

HELP = """Items like the given ones: what the pipeline would show to somebody who had just that item.

**Examples**

    accord similar runs/films-live --item 50

    accord similar runs/films-live --item 50 --item 181 -n 5 --json
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("similar", help=HELP)(run)


def run(
    trained: Annotated[Path, typer.Argument(metavar="RUN", help="Folder made by accord train.")],
    item: Annotated[list[str], typer.Option(help="An item id; may be given several times.")],
    n: Annotated[int, typer.Option("-n", min=1, max=1_000, help="How many.")] = 10,
    json: Json = False,
) -> None:
    """Print the neighbours."""
    pipeline = load(trained)
    numbers = item_numbers(pipeline.data, item, "--item")
    slate, titles = pipeline.similar(numbers, n), titles_of(pipeline.data.items)
    lists = [
        [
            {"item_id": str(pipeline.data.item_ids[other]), "title": titles[other], "score": float(score)}
            for other, score in zip(slate.items[row], slate.column("score")[row], strict=True)
            if other >= 0
        ]
        for row in np.arange(len(slate))
    ]
    if json:
        print_json([{"item_id": name, "similar": similar} for name, similar in zip(item, lists, strict=True)])
        return
    for number, similar in zip(numbers, lists, strict=True):
        table = Table("", "item", "title", "score", title=f"Like {escape(titles[number])}", title_justify="left")
        for place, entry in enumerate(similar, 1):
            table.add_row(str(place), escape(entry["item_id"]), escape(entry["title"]), f"{entry['score']:.3f}")
        output.print(table)
