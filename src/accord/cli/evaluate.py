"""``accord evaluate``: how good would it be, honestly."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from accord.cli import options
from accord.cli.console import make_run, output, print_json
from accord.cli.figures import print_evaluation
from accord.core.config import parse
from accord.study import resuming
from accord.study.evaluation import evaluate_dataset
from accord.study.inside import Inside
from accord.study.splitting import SplitSettings

HELP = """Split the log, learn as in production, rank the whole catalogue, and measure every source and the fused list.

Writes metrics.json, recommendations.parquet, pipeline.toml and report.html. Each reading of the test is logged.
Interrupted, the same command run again goes on where it stopped.

**Examples**

    accord evaluate data/shop --out runs/shop

    accord evaluate data/films --preset fast --split temporal --cuts 5 --out runs/films

    accord evaluate data/beauty --cold-items cold_items.txt --out runs/cold

    accord evaluate data/gowalla --train train.csv --test test.csv --out runs/official

    accord evaluate data/music --target users --links friends --preset people --out runs/friends
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate", help=HELP)(run)


def run(
    dataset: Annotated[Path, typer.Argument(help="Dataset folder made by accord import.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    preset: options.Preset = "balanced",
    config: options.ConfigFile = None,
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
    ablation: Annotated[bool, typer.Option("--ablation", help="Also measure the list without each source.")] = False,
    inside: Annotated[
        Inside, typer.Option(help="Maps of vectors on the page: pca, umap (slow; extra inside), or off for no look.")
    ] = "pca",
    seed: options.Seed = 0,
    device: options.Device = "auto",
    track: options.Track = None,
    fresh: options.Fresh = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Run the job and print its main table."""
    settings = parse(
        SplitSettings,
        {
            "target": target,
            "links": links,
            "split": split,
            "cuts": cuts,
            "train": train,
            "valid": valid,
            "test": test,
            "cold_items": cold_items,
            "cold_users": cold_users,
        },
        "accord evaluate",
    )
    spec = options.chosen_spec(preset, config)
    command = shlex.join(["accord", *sys.argv[1:]])
    started = make_run(seed, quiet=quiet or json, device=device, track=track)
    with resuming.resumable(started, resuming.inside(out), fresh=fresh) as job:
        evaluation = evaluate_dataset(
            dataset, spec, settings, job, refit=refit, ablation=ablation, inside=inside, out=out, command=command
        )
    if json:
        print_json(evaluation.metrics)
    else:
        print_evaluation(evaluation.metrics)
        output.print(f"Report: {out / 'report.html'}", markup=False)
