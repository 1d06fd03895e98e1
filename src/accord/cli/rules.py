"""``accord rules``: check placements against a trained pipeline, and measure what their rules cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from accord.cli.console import make_run, output, print_json
from accord.cli.options import ConfigFile, Json, Preset, Quiet, Seed, chosen_spec
from accord.core.config import parse
from accord.pipeline.artefact import load
from accord.pipeline.placements import load_placements
from accord.study.rule_costs import rule_costs
from accord.study.splitting import SplitSettings

COST = """What each rule, cap, pin and boost of a placement costs, in NDCG@10 of held-back events.

A pipeline is learned without the test events; each placement's lists are then made under all terms, without each one,
and under none. A held-back item that a rule hides counts as missed.

**Examples**

    accord rules cost data/shop --placements placements.toml

    accord rules cost data/films --placements placements.toml --preset balanced --split temporal --json
"""
CHECK = """Check placements against a trained pipeline: the fields that they read must exist and hold what they compare.

**Examples**

    accord rules check runs/shop-live --placements placements.toml
"""
Placements = Annotated[Path, typer.Option(help="TOML file with tables [placements.NAME].")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Rules of placements: check them, measure what they cost.", no_args_is_help=True)
    group.command("cost", help=COST)(cost)
    group.command("check", help=CHECK)(check)
    app.add_typer(group, name="rules")


def cost(
    dataset: Annotated[Path, typer.Argument(help="Dataset folder made by accord import.")],
    placements: Placements,
    preset: Preset = "fast",
    config: ConfigFile = None,
    split: Annotated[str, typer.Option(help="leave-last, temporal or random.")] = "leave-last",
    seed: Seed = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run the job and print one table a placement."""
    settings = parse(SplitSettings, {"split": split}, "accord rules cost")
    run = make_run(seed, quiet=quiet or json)
    found = rule_costs(dataset, load_placements(placements), chosen_spec(preset, config), settings, run)
    if json:
        print_json(found)
        return
    for name, costs in found["placements"].items():
        output.print(_table(name, costs))


def check(
    trained: Annotated[Path, typer.Argument(metavar="RUN", help="Folder made by accord train.")],
    placements: Placements,
    json: Json = False,
) -> None:
    """Print what looks wrong; a field that does not exist or does not fit is an error."""
    pipeline = load(trained)
    found = {name: placement.check(pipeline) for name, placement in load_placements(placements).items()}
    if json:
        print_json(found)
        return
    for name, notes in found.items():
        output.print(f"{name}: {'; '.join(notes) or 'fine'}", markup=False)


def _table(name: str, costs: dict[str, Any]) -> Table:
    title = f"{name}: {costs['n_queries']:,} held-back queries, lists of {costs['n']}"
    table = Table("terms", title=title)
    for column in ("NDCG@10", "gain", "95 %", "Holm p", "short lists"):
        table.add_column(column, justify="right")
    for row in costs["variants"]:
        table.add_row(row["variant"], _mean(row["ndcg@10"]), *_gain(row.get("gain")), f"{row['short']:,}")
    return table


def _mean(figure: dict[str, float | None]) -> str:
    error = "" if figure["se"] is None else f" ±{figure['se']:.4f}"
    return "–" if figure["value"] is None else f"{figure['value']:.4f}{error}"


def _gain(gain: dict[str, float] | None) -> tuple[str, str, str]:
    if gain is None:
        return "", "", ""
    return f"{gain['difference']:+.4f}", f"{gain['low']:+.4f} to {gain['high']:+.4f}", f"{gain['p_holm']:.3g}"
