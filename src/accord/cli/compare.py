"""``accord compare``: which of several pipelines is best, and what each costs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from accord.cli import options
from accord.cli.console import make_run, output, print_json
from accord.cli.figures import print_comparison
from accord.core.config import parse
from accord.study.comparing import compare_dataset, named_specs
from accord.study.resuming import inside, resumable
from accord.study.splitting import SplitSettings

HELP = """Learn and measure several pipelines on the very same test queries, each in a process of its own.

Writes comparison.json and report.html (quality against time, memory as area), and each pipeline's own evaluation under
pipelines/. Differences have paired intervals, corrected by Holm. Each reading of the test is logged.
Interrupted, the same command run again goes on with what is missing.

**Examples**

    accord compare data/shop --presets fast balanced --out comparisons/shop

    accord compare data/shop --presets fast --configs a.toml b.toml --split temporal --out comparisons/mine

    accord compare data/films fast balanced mine.toml --against balanced --no-refit --out comparisons/films
"""

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="PIPELINE", help="Presets by name and TOML files, at least two. Presets come first."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare", help=HELP)(run)


def run(
    dataset: Annotated[Path, typer.Argument(help="Dataset folder made by accord import.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    pipelines: Names = None,
    presets: Annotated[list[str] | None, typer.Option(help="Presets to compare.")] = None,
    configs: Annotated[list[str] | None, typer.Option(help="Pipelines of your own, in TOML.")] = None,
    against: Annotated[
        str | None, typer.Option(help="With which the others are compared; the first if absent.")
    ] = None,
    target: options.TargetOption = "items",
    links: options.LinksOption = None,
    split: Annotated[str, typer.Option(help="leave-last, temporal or random.")] = "leave-last",
    cuts: Annotated[int, typer.Option(min=1, max=8, help="Rolling cuts of a temporal split.")] = 1,
    train: Annotated[str | None, typer.Option(help="Training events of an official split.")] = None,
    valid: Annotated[str | None, typer.Option(help="Its validation events; cut from training if absent.")] = None,
    test: Annotated[str | None, typer.Option(help="Its test events.")] = None,
    cold_items: Annotated[str | None, typer.Option(help="Fraction of items, or a file with one id a line.")] = None,
    cold_users: Annotated[float | None, typer.Option(help="Share of users of whom nothing is learned.")] = None,
    refit: Annotated[bool, typer.Option(help="Use the validation events in the final fit (papers do not).")] = True,
    shared_cache: Annotated[
        bool, typer.Option("--shared-cache", help="Take encoded content from the cache; its time is then not counted.")
    ] = False,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    track: options.Track = None,
    fresh: options.Fresh = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Run the job and print its tables."""
    values = {"target": target, "links": links, "split": split, "cuts": cuts, "train": train, "valid": valid}
    values |= {"test": test, "cold_items": cold_items, "cold_users": cold_users}
    settings = parse(SplitSettings, values, "accord compare")
    named, files = sorted_out(pipelines or ())
    specs = named_specs([*(presets or ()), *named], [Path(file) for file in (*(configs or ()), *files)])
    with resumable(make_run(seed, quiet=quiet or json, device=device, track=track), inside(out), fresh=fresh) as job:
        comparison = compare_dataset(
            dataset,
            specs,
            settings,
            job,
            out,
            against=against,
            refit=refit,
            shared_cache=shared_cache,
            fresh=fresh,
            command=shlex.join(["accord", *sys.argv[1:]]),
        )
    if json:
        print_json(comparison)
    else:
        print_comparison(comparison)
        output.print(f"Report: {out / 'report.html'}", markup=False)


def sorted_out(pipelines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Presets and files, as they stand on the command line after ``--presets`` and ``--configs`` or alone."""
    files = [name for name in pipelines if name.endswith(".toml") or Path(name).is_file()]
    return [name for name in pipelines if name not in files], files
