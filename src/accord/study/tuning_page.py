"""The HTML report of ``accord tune``: a ``tuning.json`` on one page, and its trials as a table of text."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from accord.study import charts
from accord.study.charts import Mark
from accord.study.page import render_page
from accord.study.tables import Cell, Row, Table, words
from accord.study.wording import count, is_number, number, p_value, percent, seconds, signed

SHOWN = 30
"""Trials in the table of the page; the CSV file has all."""


def render(facts: Mapping[str, Any]) -> str:
    """The whole page, from the dictionary of ``tuning.json``."""
    dataset = facts.get("dataset") or {}
    trials = list(facts.get("trials") or [])
    return render_page(
        "tuning.html",
        f"Tuning on {dataset.get('name') or 'a dataset'}",
        facts=facts,
        verdict=_verdict(facts),
        tiles=_tiles(facts, trials),
        values=_values(facts.get("values") or []),
        halves=_halves(facts),
        history=_history(trials, (facts.get("half_a") or {}).get("untuned")),
        importance=_importance(facts.get("importance") or {}),
        trials=_trials(trials),
        protocol=_protocol(facts),
    )


def trials_csv(facts: Mapping[str, Any]) -> str:
    """One line a trial: number, state, NDCG@10, seconds, each value, each searched source's own figure, the reason."""
    trials = list(facts["trials"])
    paths = [entry["path"] for entry in facts["values"]]
    names = list(dict.fromkeys(name for trial in trials for name in trial["alone"]))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["number", "state", "ndcg@10", "seconds", *paths, *(f"{name} alone" for name in names), "reason"])
    for trial in trials:
        values, alone = trial["values"], trial["alone"]
        figures = [trial["value"], round(trial["seconds"], 3)]
        own = (alone.get(name) for name in names)
        table.writerow(
            [trial["number"], trial["state"], *figures, *(values.get(p) for p in paths), *own, trial["reason"]]
        )
    return text.getvalue()


def _verdict(facts: Mapping[str, Any]) -> dict[str, str]:
    """What half B says of the best values, which were found on half A."""
    half = facts.get("half_b") or {}
    low, high = half.get("low"), half.get("high")
    told = (
        f"NDCG@10 {signed(half.get('difference'))} against the untuned pipeline on half B of validation "
        f"(95 % {signed(low)} to {signed(high)}), which no trial has seen."
    )
    if not any(entry.get("untuned") != entry.get("best") for entry in facts.get("values") or []):
        return {"tone": "even", "title": "No trial was above the pipeline as it stands", "detail": "It is kept."}
    if is_number(low) and low > 0:
        return {"tone": "good", "title": "The best values hold on unseen queries", "detail": told}
    if is_number(high) and high < 0:
        return {"tone": "bad", "title": "The best values are worse on unseen queries: keep the old", "detail": told}
    return {"tone": "even", "title": "What was gained is within the noise of unseen queries", "detail": told}


