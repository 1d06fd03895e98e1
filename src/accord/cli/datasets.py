"""``accord datasets``: public data sets by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from accord.cli.console import make_run, output, print_json
from accord.cli.options import Json, Quiet
from accord.core.errors import InputError
from accord.data import named

datasets = typer.Typer(help="Public data sets: list them, fetch one.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(datasets, name="datasets")


@datasets.command("list")
def show(as_json: Json = False) -> None:
    """List the public data sets: name, size, home page, terms.

    Example:

        accord datasets list
    """
    rows = [_facts(found) for found in named.SETS.values()]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        output.print(f"{row['name']}: {row['about']}\n  {row['size']}\n  {row['home']}\n  {row['terms']}", markup=False)


@datasets.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Name of the set, as listed.")],
    out: Annotated[Path | None, typer.Option(help="Import it into this dataset folder.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fetch a data set from its publisher, verify and cache it; with --out, import it too.

    Examples:

        accord datasets fetch ml-100k

        accord datasets fetch ml-100k --out films
    """
    run = make_run(0, quiet=quiet or as_json)
    found: dict[str, Any] = {**_facts(named.find(name)), "files": str(named.fetch(name, run))}
    if out is not None:
        try:
            named.load(name, run).save(out)
        except OSError as error:
            raise InputError(f"cannot be written ({error.strerror})", place=str(out)) from None
        found["out"] = str(out)
    if as_json:
        print_json(found)
        return
    output.print(f"{name}: {found['files']}\nterms: {found['terms']}", markup=False)
    if out is not None:
        output.print(f"wrote {out}", markup=False)


def _facts(found: named.NamedSet) -> dict[str, str]:
    return {name: getattr(found, name) for name in ("name", "about", "size", "home", "terms")}
