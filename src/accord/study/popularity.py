"""The popularity curve: how much of the events, and of what is recommended, the most popular items take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from accord.study import charts
from accord.study.charts import Mark
from accord.study.tables import Cell, Row, Table
from accord.study.wording import percent

_SERIES = (("events", "events", "source"), ("recommended", "recommended", "fused"))
_TOPS = (0.01, 0.1, 0.2, 0.5)


def popularity_section(curve: Mapping[str, Any] | None) -> dict[str, Any]:
    """Chart and table of a curve ``{"items": shares, "events": shares, "recommended": shares}``, most popular first."""
    curve = curve or {}
    known = [(name, kind, _points(curve, key)) for key, name, kind in _SERIES]
    drawn = [(name, kind, points) for name, kind, points in known if len(points) > 1]
    marks = [Mark("", float(y), name, kind, at=float(x)) for name, kind, points in drawn for x, y in points]
    summary = "Share taken by the most popular items, of " + " and of ".join(name for name, _, _ in drawn) + "."
    return {
        "chart": charts.lines(marks, "most popular items", "share taken", summary, diagonal=True),
        "table": _table([(name, points) for name, _, points in drawn]),
    }


def _points(curve: Mapping[str, Any], key: str) -> np.ndarray:
    """``float64[P, 2]``: finite points of one curve, by share of items."""
    across, up = (np.asarray(curve.get(name) or [], dtype=np.float64) for name in ("items", key))
    n = min(len(across), len(up))
    points = np.column_stack([across[:n], up[:n]])
    return points[np.isfinite(points).all(axis=1)]


def _table(drawn: list[tuple[str, np.ndarray]]) -> Table:
    rows = [
        Row(f"top {percent(top, 0)}", [Cell(percent(float(np.interp(top, *points.T)))) for _, points in drawn])
        for top in _TOPS
    ]
    return Table(
        "Share taken by the most popular items",
        [f"Share of {n}" for n, _ in drawn],
        rows if drawn else [],
        first="Items",
    )
