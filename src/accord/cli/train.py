"""``accord train``: a pipeline for production."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from accord.cli import options
from accord.cli.console import make_run, output, print_json
from accord.cli.together import helps, training
from accord.core.config import parse
from accord.data.people import Target
from accord.pipeline.artefact import read_card
from accord.study.splitting import SplitSettings
from accord.study.training import train_dataset

HELP = """Learn a pipeline: choose on held-back events, refit on all of them, save a folder without pickles.

Interrupted, the same command run again goes on where it stopped. Under torchrun all processes train each network
together, and the first one writes.

**Examples**

    accord train data/shop --out runs/shop-live

    accord train data/shop --preset fast --split temporal --out runs/shop-live

    accord train data/shop --config my-pipeline.toml --out runs/mine

    accord train data/music --target users --links friends --preset people --out runs/friends-live

    torchrun --nproc-per-node 2 --no-python accord train data/shop --preset best --out runs/shop-best
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train", help=HELP)(run)


def run(
    dataset: Annotated[Path, typer.Argument(help="Dataset folder made by accord import.")],
    out: Annotated[Path, typer.Option(help="Folder of the trained pipeline.")],
    preset: options.Preset = "balanced",
    config: options.ConfigFile = None,
    target: options.TargetOption = "items",
    links: options.LinksOption = None,
    split: Annotated[
        str | None, typer.Option(help="What validates: leave-last, temporal or random; by default what the log allows.")
    ] = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    track: options.Track = None,
    fresh: options.Fresh = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Run the job and say what was chosen."""
    kind = parse(SplitSettings, {"split": split}, "accord train").split if split else None
    whom = parse(Target, {"target": target, "links": links}, "accord train")
    spec = options.chosen_spec(preset, config)
    started = make_run(seed, quiet=quiet or json, device=device, track=track)
    with training(started, out, fresh=fresh) as (job, place):
        learned = train_dataset(dataset, spec, job, place, split=kind, target=whom)
    if helps():
        return
    if json:
        print_json(read_card(out))
        return
    output.print(
        f"Trained {', '.join(learned.pipeline.sources)}; fused by {type(learned.pipeline.fuser).__name__.lower()}."
    )
    for name, reason in {**learned.dropped, **learned.skipped}.items():
        output.print(f"Left out {name}: {reason}", markup=False)
    output.print(f"Saved: {out}", markup=False)
