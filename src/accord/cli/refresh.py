"""``accord refresh``: learn from what the store holds, and publish what is not worse."""

from __future__ import annotations

import json as json_format
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from accord.cli.console import errors, make_run, output, print_json
from accord.cli.options import Fresh, Json, Quiet, Seed
from accord.core.config import parse
from accord.core.errors import InputError
from accord.data.store import open_store
from accord.pipeline.spec import PipelineSpec, preset, read_spec
from accord.registry.registry import KEEP
from accord.study.refreshing import Refreshed, Wishes, refresh
from accord.study.schedule import Tally, repeat, seconds_of
from accord.study.splitting import SplitSettings

WORSE = 3
"""The exit code where the candidate was not promoted although that was wished for."""
HELP = """Train anew on the store's events, compare with the live version, and go live if not worse.

The newest events are held back. Both versions answer the same questions about them, with the same histories; the new
one is published where its NDCG@10 is not lower by more than one standard error of the difference. A server on the same
run notices it by itself. The live version's hyper-parameters are kept, unless a preset or a configuration is given.

Exit codes: 0 promoted, published as asked, or too little new to do anything; 3 kept as a candidate because it is worse.
Interrupted, the same command run again goes on where it stopped.

**Examples**

    accord refresh runs/shop-live --store sqlite:///runs/shop-live.store.db

    accord refresh runs/shop-live --every 6h

    accord refresh runs/shop-live --preset balanced --no-promote
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("refresh", help=HELP)(run_refresh)


def run_refresh(
    run: Annotated[Path, typer.Argument(help="A trained run, or its registry.")],
    store: Annotated[str | None, typer.Option(help="URL of the store; by default SQLite beside the run.")] = None,
    preset_name: Annotated[str | None, typer.Option("--preset", help="Another pipeline; see accord presets.")] = None,
    config: Annotated[Path | None, typer.Option(help="Another pipeline in TOML, in place of a preset.")] = None,
    split: Annotated[str | None, typer.Option(help="What validates: leave-last, temporal or random.")] = None,
    promote: Annotated[bool, typer.Option(help="Whether a candidate that is not worse goes live.")] = True,
    keep: Annotated[
        int, typer.Option(min=0, help="Newest versions kept, beside the live one and the one before.")
    ] = KEEP,
    every: Annotated[str | None, typer.Option(help="Again and again, such as 30m, 6h or 1d, until SIGTERM.")] = None,
    seed: Seed = 0,
    fresh: Fresh = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run the job once, or on a schedule."""
    kind = parse(SplitSettings, {"split": split}, "accord refresh").split if split else None
    wishes = Wishes(_spec(preset_name, config), kind, promote, keep)
    opened = open_store(store or default_store(run), create=False)
    try:
        if every is None:
            _once(refresh(run, opened, make_run(seed, quiet=quiet or json), wishes, fresh=fresh), json=json)
        else:
            _scheduled(run, opened, wishes, seconds_of(every), seed, json=json, quiet=quiet)
    finally:
        opened.close()


def default_store(run: Path) -> str:
    """The SQLite file beside a run that ``accord serve`` makes."""
    place = run.resolve()
    return f"sqlite:///{place.with_name(place.name.removesuffix('.registry') + '.store.db')}"


def _spec(name: str | None, config: Path | None) -> PipelineSpec | None:
    if name and config:
        raise InputError("give either --preset or --config", place="accord refresh", value=[name, str(config)])
    return read_spec(config) if config else preset(name) if name else None


def _once(done: Refreshed, *, json: bool) -> None:
    if json:
        print_json(asdict(done))
    else:
        output.print(_line(done), markup=False, soft_wrap=True)
    if done.outcome == "kept":
        raise typer.Exit(WORSE)


def _line(done: Refreshed) -> str:
    text = f"{str(done)[0].upper()}{str(done)[1:]}"
    return text if done.tombstones is not None or done.outcome != "promoted" else f"{text} {HELD}"


HELD = "Older versions still hold people who were erased; they go with accord models prune."


def _scheduled(run: Path, store: Any, wishes: Wishes, interval: float, seed: int, *, json: bool, quiet: bool) -> None:
    """Until somebody stops it; one line a run, as JSON where that is wished for."""
    signal.signal(signal.SIGTERM, _stop)

    def done(result: Refreshed, tally: Tally) -> None:
        if json:
            _json_line({**asdict(result), **asdict(tally)})
        else:
            output.print(_line(result), markup=False, soft_wrap=True)

    def failed(error: Exception, tally: Tally) -> None:
        if json:
            _json_line({"outcome": "failed", "reason": str(error), **asdict(tally)})
        else:
            told = f"accord: refresh {tally.runs} failed ({tally.failures} failed so far): {error}"
            errors.print(told, markup=False, soft_wrap=True)

    repeat(lambda: refresh(run, store, make_run(seed, quiet=quiet or json), wishes), interval, done, failed)


def _json_line(values: dict[str, Any]) -> None:
    sys.stdout.write(json_format.dumps(values, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _stop(*_: Any) -> NoReturn:
    """Stop at once: what is finished of a refresh lies on the disk, and the next one goes on with it."""
    sys.exit(0)
