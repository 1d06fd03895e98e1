"""``accord tune``: better values for the settings of a pipeline, sought on validation."""

from __future__ import annotations

import math
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from accord.cli import options
from accord.cli.console import make_run, output, print_json
from accord.core.config import parse
from accord.core.errors import InputError
from accord.study.resuming import inside, resumable
from accord.study.splitting import SplitSettings
from accord.study.trial_study import Budget
from accord.study.tuning import tune_dataset

HELP = """Search better values for the settings of a pipeline, by the NDCG@10 of its list on held-back events.

What is searched stands in the table [tune.space] of the pipeline's file; without one, the choices of [search.values].
One half of the validation queries judges the trials, the other half says in the end whether the best values hold. The
test is never looked at. Writes best.toml (for --config), tuning.json, trials.csv, report.html and the study, study.db:
the same command goes on where it was stopped, and with more --trials it goes further.

**Examples**

    accord tune data/shop --preset fast --trials 30 --out runs/tuned

    accord tune data/shop --config mine.toml --time 30m --out runs/tuned

    accord tune data/shop --config mine.toml --source ease --out runs/ease

    accord evaluate data/shop --config runs/tuned/best.toml --out runs/evaluation
"""
UNITS = {"h": 3600, "m": 60, "s": 1}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("tune", help=HELP)(run)


def run(
    dataset: Annotated[Path, typer.Argument(help="Dataset folder made by accord import.")],
    out: Annotated[Path, typer.Option(help="Folder for the results and the study.")],
    preset: options.Preset = "balanced",
    config: options.ConfigFile = None,
    trials: Annotated[int, typer.Option(min=1, help="How many trials, those before an interruption included.")] = 50,
    time: Annotated[str | None, typer.Option(help="Begin no trial after so long, as in 90s, 30m, 1h30m.")] = None,
    source: Annotated[str | None, typer.Option(help="Tune this source alone, by its own list.")] = None,
    prune: Annotated[bool, typer.Option(help="Give up trials whose searched sources stay behind alone.")] = True,
    target: options.TargetOption = "items",
    links: options.LinksOption = None,
    split: Annotated[str, typer.Option(help="leave-last, temporal or random.")] = "leave-last",
    train: Annotated[str | None, typer.Option(help="Training events of an official split.")] = None,
    valid: Annotated[str | None, typer.Option(help="Its validation events; cut from training if absent.")] = None,
    test: Annotated[str | None, typer.Option(help="Its test events, which are left out.")] = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    track: options.Track = None,
    fresh: options.Fresh = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Run the job and print what changed."""
    given = {"target": target, "links": links, "split": split, "train": train, "valid": valid, "test": test}
    settings = parse(SplitSettings, given, "accord tune")
    spec = options.chosen_spec(preset, config)
    budget = Budget(trials, math.inf if time is None else seconds_of(time))
    command = shlex.join(["accord", *sys.argv[1:]])
    with resumable(make_run(seed, quiet=quiet or json, device=device, track=track), inside(out), fresh=fresh) as job:
        tuning = tune_dataset(
            dataset, spec, settings, job, out, budget, alone=source, prune=prune, fresh=fresh, command=command
        )
    if json:
        print_json(tuning.facts)
    else:
        _print(tuning.facts)
        output.print(f"Report: {out / 'report.html'}; the pipeline: {out / 'best.toml'}", markup=False)


def seconds_of(text: str) -> float:
    """Seconds of a duration such as ``90s``, ``30m``, ``1h30m``; a bare number counts seconds.

    Raises ``InputError`` for anything else.
    """
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text.strip())
    parts = dict(zip(UNITS, found.groups(), strict=True)) if found else {}
    total = sum(int(value) * UNITS[unit] for unit, value in parts.items() if value)
    if not total:
        raise InputError("not a duration", place="--time", value=text, remedy="As in 90s, 30m or 1h30m.")
    return float(total)


def _print(facts: dict[str, Any]) -> None:
    """The searched values, and the figures on both halves."""
    table = Table(title=f"the searched values (trials: {len(facts['trials'])})")
    for column in ("setting", "untuned", "best"):
        table.add_column(column)
    for entry in facts["values"]:
        table.add_row(entry["path"], str(entry["untuned"]), str(entry["best"]))
    output.print(table)
    a, b = facts["half_a"], facts["half_b"]
    output.print(f"Half A (judged the trials): NDCG@10 {a['untuned']:.4f} untuned, {a['best']:.4f} best")
    output.print(
        f"Half B (seen by no trial):  NDCG@10 {b['untuned']['value']:.4f} untuned, {b['best']['value']:.4f} best, "
        f"difference {b['difference']:+.4f} (95 % {b['low']:+.4f} to {b['high']:+.4f})"
    )
