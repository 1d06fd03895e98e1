"""``accord predict``: ratings and click probabilities of given pairs, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import typer

from accord.cli.console import make_run, output, print_json
from accord.cli.options import Json, Quiet
from accord.core.errors import InputError
from accord.study.predicting import predict_pairs

HELP = """Write what a head predicts for pairs of user and item: a rating, or the probability of a choice.

The pipeline must have been trained with a table [heads.NAME]. Columns: user_id, item_id, prediction.

Unknown users are answered as people without history.

**Examples**

    accord predict runs/films-live --pairs pairs.csv --head rating --out predictions.csv

    accord predict runs/shop-live --pairs pairs.parquet --head click --out predictions.parquet --json
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("predict", help=HELP)(run)


def run(
    trained: Annotated[Path, typer.Argument(metavar="RUN", help="Folder made by accord train.")],
    pairs: Annotated[str, typer.Option(help="File with the columns user_id and item_id.")],
    head: Annotated[str, typer.Option(help="Name of the head, as in the pipeline's file.")],
    out: Annotated[Path, typer.Option(help="File to write: .csv or .parquet.")],
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run the job and say what was written."""
    if out.suffix not in (".csv", ".parquet"):
        raise InputError("the file must end in .csv or .parquet", place="--out", value=str(out))
    table = predict_pairs(trained, pairs, head, make_run(0, quiet=quiet or json))
    out.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.csv.write_csv(table, out) if out.suffix == ".csv" else pq.write_table(table, out)
    mean = float(np.mean(table["prediction"].to_numpy())) if table.num_rows else None
    told = {"head": head, "pairs": table.num_rows, "mean": mean, "out": str(out)}
    if json:
        print_json(told)
    else:
        about = f", mean prediction {mean:.4g}" if mean is not None else ""
        output.print(f"{told['pairs']:,} pairs{about}: {out}", markup=False)
