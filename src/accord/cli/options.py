"""Options that several commands share, written once."""

from pathlib import Path
from typing import Annotated

import typer

from accord.pipeline.spec import PipelineSpec, preset, read_spec

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON; errors are JSON too.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Take nothing over from an interrupted run of this job.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Device = Annotated[str, typer.Option(help="Where neural sources learn: auto (a GPU where there is one), cpu, cuda.")]
Track = Annotated[
    str | None,
    typer.Option(help="Keep their losses by epoch: tensorboard:FOLDER, mlflow:ADDRESS or wandb:PROJECT."),
]
TargetOption = Annotated[str, typer.Option("--target", help="What is recommended: items, or users (people to people).")]
LinksOption = Annotated[str | None, typer.Option("--links", help="With --target users: which links join people.")]
Preset = Annotated[str, typer.Option(help="A ready pipeline; see accord presets show.")]
ConfigFile = Annotated[Path | None, typer.Option(help="A pipeline of your own in TOML, in place of a preset.")]


def chosen_spec(name: str, config: Path | None) -> PipelineSpec:
    """The pipeline that the options ask for."""
    return read_spec(config) if config is not None else preset(name)
