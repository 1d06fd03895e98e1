"""The ablation of an evaluation page: what the list loses without each source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accord.study import charts
from accord.study.charts import Mark
from accord.study.results import estimate, label
from accord.study.tables import Cell, Row, Table, words
from accord.study.verdict import outcome
from accord.study.wording import count, is_number, number, p_value, signed

_READINGS = {
    "better": "the source helps",
    "worse": "the source harms",
    "hint": "not sure after correction",
    "even": "within noise",
    "unknown": "not tested",
}


def ablation_section(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What the template needs of ``metrics["ablation"]``; nothing is drawn where it is empty."""
    rows: list[Mapping[str, Any]] = list(raw.get("comparisons") or [])
    lead = str(rows[0].get("metric")) if rows else ""
    return {
        "queries": count(raw.get("n_queries")),
        "lead": label(lead) if lead else "",
        "table": _table(raw, rows),
        "chart": _chart([row for row in rows if row.get("metric") == lead], lead),
    }


def _table(raw: Mapping[str, Any], rows: list[Mapping[str, Any]]) -> Table:
    systems: Mapping[str, Any] = raw.get("systems") or {}
    drawn = [_row(row, (systems.get(str(row.get("b"))) or {}).get(row.get("metric"))) for row in rows]
    columns = ["Metric", "Value without", "Lost without it", "95 % interval", "p (Holm)", "Reading"]
    note = "What the fused list has above the list without the source: positive where the source helps."
    return Table("The list without each source", columns, drawn, first="List", note=note)


def _row(row: Mapping[str, Any], value: Any) -> Row:
    found, without = outcome(row), estimate(value)
    cells = [
        words(label(str(row.get("metric") or ""))),
        Cell(number(without.value if without else None)),
        Cell(signed(row.get("difference")), best=found == "better"),
        Cell(f"{signed(row.get('low'))} to {signed(row.get('high'))}"),
        Cell(p_value(row.get("p_holm"))),
        words(_READINGS[found]),
    ]
    return Row(str(row.get("b")), cells, "quiet" if found in ("even", "unknown") else "source")


def _chart(rows: list[Mapping[str, Any]], lead: str) -> Any:
    known = [row for row in rows if is_number(row.get("difference"))]
    marks = [Mark(str(row.get("b")), row["difference"], low=row.get("low"), high=row.get("high")) for row in known]
    axis = f"{label(lead)} lost, with 95 % interval"
    summary = f"{axis}: " + ", ".join(f"{mark.name} {mark.value:+.4f}" for mark in marks) + "."
    return charts.bars(marks, axis, summary, signed)
