"""The main job on real data: MovieLens 100K from raw files to measured, explained recommendations.

Fetches the data, imports it, evaluates the balanced preset (floors, each source alone, the fused list, segments),
trains what was chosen there for production, and shows three people's lists with the reason for each film.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from rich.markup import escape

from accord.cli.console import Bars, errors, output
from accord.cli.figures import print_evaluation
from accord.core.run import Run
from accord.data.named import load
from accord.pipeline.artefact import load as load_pipeline
from accord.pipeline.artefact import resolved
from accord.pipeline.spec import preset
from accord.study.evaluation import evaluate_dataset
from accord.study.examples import told
from accord.study.splitting import SplitSettings
from accord.study.training import train_dataset

PEOPLE = ("1", "196", "somebody new")


def main(out: Path) -> None:
    """Run the demo; everything it writes lies under ``out``."""
    began = time.perf_counter()
    run = Run(progress=Bars())
    with run.step("fetch and import MovieLens 100K"):
        load("ml-100k", run).save(out / "dataset")
    evaluation = evaluate_dataset(
        out / "dataset", preset("balanced"), SplitSettings(), run, out=out / "evaluation", command="make demo"
    )
    chosen = resolved(evaluation.learned[-1].pipeline)  # what was searched need not be searched again
    train_dataset(out / "dataset", chosen, Run(progress=Bars()), out / "pipeline")
    print_evaluation(evaluation.metrics)
    _show_people(out / "pipeline")
    output.print(f"\nThe report: {out / 'evaluation' / 'report.html'}   The trained pipeline: {out / 'pipeline'}")
    errors.print(f"[dim]{time.perf_counter() - began:.0f} seconds[/dim]")


def _show_people(folder: Path) -> None:
    pipeline = load_pipeline(folder)
    for answer in told(pipeline, pipeline.queries(PEOPLE), 5):
        newest = escape(", ".join(answer["history"][:3]) or "nothing")
        output.print(f"\n[bold]User {escape(answer['user'])}[/bold], newest: {newest}")
        for place, entry in enumerate(answer["list"], 1):
            output.print(f"  {place}. {escape(entry['title'])}: [dim]{escape(entry['reason'])}[/dim]")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
