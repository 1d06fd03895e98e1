"""Tables of figures on the terminal."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from accord.cli.console import output
from accord.study.results import label
from accord.study.wording import memory, seconds

FEW = 4
"""How many sources the table of segments shows; the report has all."""
COLUMNS = ("recall@10", "ndcg@10", "recall@20", "ndcg@20", "mrr@10", "coverage@10")


def print_evaluation(metrics: dict[str, Any]) -> None:
    """Every test's main table and segments, then what was dropped or skipped."""
    for name, test in metrics["tests"].items():
        output.print(systems_table(name, test))
        if test["segments"]:
            output.print(_segments(name, test))
        output.print(_verdict(test))
    for entry in metrics["fusion"]["dropped"]:
        output.print(f"Dropped {entry['source']}: {entry['reason']}.", markup=False)
    for entry in metrics["skipped"]:
        output.print(f"Skipped {entry['part']}: {entry['reason']}", markup=False)


def print_comparison(comparison: dict[str, Any]) -> None:
    """The main table and differences of every test, then what each pipeline cost."""
    for name, test in comparison["tests"].items():
        output.print(systems_table(name, test))
        for row in test["comparisons"]:
            output.print(_difference(row), markup=False)
    output.print(_costs(comparison))


def systems_table(name: str, test: dict[str, Any]) -> Table:
    """The main metrics of every system of a test."""
    table = Table(title=f"{name}: {test['n_queries']:,} queries, full ranking (± one standard error)")
    table.add_column("system")
    shown = [column for column in COLUMNS if any(column in row for row in test["systems"].values())]
    for column in shown:
        table.add_column(label(column), justify="right")
    for system, row in test["systems"].items():
        style = "bold" if system == "fused" else "dim" if system in ("random", "popularity") else None
        table.add_row(system, *(_cell(row.get(column)) for column in shown), style=style)
    return table


def _difference(row: dict[str, Any]) -> str:
    """One paired comparison in words: the other pipeline less the one it is compared with."""
    return (
        f"{row['b']} − {row['a']}: {label(row['metric'])} {0.0 - row['difference']:+.4f} "
        f"(95 % {0.0 - row['high']:+.4f} to {0.0 - row['low']:+.4f}, Holm p = {row['p_holm']:.3g})"
    )


def _costs(comparison: dict[str, Any]) -> Table:
    table = Table(title="what each costs, in a process of its own")
    table.add_column("pipeline")
    for column in ("fit", "CPU time", "peak memory", "one list", "Pareto-best"):
        table.add_column(column, justify="right")
    for name, one in comparison["pipelines"].items():
        cost = one["cost"]
        cells = (seconds(cost["fit_seconds"]), seconds(cost["fit_cpu_seconds"]), memory(cost["fit_peak_mib"]))
        table.add_row(name, *cells, f"{cost['list_ms']:.2f} ms", "yes" if name in comparison["pareto"] else "")
    return table


def _segments(name: str, test: dict[str, Any]) -> Table:
    table = Table(title=f"{name}: NDCG@10 by segment")
    table.add_column("segment")
    table.add_column("queries", justify="right")
    systems = _few(test)
    for system in systems:
        table.add_column(system, justify="right")
    for segment, part in test["segments"].items():
        table.add_row(
            segment,
            f"{part['n']:,}",
            *(_cell(part["systems"][system].get("ndcg@10"), short=True) for system in systems),
        )
    return table


def _few(test: dict[str, Any]) -> list[str]:
    """The systems that a table across a terminal has room for: popularity, the best sources, the fused list."""
    ends = [name for name in ("popularity", "fused") if name in test["systems"]]
    others = [name for name in test["systems"] if name not in ("random", *ends)]
    ndcg = {name: (test["systems"][name].get("ndcg@10") or {}).get("value") or 0.0 for name in others}
    best = sorted(others, key=lambda name: -ndcg[name])[:FEW]
    return [*ends[:1], *(name for name in others if name in best), *ends[1:]]


def _verdict(test: dict[str, Any]) -> str:
    """The fused list against the best other system, with the paired interval."""
    rows = [row for row in test["comparisons"] if row["metric"] == "ndcg@10"]
    if not rows:
        return ""
    closest = min(rows, key=lambda row: row["difference"])
    sure = "above" if closest["low"] > 0 else "below" if closest["high"] < 0 else "not distinguishable from"
    return (
        f"fused is {sure} the best single system ({closest['b']}): NDCG@10 {closest['difference']:+.4f} "
        f"(95 % {closest['low']:+.4f} to {closest['high']:+.4f}, Holm p = {closest['p_holm']:.3g})"
    )


def _cell(figure: dict[str, float | None] | None, *, short: bool = False) -> str:
    if figure is None or figure.get("value") is None:
        return "–"
    error = figure.get("se")
    return f"{figure['value']:.4f}" + (f" ±{error:.4f}" if error is not None and not short else "")
