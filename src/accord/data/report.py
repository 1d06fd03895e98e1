"""What an import found, as one plain dictionary; ``report.json`` holds it and the import page renders it.

Keys (all always present; numbers are plain ints and floats):

``format`` 1, ``version`` of Accord, ``settings`` (the ``ImportSettings``, passwords hidden);
``sources``: ``[{table, place, format, rows, rejected}]``;
``counts``: ``{rows, rejected, events, users, items, users_with_events, items_with_events, cold_items, pairs, links}``
(``rows`` and ``rejected`` over the event sources, refusals of the caps included; ``links`` rows by name);
``removed``: ``[{step, events}]``, events that a cleaning rule took, in order;
``rejects``: ``[{table, reason, rows, example}]``, most frequent first;
``order``: ``{kind, why}``; ``span``: ``{from, to, days}`` or None;
``sparsity``: ``{density, sparsity}`` of the users x items matrix;
``events_per_user``, ``events_per_item``: ``{min, p10, p25, median, mean, p75, p90, p99, max}`` over those with events;
``event_kinds``: ``[{event, events, weight}]``; ``values``: ``{min, median, mean, max, missing_share}`` or None;
``text``: ``[{table, column, missing_share, median_chars}]``;
``duplicate_items``: ``{groups, items, examples: [{title, item_ids}]}``, items of the same title but for case and signs;
``popularity``: ``[{items, events}]``, the share of the events that the most popular share of the items has;
``languages``: ``[{script, texts, share}]``;
``columns``: ``[{table, column, from, type, note, missing_share}]``, where each column came from and how it was read;
``advice``: plain sentences.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

import accord
from accord.core import columns as c
from accord.core.arrays import Longs
from accord.core.dataset import Dataset
from accord.data.advice import advise
from accord.data.naming import Named
from accord.data.readers import Rows, shown
from accord.data.scripts import scripts
from accord.data.settings import ImportSettings

_QUANTILES = {"p10": 0.1, "p25": 0.25, "median": 0.5, "p75": 0.75, "p90": 0.9, "p99": 0.99}
_POINTS = 50
_EXAMPLES = 5


@dataclass
class Findings:
    """What the steps of an import note down for the report."""

    settings: ImportSettings
    sources: list[Rows] = field(default_factory=list[Rows])
    rejects: list[pl.DataFrame] = field(default_factory=list[pl.DataFrame])
    """Rows refused after reading; those refused by the readers lie in ``sources``."""
    removed: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    why: str = ""
    origins: dict[tuple[str, str], list[str]] = field(default_factory=dict[tuple[str, str], list[str]])
    notes: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    def describe(self, table: str, parts: list[Named], notes: dict[str, str]) -> None:
        """Note where the columns of a table came from and how they were read."""
        for part in parts:
            for ours, theirs in part.origin.items():
                names = self.origins.setdefault((table, ours), [])
                names += [theirs] if theirs not in names else []
        self.notes |= {(table, name): note for name, note in notes.items()}


def make_report(data: Dataset, rejects: pl.DataFrame, findings: Findings) -> dict[str, Any]:
    """The report of an import; its keys are described at the top of this module."""
    events, items, users = (pl.DataFrame(pl.from_arrow(t)) for t in (data.events, data.items, data.users))
    tables = {"events": events, "items": items, "users": users}
    pairs = _distinct_pairs(data)
    user_counts = np.bincount(data.event_users, minlength=data.n_users)
    density = pairs / max(1, data.n_users * data.n_items)
    report: dict[str, Any] = {
        "format": 1,
        "version": accord.__version__,
        "settings": _settings(findings.settings),
        "sources": _sources(findings.sources, rejects),
        "counts": _counts(data, findings.sources, rejects, user_counts) | {"pairs": pairs},
        "removed": [{"step": name, "events": n} for name, n in findings.removed],
        "rejects": _rejects(rejects),
        "order": {"kind": data.order, "why": findings.why},
        "span": _span(data),
        "sparsity": {"density": density, "sparsity": 1 - density},
        "events_per_user": _spread(user_counts),
        "events_per_item": _spread(data.item_counts),
        "event_kinds": _kinds(events, findings.settings.weights),
        "values": _values(events),
        "text": _texts(tables, findings),
        "duplicate_items": _duplicates(items),
        "popularity": _popularity(data.item_counts),
        "languages": scripts(_prose(tables, findings)),
        "columns": _columns(tables, findings),
    }
    return report | {"advice": advise(report, data)}


def _distinct_pairs(data: Dataset) -> int:
    keys = np.sort(data.event_users.astype(np.int64) * data.n_items + data.event_items)
    return int((np.diff(keys) > 0).sum()) + 1 if len(keys) else 0


def _settings(settings: ImportSettings) -> dict[str, Any]:
    plain = settings.model_dump(mode="json")
    plain["events"] = [shown(source) for source in settings.events]
    plain["links"] = {name: shown(source) for name, source in settings.links.items()}
    return plain | {name: shown(plain[name]) for name in ("items", "users") if plain[name]}


def _sources(sources: list[Rows], rejects: pl.DataFrame) -> list[dict[str, Any]]:
    refused = {(table, place): n for table, place, n in rejects.group_by("table", "source").len().iter_rows()}
    return [
        {
            "table": rows.table,
            "place": rows.place,
            "format": rows.format,
            "rows": rows.frame.height + rows.rejects.height,
            "rejected": refused.get((rows.table, rows.place), 0),
        }
        for rows in sources
    ]


def _counts(data: Dataset, sources: list[Rows], rejects: pl.DataFrame, user_counts: Longs) -> dict[str, Any]:
    with_events = int((data.item_counts > 0).sum())
    return {
        "rows": sum(rows.frame.height + rows.rejects.height for rows in sources if rows.table == "events"),
        "rejected": rejects.filter(pl.col("table") == "events").height,
        "events": data.n_events,
        "users": data.n_users,
        "items": data.n_items,
        "users_with_events": int((user_counts > 0).sum()),
        "items_with_events": with_events,
        "cold_items": data.n_items - with_events,
        "links": {name: table.num_rows for name, table in data.links.items()},
    }


def _rejects(rejects: pl.DataFrame) -> list[dict[str, Any]]:
    place = pl.format("{}, row {}", pl.col("source").first(), pl.col("row").first())
    grouped = rejects.group_by("table", "reason", maintain_order=True).agg(rows=pl.len(), example=place)
    return grouped.sort("rows", descending=True, maintain_order=True).to_dicts()


def _span(data: Dataset) -> dict[str, Any] | None:
    if data.order != "time" or not data.n_events:
        return None
    first, last = float(data.event_times[0]), float(data.event_times[-1])
    iso = [np.datetime64(int(time * 1000), "ms").astype("datetime64[s]").item() for time in (first, last)]
    return {"from": f"{iso[0].isoformat()}Z", "to": f"{iso[1].isoformat()}Z", "days": (last - first) / 86_400}


def _spread(counts: Longs) -> dict[str, float]:
    some = counts[counts > 0]
    if not len(some):
        return dict.fromkeys(("min", *_QUANTILES, "mean", "max"), 0)
    quantiles = {name: float(np.quantile(some, q)) for name, q in _QUANTILES.items()}
    return {"min": int(some.min()), **quantiles, "mean": float(some.mean()), "max": int(some.max())}


def _kinds(events: pl.DataFrame, weights: dict[str, float]) -> list[dict[str, Any]]:
    if c.EVENT not in events.columns:
        return [{"event": None, "events": events.height, "weight": 1.0}]
    counted = events.group_by(c.EVENT).len("events").sort("events", c.EVENT, descending=[True, False])
    return [{**row, "weight": float(weights.get(row[c.EVENT], 1.0))} for row in counted.head(_POINTS).to_dicts()]


def _values(events: pl.DataFrame) -> dict[str, float] | None:
    if c.VALUE not in events.columns or not events[c.VALUE].count():
        return None
    value = pl.col(c.VALUE).cast(pl.Float64)
    facts = events.select(min=value.min(), median=value.median(), mean=value.mean(), max=value.max()).to_dicts()[0]
    return facts | {"missing_share": events[c.VALUE].null_count() / events.height}


def _text_columns(tables: dict[str, pl.DataFrame], findings: Findings) -> list[tuple[str, str, pl.Series]]:
    """Columns of prose: those that are so by name, and items' other text that is long."""
    return [
        (table, name, tables[table][name])
        for (table, name), note in findings.notes.items()
        if note == "text" and name in tables[table].columns and name != c.IMAGE
    ]


