"""The heads of an evaluation page: errors of ratings, and whether probabilities keep their word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accord.study import charts
from accord.study.charts import Mark
from accord.study.results import FUSED
from accord.study.tables import Cell, Row, Table, words
from accord.study.wording import count, is_number, number, signed

_NAMES = {"rmse": "RMSE", "mae": "MAE", "log_loss": "Log-loss", "auc": "AUC", "brier": "Brier", "ece": "ECE"}
_NOTES = {
    "rating": "RMSE and MAE are errors in units of the rating: lower is better.",
    "click": "Log-loss, Brier score and expected calibration error: lower is better; AUC: higher is better. Where the "
    "log has no impressions, a uniform sample of what was not chosen counts for all of it.",
}


def head_section(name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """What the template needs of one head."""
    measures = str(raw.get("measures"))
    return {
        "name": name,
        "outcomes": count(raw.get("n")),
        "queries": count(raw.get("n_queries")),
        "base": number(raw.get("base")),
        "table": _systems(name, raw, _NOTES.get(measures, "")),
        "comparisons": _comparisons(raw.get("comparisons") or []),
        "chart": _reliability_chart(raw.get("reliability") or []),
        "reliability": _reliability(raw.get("reliability") or []),
    }


def _systems(name: str, raw: Mapping[str, Any], note: str) -> Table:
    systems: Mapping[str, Any] = raw.get("systems") or {}
    metrics = list(dict.fromkeys(metric for figures in systems.values() for metric in figures))
    rows = [
        Row(
            system,
            [Cell(_fine((figures.get(metric) or {}).get("value"))) for metric in metrics],
            FUSED if system == name else "floor",
        )
        for system, figures in systems.items()
    ]
    return Table(
        f"Predictions of {name}",
        [_NAMES.get(metric, str(metric)) for metric in metrics],
        rows,
        first="System",
        note=note,
    )


def _comparisons(rows: Sequence[Mapping[str, Any]]) -> Table:
    drawn = [
        Row(
            f"{row.get('a')} − {row.get('b')}",
            [
                words(_NAMES.get(str(row.get("metric")))),
                Cell(signed(row.get("difference"), 5)),
                Cell(f"{signed(row.get('low'), 5)} to {signed(row.get('high'), 5)}"),
            ],
        )
        for row in rows
    ]
    return Table("Against the floors", ["Metric", "Difference", "95 % interval"], drawn, first="Pair")


def _reliability(bins: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        Row(str(place), [Cell(_fine(row.get(key))) for key in ("said", "came", "share")])
        for place, row in enumerate(bins, start=1)
    ]
    return Table("Reliability", ["Mean probability", "Share chosen", "Part of all"], rows, first="Bin")


def _reliability_chart(bins: Sequence[Mapping[str, Any]]) -> Any:
    """What came against what was said, both as shares of the largest so that rare events fill the frame."""
    known = [row for row in bins if is_number(row.get("said")) and is_number(row.get("came"))]
    top = max((max(row["said"], row["came"]) for row in known), default=0.0)
    if not top:
        return None
    marks = [Mark("", row["came"] / top, "chosen", FUSED, at=row["said"] / top) for row in known]
    summary = "Share chosen against mean probability: " + ", ".join(
        f"{_fine(row['said'])} said, {_fine(row['came'])} came" for row in known
    )
    scale = f"of {_fine(top)}"
    return charts.lines(marks, f"mean probability, {scale}", f"share chosen, {scale}", summary + ".", diagonal=True)


def _fine(value: Any) -> str:
    """Four digits, or four significant ones where the value is small."""
    return f"{value:.4g}" if is_number(value) and 0 < abs(value) < 0.01 else number(value)
