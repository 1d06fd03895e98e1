"""``accord import``: event files and a catalogue in, a dataset folder out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pyarrow.parquet as pq
import typer

from accord.cli.console import make_run, output, print_json
from accord.cli.options import Json, Quiet
from accord.core.config import parse
from accord.core.errors import InputError
from accord.data.formats import FORMATS
from accord.data.importer import Imported, import_data
from accord.data.settings import ImportSettings
from accord.study import import_page

Out = Annotated[Path, typer.Option(help="Dataset folder to write.")]
Files = Annotated[list[str] | None, typer.Argument(metavar="PATH", help="With --from: the folder, archive or files.")]
From = Annotated[str | None, typer.Option("--from", help=f"Read the files of {', '.join(FORMATS)}, given as PATH.")]
Events = Annotated[list[str] | None, typer.Option(help="Event file or SQL URL ending in ?table=NAME; may be repeated.")]
Items = Annotated[str | None, typer.Option(help="Catalogue: item_id, title, description, ...")]
Users = Annotated[str | None, typer.Option(help="User facts: user_id and anything.")]
Links = Annotated[list[str] | None, typer.Option(help="NAME=FILE: head, [relation,] tail; may be repeated.")]
Rename = Annotated[list[str] | None, typer.Option("--map", help="OURS=THEIRS: which column is ours.")]
Order = Annotated[str, typer.Option(help="auto, time, row or none: what orders the events.")]
Weights = Annotated[list[str] | None, typer.Option(help="KIND=WEIGHT of an event, such as purchase=3.")]
MinValue = Annotated[float | None, typer.Option(help="Remove events with a lower value (rating).")]
Center = Annotated[bool, typer.Option("--center", help="Weigh by value minus the user's mean.")]
Dedupe = Annotated[str, typer.Option(help="exact, none, or one event a pair: first, last, sum.")]
KCore = Annotated[int, typer.Option(help="Keep users and items with at least this many events.")]
MaxEvents = Annotated[int | None, typer.Option(help="Refuse users with more events (robots).")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="import")(run_import)


def run_import(
    out: Out,
    files: Files = None,
    source: From = None,
    events: Events = None,
    items: Items = None,
    users: Users = None,
    links: Links = None,
    rename: Rename = None,
    order: Order = "auto",
    weight: Weights = None,
    min_value: MinValue = None,
    center: Center = False,
    dedupe: Dedupe = "exact",
    k_core: KCore = 0,
    max_events: MaxEvents = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read events, items, users and links; check and clean them; write a dataset folder.

    Formats: CSV, TSV, JSONL, Parquet (each also as .gz) and SQL tables. Rows that cannot be used go to rejects.parquet
    with their place and reason and never stop good ones; report.html shows what was found.

    Examples:

        accord import --events ratings.csv --items films.jsonl --out films

        accord import --events views.parquet --events buys.csv --weight purchase=3 --map user_id=uid --out shop

        accord import --events 'sqlite:///shop.db?table=events' --links friends=friends.csv --out shop

        accord import --from recbole dataset/ml-100k --out films

        accord import --from gorse export --weight like=3 --out shop

        accord import --from movielens ml-1m.zip --out films

        accord import --from amazon reviews_Beauty.json.gz meta_Beauty.json.gz --k-core 5 --out beauty
    """
    values = {
        "events": _sources(source, files, events),
        "format": source,
        "items": items,
        "users": users,
        "links": _pairs(links, "--links"),
        "map": _pairs(rename, "--map"),
        "order": order,
        "weights": _pairs(weight, "--weight"),
        "min_value": min_value,
        "center": center,
        "dedupe": dedupe,
        "k_core": k_core,
        "max_events": max_events,
    }
    imported = import_data(parse(ImportSettings, values, "accord import"), make_run(0, quiet=quiet or as_json))
    _write(imported, out)
    _tell(imported, out, as_json=as_json)


def _sources(source: str | None, files: list[str] | None, events: list[str] | None) -> list[str]:
    """The paths of the format, or the event files. Raises ``InputError`` where neither or both are given."""
    if source is not None and events:
        raise InputError("give either --from FORMAT PATH or --events FILE", place="accord import", value=events)
    given = files if source is not None else events
    if not given or (source is None and files):
        remedy = "Give --events FILE, or --from FORMAT PATH."
        raise InputError("which files to read is not said", place="accord import", value=files or [], remedy=remedy)
    return given


def _pairs(options: list[str] | None, name: str) -> dict[str, str]:
    """``["a=b"]`` as ``{"a": "b"}``. Raises ``InputError`` where the sign or a side is missing."""
    pairs: dict[str, str] = {}
    for option in options or []:
        left, sign, right = option.partition("=")
        if not (left and sign and right):
            raise InputError("two names with = between are wanted", place=name, value=option)
        pairs[left] = right
    return pairs


def _write(imported: Imported, out: Path) -> None:
    try:
        imported.dataset.save(out)
        pq.write_table(imported.rejects, out / "rejects.parquet")
        report = json.dumps(imported.report, ensure_ascii=False, indent=2)
        (out / "report.json").write_text(report + "\n", encoding="utf-8")
        (out / "report.html").write_text(import_page.render(imported.report), encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror})", place=str(out), remedy="Give another --out."
        ) from None


def _tell(imported: Imported, out: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"out": str(out), **imported.report})
    else:
        _summary(imported, out)


def _summary(imported: Imported, out: Path) -> None:
    report: dict[str, Any] = imported.report
    counts = report["counts"]
    output.print(
        f"{counts['events']:,} events of {counts['users']:,} users on {counts['items']:,} items "
        f"({counts['cold_items']:,} without events), order: {report['order']['kind']}"
    )
    for row in report["rejects"]:
        output.print(f"refused {row['rows']:,} {row['table']} rows: {row['reason']} ({row['example']})", markup=False)
    for step in report["removed"]:
        if step["events"]:
            output.print(f"removed {step['events']:,} events: {step['step']}", markup=False)
    for sentence in report["advice"]:
        output.print(f"advice: {sentence}", markup=False)
    output.print(f"wrote {out} (report.html, rejects.parquet)", markup=False)
