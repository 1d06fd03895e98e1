"""Parquet files."""

from __future__ import annotations

import gzip
from io import BytesIO
from pathlib import Path

import polars as pl

from accord.data.readers.base import Rows, simplified, unreadable
from accord.data.rejects import ROW


def read(path: Path, table: str, kind: str) -> Rows:
    """Read a Parquet file, also one that was gzipped as a whole."""
    place = str(path)
    try:
        frame = pl.read_parquet(
            BytesIO(gzip.decompress(path.read_bytes())) if kind.endswith(".gz") else path, glob=False
        )
    except (OSError, EOFError, pl.exceptions.PolarsError) as error:
        raise unreadable(place, error) from None
    frame, dropped = simplified(frame)
    return Rows(table, place, kind, frame.with_row_index(ROW, offset=1), dropped=dropped)
