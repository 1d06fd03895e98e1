"""Rows that were refused: where they stood, why, and what they said."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

ROW = "__row"
"""The working column that holds a row's place in its source, counted from 1."""
SCHEMA = pl.Schema(
    {"table": pl.String(), "source": pl.String(), "row": pl.Int64(), "reason": pl.String(), "raw": pl.String()}
)
MAX_RAW = 2_000
"""Characters of a refused row that are kept."""


def refused(frame: pl.DataFrame, reason: pl.Series, table: str, place: str) -> pl.DataFrame:
    """The rows of ``frame`` that have a reason, as rejects; ``frame`` is the source as it was read, with ``ROW``."""
    bad = frame.filter(reason.is_not_null())
    values = pl.struct(pl.exclude(ROW)).struct.json_encode() if bad.width > 1 else pl.lit("{}")
    return bad.select(
        table=pl.lit(table),
        source=pl.lit(place),
        row=pl.col(ROW).cast(pl.Int64),
        reason=reason.drop_nulls(),
        raw=values.str.slice(0, MAX_RAW),
    )


def refused_lines(rows: Sequence[tuple[int, str, str]], table: str, place: str) -> pl.DataFrame:
    """Rejects from ``(row, reason, raw text)``: lines that could not even be read as a row."""
    return pl.DataFrame(
        {
            "table": [table] * len(rows),
            "source": [place] * len(rows),
            "row": [row for row, _, _ in rows],
            "reason": [reason for _, reason, _ in rows],
            "raw": [raw[:MAX_RAW] for _, _, raw in rows],
        },
        schema=SCHEMA,
    )


def first_reason(frame: pl.DataFrame, checks: Sequence[tuple[str, pl.Expr]]) -> pl.Series:
    """``String[n]``: the first reason whose condition holds for each row, null for good rows."""
    if not checks:
        return pl.Series("reason", [None] * frame.height, dtype=pl.String)
    cases = [pl.when(condition).then(pl.lit(reason)) for reason, condition in checks]
    return frame.select(reason=pl.coalesce(cases)).to_series()


def gathered(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """All rejects as one table."""
    return pl.concat([pl.DataFrame(schema=SCHEMA), *parts])
