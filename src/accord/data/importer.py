"""From strangers' files to a dataset: read, name, clean, number, report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import polars as pl
import pyarrow as pa

from accord.core import columns as c
from accord.core.dataset import Dataset
from accord.core.errors import DataError
from accord.core.run import Run
from accord.data.catalogue import Facts, extended, read_facts
from accord.data.filters import Kept, filtered
from accord.data.formats import read_format
from accord.data.links import read_links
from accord.data.log import SOURCE, Log, fused
from accord.data.naming import check_map, named
from accord.data.numbering import finished, numbered, present
from accord.data.readers import Rows, read
from accord.data.rejects import ROW, gathered
from accord.data.report import Findings, make_report
from accord.data.settings import ImportSettings
from accord.data.weighting import centered, weighted


@dataclass(frozen=True)
class Imported:
    """What an import gives."""

    dataset: Dataset
    rejects: pa.Table
    """``table, source, row, reason, raw``: every refused row; ``row`` counts data rows (JSONL: lines) from 1."""
    report: dict[str, Any]
    """See ``accord.data.report``."""


def import_data(settings: ImportSettings, run: Run) -> Imported:
    """Read and clean all sources into one dataset.

    Raises ``DataError`` where a source or a required column is missing, or no event is left; bad rows never stop
    good ones: they come back as rejects with their place and reason.
    """
    findings = Findings(settings)
    with run.step("Reading and cleaning the events"):
        sources = _sources(settings)
        check_map(settings.map, [rows for rows in sources if rows.table != "links"])
        log, kept = _events(sources, findings)
    with run.step("Cleaning items, users and links"):
        gone = pl.concat([pl.Series(dtype=pl.String), *kept.gone_items])
        items = _facts(
            sources, "items", c.ITEM, gone, present(kept.log.items, kept.log.events[c.ITEM_NUMBER]), findings
        )
        gone = pl.concat([pl.Series(dtype=pl.String), *kept.gone_users])
        users = _facts(
            sources, "users", c.USER, gone, present(kept.log.users, kept.log.events[c.USER_NUMBER]), findings
        )
        links = _links(sources, findings)
    with run.step("Building the dataset and its report"):
        events = _final(kept, items, users, center=settings.center)
        tables = (events.to_arrow(), items.frame.to_arrow(), users.frame.to_arrow())
        dataset = Dataset(*tables, links={name: frame.to_arrow() for name, frame in links.items()}, order=log.order)
        rejects = gathered([*(rows.rejects for rows in sources), *findings.rejects])
        report = make_report(dataset, rejects, findings)
    return Imported(dataset, rejects.to_arrow(), report)


def _sources(settings: ImportSettings) -> list[Rows]:
    wanted = [(source, "events") for source in settings.events] if settings.format is None else []
    wanted += [(settings.items, "items")] if settings.items else []
    wanted += [(settings.users, "users")] if settings.users else []
    rows = [read(source, table) for source, table in wanted]
    rows += [replace(read(source, "links"), name=name) for name, source in settings.links.items()]
    if settings.format is None:
        return rows
    theirs = read_format(settings.format, settings.events)
    replaced = {(own.table, own.name) for own in rows}  # these take the place of the format's own
    return [*(found for found in theirs if (found.table, found.name) not in replaced), *rows]


def _events(sources: list[Rows], findings: Findings) -> tuple[Log, Kept]:
    settings = findings.settings
    parts = [named(rows, settings.map) for rows in sources if rows.table == "events"]
    log = fused(parts, settings.order)
    kept = filtered(numbered(weighted(log.frame, settings.weights)), settings, [part.rows.place for part in parts])
    findings.sources = sources
    findings.why = log.why
    findings.removed = kept.steps
    findings.rejects += [*log.rejects, *kept.rejects]
    findings.describe("events", parts, log.notes)
    if not kept.log.events.height:
        raise _nothing_left(findings)
    return log, kept


def _nothing_left(findings: Findings) -> DataError:
    reasons = gathered([*(rows.rejects for rows in findings.sources), *findings.rejects])["reason"]
    counts = reasons.value_counts(sort=True).rows()
    why = [f"{n} rows: {reason}" for reason, n in counts[:3]] + [f"{n} events: {s}" for s, n in findings.removed if n]
    return DataError(
        "no event is left",
        place=findings.settings.events[0],
        value="; ".join(why) or "no rows",
        remedy="Check the columns and the cleaning options.",
    )


def _facts(sources: list[Rows], table: str, key: str, gone: pl.Series, seen: pl.Series, findings: Findings) -> Facts:
    parts = [named(rows, findings.settings.map) for rows in sources if rows.table == table]
    facts = read_facts(parts[0], key) if parts else Facts(pl.DataFrame(schema={key: pl.String}), notes={key: "id"})
    findings.rejects += facts.rejects
    facts = extended(facts.without(key, gone), key, seen)
    findings.describe(table, parts, facts.notes)
    return facts


def _links(sources: list[Rows], findings: Findings) -> dict[str, pl.DataFrame]:
    links: dict[str, pl.DataFrame] = {}
    for rows in (rows for rows in sources if rows.table == "links"):
        links[rows.name], rejects = read_links(rows, rows.name)
        findings.rejects.append(rejects)
    return links


def _final(kept: Kept, items: Facts, users: Facts, *, center: bool) -> pl.DataFrame:
    """The events with final numbers, columns in their fixed order."""
    events = finished(kept.log, users.frame[c.USER], items.frame[c.ITEM])
    return (centered(events) if center else events).drop(SOURCE, ROW).rechunk()