def _texts(tables: dict[str, pl.DataFrame], findings: Findings) -> list[dict[str, Any]]:
    return [
        {
            "table": table,
            "column": name,
            "missing_share": values.null_count() / max(1, values.len()),
            "median_chars": values.str.len_chars().median() or 0,
        }
        for table, name, values in _text_columns(tables, findings)
    ]


def _prose(tables: dict[str, pl.DataFrame], findings: Findings) -> list[pl.Series]:
    prose = (c.TITLE, c.DESCRIPTION, c.TEXT)
    return [values for table, name, values in _text_columns(tables, findings) if name in prose and table != "users"]


def _duplicates(items: pl.DataFrame) -> dict[str, Any]:
    if c.TITLE not in items.columns:
        return {"groups": 0, "items": 0, "examples": []}
    key = pl.col(c.TITLE).str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()
    named = items.select(c.ITEM, c.TITLE, key=key).filter(pl.col("key") != "")
    groups = named.group_by("key", maintain_order=True).agg(pl.col(c.TITLE).first(), pl.col(c.ITEM))
    groups = groups.filter(pl.col(c.ITEM).list.len() > 1)
    examples = [{"title": row[c.TITLE], "item_ids": row[c.ITEM][:10]} for row in groups.head(_EXAMPLES).to_dicts()]
    count = groups[c.ITEM].list.len().sum()
    return {"groups": groups.height, "items": int(count), "examples": examples}


def _popularity(counts: Longs) -> list[dict[str, float]]:
    share = np.concatenate([[0.0], np.cumsum(np.sort(counts)[::-1])]) / max(1, counts.sum())
    # Points lie closer together at the popular end, where the curve bends.
    places = np.unique(np.round(np.linspace(0, 1, _POINTS) ** 2 * len(counts)).astype(int))
    return [{"items": float(place / max(1, len(counts))), "events": float(share[place])} for place in places]


def _columns(tables: dict[str, pl.DataFrame], findings: Findings) -> list[dict[str, Any]]:
    rows = [
        {
            "table": table,
            "column": name,
            "from": findings.origins.get((table, name), []),
            "type": str(tables[table].schema.get(_kept_as(table, name), "not kept")),
            "note": note,
            "missing_share": _missing(tables[table], name),
        }
        for (table, name), note in findings.notes.items()
    ]
    dropped = [(rows.table, name) for rows in findings.sources for name in rows.dropped]
    empty = {"type": "not kept", "note": "bytes are not read", "missing_share": 1.0}
    return rows + [{"table": table, "column": name, "from": [name], **empty} for table, name in dropped]


def _kept_as(table: str, name: str) -> str:
    """Events name users and items by number."""
    return {c.USER: c.USER_NUMBER, c.ITEM: c.ITEM_NUMBER}.get(name, name) if table == "events" else name


def _missing(frame: pl.DataFrame, name: str) -> float:
    return frame[name].null_count() / max(1, frame.height) if name in frame.columns else 0.0