def _tiles(facts: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    half = facts.get("half_b") or {}
    return [
        (number((half.get("best") or {}).get("value")), "NDCG@10 on half B, tuned"),
        (number((half.get("untuned") or {}).get("value")), "untuned"),
        (count(len(trials)), "trials"),
        (count(sum(trial.get("state") != "whole" for trial in trials)), "given up"),
        (seconds(facts.get("seconds")), "all trials"),
    ]


def _values(values: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        Row(
            str(entry.get("path")),
            [words(_searched(entry.get("searched"))), _cell(entry, "untuned"), _cell(entry, "best")],
        )
        for entry in values
    ]
    return Table("Searched settings", ["Searched", "Untuned", "Best"], rows, first="Setting")


def _cell(entry: Mapping[str, Any], key: str) -> Cell:
    value = entry.get(key)
    return Cell("default" if value is None else str(value), best=key == "best" and value != entry.get("untuned"))


def _searched(tried: Any) -> str:
    if isinstance(tried, Mapping):
        more = ", logarithmic" if tried.get("log") else f", by {tried['step']}" if tried.get("step") else ""
        return f"{tried.get('low')} to {tried.get('high')}{more}"
    return ", ".join(map(str, tried or []))


def _halves(facts: Mapping[str, Any]) -> Table:
    a, b = facts.get("half_a") or {}, facts.get("half_b") or {}
    rows = [
        Row(
            "A: judged the trials",
            [Cell(count(a.get("queries"))), Cell(number(a.get("untuned"))), Cell(number(a.get("best")))],
        )
    ]
    before, after = b.get("untuned") or {}, b.get("best") or {}
    figures = [Cell(number(one.get("value")), f"±{number(one.get('se'))}") for one in (before, after)]
    rows.append(Row("B: seen by no trial", [Cell(count(b.get("queries"))), *figures], kind="fused"))
    interval = f"95 % {signed(b.get('low'))} to {signed(b.get('high'))}, p = {p_value(b.get('p'))}"
    note = f"Half B, best less untuned: {signed(b.get('difference'))}, {interval}; paired bootstrap over the queries."
    return Table("NDCG@10 on both halves of validation", ["Queries", "Untuned", "Best"], rows, first="Half", note=note)


def _history(trials: Sequence[Mapping[str, Any]], untuned: Any) -> Any:
    marks: list[Mark] = []
    best = float(untuned) if is_number(untuned) else float("-inf")
    for trial in trials:
        if is_number(trial.get("value")):
            best = max(best, float(trial["value"]))
            marks.append(Mark("", float(trial["value"]), "a trial", "source", at=trial["number"]))
            marks.append(Mark("", best, "best so far", "fused", at=trial["number"]))
    return charts.history(
        marks, "trial", "NDCG@10, half A", f"NDCG@10 of {len(trials)} trials on half A of validation."
    )


def _importance(shares: Mapping[str, Any]) -> dict[str, Any]:
    ordered = sorted(((path, float(share)) for path, share in shares.items()), key=lambda pair: -pair[1])
    rows = [Row(path, [Cell(percent(share))]) for path, share in ordered]
    marks = [Mark(path, share) for path, share in ordered]
    summary = "Share of each setting in what differs between trials."
    return {
        "table": Table("Importance of the settings", ["Share"], rows, first="Setting"),
        "chart": charts.bars(marks, "share of what differs", summary, percent),
    }


def _trials(trials: Sequence[Mapping[str, Any]]) -> Table:
    """The best whole trials first."""
    whole = sorted((t for t in trials if is_number(t.get("value"))), key=lambda t: -t["value"])
    rows = [
        Row(
            str(trial.get("number")),
            [Cell(number(trial["value"]), best=place == 0), Cell(seconds(trial.get("seconds"))), words(_set(trial))],
        )
        for place, trial in enumerate(whole[:SHOWN])
    ]
    note = f"The best {SHOWN} of {len(trials)}; trials.csv has all." if len(trials) > len(rows) else ""
    return Table("The best trials", ["NDCG@10", "Time", "Values"], rows, first="#", note=note)


def _set(trial: Mapping[str, Any]) -> str:
    values = trial.get("values") or {}
    return ", ".join(f"{path} = {f'{v:.4g}' if isinstance(v, float) else v}" for path, v in values.items())


def _protocol(facts: Mapping[str, Any]) -> dict[str, Any]:
    dataset = facts.get("dataset") or {}
    told = {
        "Accord": facts.get("accord"),
        "Created": facts.get("created"),
        "Seed": facts.get("seed"),
        "Pipeline": facts.get("preset"),
        "Judged": facts.get("objective"),
        "Split": (facts.get("split") or {}).get("kind"),
        "Fits made": facts.get("fits"),
        "Fingerprint of the data": dataset.get("fingerprint"),
    }
    return {"facts": {key: str(value) for key, value in told.items() if value is not None}}
