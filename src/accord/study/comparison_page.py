"""The HTML report of ``accord compare``: a ``comparison.json`` on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accord.study import charts
from accord.study.charts import Mark
from accord.study.page import render_page
from accord.study.result_section import result_section
from accord.study.results import Results, label
from accord.study.tables import Cell, Row, Table, reasons, words
from accord.study.verdict import Verdict, outcome
from accord.study.wording import is_number, memory, number, seconds, signed

BEST, BEATEN = "Pareto-best", "beaten"
_NOTE = (
    "Fit: learning the pipeline with all choices and the refit; encoding of content included, unless the cache was "
    "shared. Peak memory: up to the end of the fit. One list: the median of lists of ten asked for one by one. "
    "Pareto-best: no other is at least as good in {}, fit time and memory and better in one of them."
)
_FACTS = {"created": "Created", "seed": "Seed", "accord": "Accord"}
_DATA = {"name": "Data", "order": "Order of events", "fingerprint": "Fingerprint of the data"}


def render(comparison: Mapping[str, Any]) -> str:
    """The whole page, from the dictionary of ``comparison.json``; parts whose keys are absent are left out."""
    tests = [Results(name, raw) for name, raw in (comparison.get("tests") or {}).items()]
    first = tests[0] if tests else Results("test")
    pipelines: Mapping[str, Any] = comparison.get("pipelines") or {}
    best = list(comparison.get("pareto") or [])
    sections = [result_section(test, place) for place, test in enumerate(tests, start=1)]
    dataset = comparison.get("dataset") or {}
    return render_page(
        "comparison.html",
        f"Comparison on {dataset.get('name') or 'a dataset'}",
        comparison=comparison,
        verdict=judge(first, comparison.get("against")),
        plane=plane(first, pipelines, best),
        lead=label(first.lead or ""),
        table=_overview(first, pipelines, best, comparison.get("against")),
        tests=sections,
        sections=[("plane", "Quality, time, memory"), *((s["id"], s["title"]) for s in sections), ("made", "Protocol")],
        parts_table=_parts(pipelines),
        left_out=_left_out(pipelines),
        split=comparison.get("split") or {},
        facts=_facts(comparison),
    )


def judge(test: Results, against: str | None) -> Verdict:
    """Which pipeline leads, and whether that is more than noise."""
    top, lead = test.best(test.lead), test.lead
    if top is None or lead is None:
        return Verdict("unknown", "Nothing was measured", "The file has no test with a measured pipeline.")
    found = test.value(top, lead)
    reached = f"{label(lead)} is {number(found and found.value)} with {top}"
    if top == against or against is None:
        return _against_runner_up(test, top, reached)
    return _worded(test.comparison(top, against, lead), top, against, reached)


def _against_runner_up(test: Results, top: str, reached: str) -> Verdict:
    others = [name for name in test.systems if name != top and test.value(name, test.lead)]
    if not others:
        return Verdict("unknown", f"{top} is the only pipeline", f"{reached}.")
    second = max(others, key=lambda name: getattr(test.value(name, test.lead), "value", 0.0))
    return _worded(test.comparison(top, second, test.lead), top, second, reached)


def _worded(row: Mapping[str, Any] | None, top: str, other: str, reached: str) -> Verdict:
    found = outcome(row) if row else "unknown"
    if row is None or found == "unknown":
        return Verdict("unknown", f"{top} has the highest value", f"{reached}; it was not tested against {other}.")
    span = f"{signed(row['difference'])} against {other}, 95 % interval {signed(row['low'])} to {signed(row['high'])}"
    if found == "better":
        return Verdict("good", f"{top} is better than {other}", f"{reached}: {span}, after correction too.")
    hint = "; corrected for all comparisons it is not sure" if found == "hint" else ": within noise"
    return Verdict("even", f"{top} and {other} cannot be told apart for sure", f"{reached}: {span}{hint}.")


def plane(test: Results, pipelines: Mapping[str, Any], best: Sequence[str]) -> Any:
    """Quality up, time of the fit across, memory as area."""
    marks = []
    for name, one in pipelines.items():
        found, cost = test.value(name, test.lead), one.get("cost") or {}
        if found and is_number(cost.get("fit_seconds")) and is_number(cost.get("fit_peak_mib")):
            series, kind = (BEST, "fused") if name in best else (BEATEN, "source")
            point = {"at": cost["fit_seconds"], "size": cost["fit_peak_mib"]}
            marks.append(Mark(name, found.value, series, kind, *found.interval, **point))
    told = ", ".join(f"{m.name} {m.value:.4f} in {seconds(m.at)} with {memory(m.size)}" for m in marks)
    lead = label(test.lead or "")
    return charts.plane(marks, "seconds to fit", f"{lead}, with 95 % interval", f"{lead}, time and memory: {told}.")


def _overview(test: Results, pipelines: Mapping[str, Any], best: Sequence[str], against: str | None) -> Table:
    lead = label(test.lead or "")
    columns = [lead, f"Against {against}", "Fit", "CPU time", "Peak memory", "One list", "Pareto"]
    rows = [_overview_row(name, one.get("cost") or {}, test, name in best, against) for name, one in pipelines.items()]
    note = _NOTE.format(lead)
    resumed = [name for name, one in pipelines.items() if (one.get("cost") or {}).get("killed")]
    if resumed:
        note += f" Killed attempts of {', '.join(resumed)} count in full."
    return Table("Quality, time and memory", columns, rows, first="Pipeline", note=note)


def _overview_row(name: str, cost: Mapping[str, Any], test: Results, best: bool, against: str | None) -> Row:
    found, row = test.value(name, test.lead), test.comparison(name, against or "", test.lead)
    error = f"±{number(found.se)}" if found and found.se is not None else ""
    span = f"{signed(row['low'])} to {signed(row['high'])}" if row else ""
    cells = [
        Cell(number(found and found.value), error, best=name == test.best(test.lead)),
        Cell(signed(row and row["difference"]), span),
        Cell(seconds(cost.get("fit_seconds"))),
        Cell(seconds(cost.get("fit_cpu_seconds"))),
        Cell(memory(cost.get("fit_peak_mib"))),
        Cell(f"{number(cost.get('list_ms'), 2)} ms"),
        words(BEST if best else ""),
    ]
    return Row(name, cells, "fused" if best else "source")


def _parts(pipelines: Mapping[str, Any]) -> Table:
    rows = [
        Row(
            name,
            [
                words(", ".join(one.get("sources") or [])),
                words(one.get("fuser")),
                words(one.get("config_digest")),
                Cell(str(one.get("readings"))),
            ],
        )
        for name, one in pipelines.items()
    ]
    columns = ["Sources in the list", "Fuser", "Configuration", "Reading of this test set"]
    return Table("What the pipelines are made of", columns, rows, first="Pipeline")


def _left_out(pipelines: Mapping[str, Any]) -> Table:
    pairs = [
        (f"{name}: {entry.get(key)}", entry.get("reason"))
        for name, one in pipelines.items()
        for group, key in (("dropped", "source"), ("skipped", "part"))
        for entry in one.get(group) or []
    ]
    return reasons("Dropped sources and skipped parts", "Part", pairs)


def _facts(comparison: Mapping[str, Any]) -> dict[str, str]:
    dataset, found = comparison.get("dataset") or {}, dict[str, Any]()
    found |= {title: comparison.get(key) for key, title in _FACTS.items()}
    found |= {title: dataset.get(key) for key, title in _DATA.items()}
    found |= {str(key).replace("_", " ").capitalize(): v for key, v in (comparison.get("machine") or {}).items()}
    return {title: str(value) for title, value in found.items() if value is not None}
