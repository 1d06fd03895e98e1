"""Plain advice on data that is too small, has no order, or hides a choice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from accord.core.dataset import Dataset

_SMALL_EVENTS, _SMALL_USERS, _SMALL_ITEMS = 1_000, 100, 50


def advise(report: dict[str, Any], data: Dataset) -> list[str]:
    """Sentences for the import page, the gravest first."""
    found = [_size(report), _order(data), _ties(data), _refused(report), _history(report), _text(report)]
    found += [_copies(report), _values(report), _negative(data), _kinds(report), _pairs(report), _robots(data)]
    return [sentence for sentences in found for sentence in sentences]


def _size(report: dict[str, Any]) -> Iterator[str]:
    counts = report["counts"]
    for name, least in (("events", _SMALL_EVENTS), ("users_with_events", _SMALL_USERS), ("items", _SMALL_ITEMS)):
        if counts[name] < least:
            label = name.replace("_", " ")
            yield (
                f"There are only {counts[name]:,} {label}: figures measured on this data will vary widely; "
                f"from about {least:,} on they begin to say something."
            )


def _order(data: Dataset) -> Iterator[str]:
    if data.order == "none":
        yield (
            "The events have no order: only random splits are possible, and recency, sequences and trends are left out."
        )
    if data.order == "row":
        yield (
            "There are no times: rows are taken to be oldest first within each user. If they are not, import again "
            "with --order none; a global temporal split is not possible either way."
        )


def _ties(data: Dataset) -> Iterator[str]:
    if data.order != "time" or not data.n_events:
        return
    keys = np.argsort(data.event_users, kind="stable")  # the log runs oldest first
    users, times = data.event_users[keys], data.event_times[keys]
    same = (users[1:] == users[:-1]) & (times[1:] == times[:-1])
    tied = np.zeros(data.n_events, dtype=bool)
    tied[1:] |= same
    tied[:-1] |= same
    if tied.mean() > 0.05:
        yield (
            f"{tied.mean():.0%} of the events share their time with another event of the same user; "
            "among these the order of the rows decides."
        )


def _refused(report: dict[str, Any]) -> Iterator[str]:
    for source in report["sources"]:
        if source["rejected"] > 0.05 * max(1, source["rows"]):
            share = source["rejected"] / source["rows"]
            yield f"{share:.0%} of the rows of {source['place']} were refused: see rejects.parquet for the reasons."


def _history(report: dict[str, Any]) -> Iterator[str]:
    median = report["events_per_user"]["median"]
    if median < 3:
        yield (
            f"Half of the users have {median:g} events or fewer: leave-last-out needs three of each user "
            "(train, validation, test), so most users cannot be tested."
        )


def _text(report: dict[str, Any]) -> Iterator[str]:
    texts = [text for text in report["text"] if text["table"] == "items" or text["column"] == "text"]
    if not texts:
        yield (
            "The items have no text: new items can be placed by their attributes at best. Titles alone help much; "
            "give them with --items."
        )
    for text in texts:
        if text["table"] == "items" and 0.2 < text["missing_share"] < 1:
            yield f"{text['missing_share']:.0%} of the items have no {text['column']}."


def _copies(report: dict[str, Any]) -> Iterator[str]:
    copies = report["duplicate_items"]
    if copies["groups"]:
        yield (
            f"{copies['items']:,} items share their title with another ({copies['groups']:,} titles): if they are the "
            "same thing, give them one id, or a copy of a seen item will be recommended."
        )


def _values(report: dict[str, Any]) -> Iterator[str]:
    values, settings = report["values"], report["settings"]
    if values and values["min"] < values["max"] and settings["min_value"] is None and not settings["center"]:
        yield (
            f"Values run from {values['min']:g} to {values['max']:g}, and all events count alike: "
            "consider --min-value or --center."
        )


def _negative(data: Dataset) -> Iterator[str]:
    negative = float((data.event_weights < 0).mean()) if data.n_events else 0.0
    if negative:
        yield f"{negative:.0%} of the events have a negative weight, as they lie below their user's mean (--center)."


def _kinds(report: dict[str, Any]) -> Iterator[str]:
    kinds = [kind["event"] for kind in report["event_kinds"]]
    for name in report["settings"]["weights"]:
        if name not in kinds:
            found = ", ".join(str(kind) for kind in kinds if kind is not None) or "none"
            yield f"--weight {name} has no effect: the kinds of events are {found}."
    if len(kinds) > 1 and not report["settings"]["weights"]:
        yield f"There are {len(kinds)} kinds of events, and all count alike: consider --weight KIND=WEIGHT."


def _pairs(report: dict[str, Any]) -> Iterator[str]:
    repeated = 1 - report["counts"]["pairs"] / max(1, report["counts"]["events"])
    if repeated > 0.01:
        yield (
            f"{repeated:.0%} of the events repeat an earlier pair of user and item: keep them where repeats mean "
            "more interest, else import with --dedupe last or sum."
        )


def _robots(data: Dataset) -> Iterator[str]:
    user_counts = np.bincount(data.event_users, minlength=1)
    if user_counts.max() > 1_000 and user_counts.max() > 0.01 * data.n_events:
        yield (f"One user has {user_counts.max():,} events: if this is a robot, import with --max-events.")
