"""What happens on the server: the figures of ``/metrics`` in short, and the last change of the catalogue."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from accord.core.errors import AccordError
from accord.data.store.base import StoreUnavailable
from accord.data.store.events import Change
from accord.serve.live import Live


@dataclass(frozen=True)
class Counters:
    """Figures since the start of the server, of all its workers."""

    requests: int
    events: int
    skipped: dict[str, int]
    """Parts left out of answers."""
    items: int
    """That may be recommended now."""
    waiting: int
    """Items to be encoded."""
    change: Change | None
    """The last one of the catalogue; None where nothing changed yet, or the store is away."""


def counters(live: Live) -> Counters:
    """The figures now."""
    totals, skipped = Counter[str](), Counter[str]()
    for family in text_string_to_metric_families(live.metrics.text().decode()):
        for sample in family.samples:
            if sample.name == "accord_requests_total" and sample.labels["route"].startswith("/v1/"):
                totals["requests"] += int(sample.value)
            elif sample.name == "accord_events_total" and sample.labels["outcome"] == "accepted":
                totals["events"] += int(sample.value)
            elif sample.name == "accord_skipped_total":
                skipped[sample.labels["part"]] += int(sample.value)
    return Counters(
        totals["requests"], totals["events"], dict(skipped), _items(live), live.changes.waiting, _change(live)
    )


def _items(live: Live) -> int:
    try:
        current, _ = live.current()
    except AccordError:  # nothing to answer from yet
        return 0
    return current.pipeline.data.n_items if current.shown is None else int(current.shown.sum())


def _change(live: Live) -> Change | None:
    try:
        last = live.store.last_change()
        found = live.store.changes(last - 1, 1) if last else []
    except StoreUnavailable:
        return None
    return found[0] if found else None
