"""``accord recommend``: lists for many people, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pyarrow.parquet as pq
import typer

from accord.cli.console import make_run, output, print_json
from accord.cli.options import Json, Quiet
from accord.core.config import parse
from accord.core.errors import InputError
from accord.study.recommending import Request, recommend_batch

HELP = """Write the best items of many users to a Parquet file.

Columns: user_id, item_id, rank (from 1), score, and one a source.

Unknown users get a sensible list. Items seen before are left out unless asked for.

**Examples**

    accord recommend runs/shop-live --all-users -n 20 --out recs.parquet

    accord recommend runs/shop-live --users users.txt --candidates in-stock.txt --out recs.parquet

    accord recommend runs/shop-live --users users.txt --history newest-events.csv --out recs.parquet

    accord recommend runs/friends-live --target users --all-users --out people.parquet
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("recommend", help=HELP)(run)


def run(
    trained: Annotated[Path, typer.Argument(metavar="RUN", help="Folder made by accord train.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    users: Annotated[str | None, typer.Option(help="File with one user id a line.")] = None,
    all_users: Annotated[bool, typer.Option("--all-users", help="Everybody the pipeline knows.")] = False,
    n: Annotated[int, typer.Option("-n", min=1, max=10_000, help="Items a user.")] = 20,
    candidates: Annotated[str | None, typer.Option(help="File with the only item ids that may be shown.")] = None,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Items of the history may come up again.")
    ] = False,
    history: Annotated[
        str | None, typer.Option(help="Event file that replaces what is known of the users in it.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Insist on what the run recommends: items, or users (people to people).")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run the job and say how much was written."""
    if (users is None) == (not all_users):
        raise InputError("say whom to recommend to: either --users FILE or --all-users", place="accord recommend")
    rules = {"users": users, "n": n, "candidates": candidates, "include_seen": include_seen, "history": history}
    request = parse(Request, {**rules, "target": target}, "accord recommend")
    table = recommend_batch(trained, request, make_run(0, quiet=quiet or json))
    out.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, out)
    told = {"users": len(table["user_id"].unique()), "rows": table.num_rows, "out": str(out)}
    if json:
        print_json(told)
    else:
        output.print(f"{told['rows']:,} rows for {told['users']:,} users: {out}", markup=False)
