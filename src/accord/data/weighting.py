"""How much an event counts: its kind, and its value against the user's mean."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from accord.core import columns as c


def weighted(events: pl.DataFrame, kinds: dict[str, float]) -> pl.DataFrame:
    """With ``weight`` (float32) by the kind of event; kinds that are not named weigh 1."""
    if c.EVENT not in events.columns or not kinds:
        return events.with_columns(pl.lit(1.0, pl.Float32).alias(c.WEIGHT))
    weight = pl.col(c.EVENT).replace_strict(kinds, default=1.0, return_dtype=pl.Float32)
    return events.with_columns(weight.alias(c.WEIGHT))


def centered(events: pl.DataFrame) -> pl.DataFrame:
    """Weights times (value - the user's mean value); an event without a value keeps its weight."""
    if c.VALUE not in events.columns:
        return events
    value = pl.col(c.VALUE).cast(pl.Float64)
    away = value - value.mean().over(c.USER_NUMBER)
    return events.with_columns((pl.col(c.WEIGHT) * away.fill_null(1.0)).cast(pl.Float32).alias(c.WEIGHT))


def weights_by_kind(events: pa.Table) -> dict[str, float]:
    """The weight of each kind of event, as an import was told; kinds whose events weigh differently are left out."""
    if c.EVENT not in events.column_names:
        return {}
    frame = pl.DataFrame(pl.from_arrow(events.select([c.EVENT, c.WEIGHT]))).drop_nulls()
    weight = pl.col(c.WEIGHT)
    kinds = frame.group_by(c.EVENT).agg(weight.first(), weight.n_unique().alias("n")).filter(pl.col("n") == 1)
    return {str(kind): float(value) for kind, value in sorted(kinds.select(c.EVENT, c.WEIGHT).rows())}
