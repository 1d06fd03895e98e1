"""One test of the evaluation page: its systems, its segments and its paired comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accord.study import charts
from accord.study.charts import Mark
from accord.study.results import FUSED, Results, estimate, is_accuracy, kind_of, label
from accord.study.tables import Cell, Row, Table, words
from accord.study.verdict import outcome
from accord.study.wording import count, is_number, number, p_value, signed

FEW = 100
"""Segments with fewer queries are marked."""

_READINGS = {
    "better": "first is better",
    "worse": "first is worse",
    "hint": "not sure after correction",
    "even": "within noise",
    "unknown": "not tested",
}


def result_section(test: Results, place: int) -> dict[str, Any]:
    """What the template needs of one test; ``place`` counts from 1 and names its anchor."""
    rest = [metric for metric in test.metrics if metric not in test.main]
    return {
        "id": f"test-{place}",
        "title": "Results" if test.name == "test" else f"Results: {test.name}",
        "queries": count(test.raw.get("n_queries")),
        "lead": label(test.lead) if test.lead else "",
        "table": _systems(test, test.main, "Systems by metric"),
        "rest": _systems(test, rest, "Further metrics") if rest else None,
        "chart": _systems_chart(test),
        "segments": _segments(test),
        "meanings": [(name, s.raw["meaning"]) for name, _, s in _segment_results(test) if s.raw.get("meaning")],
        "segments_chart": _segments_chart(test),
        "comparisons": _comparisons(test.raw.get("comparisons") or []),
    }


def _systems(test: Results, metrics: Sequence[str], name: str) -> Table:
    best = {metric: test.best(metric) for metric in metrics if is_accuracy(metric)}
    rows = [
        Row(system, [_cell(test, system, metric, best.get(metric) == system) for metric in metrics], kind_of(system))
        for system in test.systems
    ]
    return Table(name, [label(metric) for metric in metrics], rows, first="System")


def _cell(test: Results, system: str, metric: str, best: bool) -> Cell:
    found = test.value(system, metric)
    error = f"±{number(found.se)}" if found and found.se is not None else ""
    return Cell(number(found.value if found else None), error, best)


def _systems_chart(test: Results) -> Any:
    marks = []
    for system in test.systems:
        found, kind = test.value(system, test.lead), kind_of(system)
        if found:
            marks.append(Mark(system, found.value, kind, kind, *found.interval))
    summary = f"{label(test.lead or '')} of each system: " + ", ".join(f"{m.name} {m.value:.4f}" for m in marks) + "."
    return charts.bars(marks, f"{label(test.lead or '')}, with 95 % interval", summary, lambda value: number(value, 3))


def _segment_results(test: Results) -> list[tuple[str, int, Results]]:
    segments: Mapping[str, Any] = test.raw.get("segments") or {}
    read = ((name, raw.get("n"), Results(name, raw)) for name, raw in segments.items() if isinstance(raw, Mapping))
    return [(name, int(n) if is_number(n) else 0, result) for name, n, result in read]


def _segments(test: Results) -> Table:
    segments, lead = _segment_results(test), test.lead or ""
    best = [segment.best(lead) for _, _, segment in segments]
    rows = [
        Row(
            system,
            [_cell(segment, system, lead, system == top) for (_, _, segment), top in zip(segments, best, strict=True)],
            kind_of(system),
        )
        for system in test.systems
    ]
    columns = [f"{name}{'*' if n < FEW else ''} ({count(n)})" for name, n, _ in segments]
    note = f"* fewer than {FEW} queries: too few to read much into." if any(n < FEW for _, n, _ in segments) else ""
    return Table(f"{label(lead)} by segment", columns, rows if segments else [], first="System (queries)", note=note)


def _segments_chart(test: Results) -> Any:
    """Three systems only, so that the chart can be read: a floor, the best single source, the fused list."""
    best = test.best(test.lead, singles=True)
    shown = [name for name in ("popularity", best, FUSED) if name in test.systems]
    marks = []
    for name, n, segment in _segment_results(test):
        for system in shown:
            found = segment.value(str(system), test.lead)
            if found:
                marks.append(
                    Mark(f"{name} ({count(n)})", found.value, str(system), kind_of(str(system)), *found.interval)
                )
    summary = f"{label(test.lead or '')} by segment for {', '.join(map(str, shown))}; the table gives the values."
    return charts.dots(marks, f"{label(test.lead or '')}, with 95 % interval", summary)


def _comparisons(rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = ["Metric", "Difference", "95 % interval", "p", "p (Holm)", "Reading"]
    return Table("Paired comparisons", columns, [_comparison(row) for row in rows], first="Pair")


def _comparison(row: Mapping[str, Any]) -> Row:
    found = outcome(row)
    ends = [estimate(row.get(key)) for key in ("low", "high")]
    interval = " to ".join(signed(end.value if end else None) for end in ends)
    cells = [
        words(label(str(row.get("metric") or ""))),
        Cell(signed(row.get("difference")), best=found in ("better", "worse")),
        Cell(interval),
        Cell(p_value(row.get("p"))),
        Cell(p_value(row.get("p_holm"))),
        words(_READINGS[found]),
    ]
    return Row(f"{row.get('a')} − {row.get('b')}", cells, "quiet" if found in ("even", "unknown") else "source")
