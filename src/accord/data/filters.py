"""Which events stay: robots, thresholds, duplicates, k-core."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from accord.core import columns as c
from accord.core.arrays import Bools, Ints
from accord.data.log import SOURCE
from accord.data.numbering import Numbered, present
from accord.data.rejects import refused
from accord.data.settings import Dedupe, ImportSettings

_PAIR = (c.USER_NUMBER, c.ITEM_NUMBER)
_EXACT = (*_PAIR, c.TIME, c.EVENT)


@dataclass(frozen=True)
class Kept:
    """The events that stay, and what became of the others."""

    log: Numbered
    steps: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    """Each step of cleaning, and how many events it removed."""
    rejects: list[pl.DataFrame] = field(default_factory=list[pl.DataFrame])
    gone_users: list[pl.Series] = field(default_factory=list[pl.Series])
    """Ids of users removed by the caps: they leave the user table too."""
    gone_items: list[pl.Series] = field(default_factory=list[pl.Series])

    def step(self, name: str, events: pl.DataFrame, *, leave: bool = False) -> Kept:
        """After one more step; with ``leave``, users and items that lost all their events are gone for good."""
        before, log = self.log.events, replace(self.log, events=events)
        kept = replace(self, log=log, steps=[*self.steps, (name, before.height - events.height)])
        if not leave:
            return kept
        lost_users = _lost(log.users, before[c.USER_NUMBER], events[c.USER_NUMBER])
        lost_items = _lost(log.items, before[c.ITEM_NUMBER], events[c.ITEM_NUMBER])
        return replace(kept, gone_users=[*self.gone_users, lost_users], gone_items=[*self.gone_items, lost_items])


def filtered(log: Numbered, settings: ImportSettings, places: list[str]) -> Kept:
    """Apply the rules of an import in turn; ``log.events`` has ``weight`` and runs oldest first."""
    kept = Kept(log)
    if settings.dedupe != "none":
        kept = kept.step("exact duplicates", exact_duplicates(kept.log.events))
    if settings.max_events is not None:
        kept = _without_robots(kept, settings.max_events, places)
    if settings.min_value is not None and c.VALUE in kept.log.events.columns:
        enough = pl.col(c.VALUE).is_null() | (pl.col(c.VALUE) >= settings.min_value)
        kept = kept.step(f"value below {settings.min_value:g}", kept.log.events.filter(enough))
    if settings.dedupe in ("first", "last", "sum"):
        name = f"repeated pairs ({settings.dedupe} stays)" if settings.dedupe != "sum" else "repeated pairs (summed)"
        kept = kept.step(name, one_a_pair(kept.log.events, settings.dedupe))
    if settings.k_core > 1:
        events = kept.log.events
        users, items = (events[name].to_numpy() for name in _PAIR)
        core = events.filter(pl.Series(k_core(users, items, settings.k_core), dtype=pl.Boolean))
        kept = kept.step(f"{settings.k_core}-core", core, leave=True)
    return kept


def exact_duplicates(events: pl.DataFrame) -> pl.DataFrame:
    """Without events equal to a later row in user, item, time and kind; without a clock nothing is removed."""
    if c.TIME not in events.columns:
        return events
    keys = [name for name in _EXACT if name in events.columns]
    doubtful = _same_pair_and_time(events)
    if not doubtful.any():
        return events
    places = pl.Series("place", np.flatnonzero(doubtful))
    some = events[places].select(keys).with_columns(places)
    keep = np.ones(events.height, dtype=bool)
    keep[places] = False
    keep[some.unique(keys, keep="last")["place"]] = True
    return events.filter(pl.Series(keep, dtype=pl.Boolean))


def _same_pair_and_time(events: pl.DataFrame) -> Bools:
    """``bool[E]``: events that another one equals in user, item and time; ``events`` run oldest first."""
    users, items, times = (events[name].to_numpy() for name in (*_PAIR, c.TIME))
    pairs = users.astype(np.int64) << 32 | items
    order = np.argsort(pairs, kind="stable")
    pairs, times = pairs[order], times[order]
    same = (pairs[1:] == pairs[:-1]) & (times[1:] == times[:-1])
    out = np.zeros(len(order), dtype=bool)
    out[order[1:][same]] = True
    out[order[:-1][same]] = True
    return out


def one_a_pair(events: pl.DataFrame, how: Dedupe) -> pl.DataFrame:
    """One event of each user-item pair: the first, the last, or the last with the sum of the weights."""
    if how == "sum":
        events = events.with_columns(pl.col(c.WEIGHT).sum().over(_PAIR))
    return events.unique(_PAIR, keep="first" if how == "first" else "last", maintain_order=True)


def k_core(users: Ints, items: Ints, k: int) -> Bools:
    """``bool[E]``: the events of the largest part in which every user and every item has at least ``k`` events."""
    left = np.arange(len(users))
    keep = np.zeros(len(users), dtype=bool)
    while len(left):
        stays = (np.bincount(users) >= k)[users] & (np.bincount(items) >= k)[items]
        if stays.all():
            break
        left, users, items = left[stays], users[stays], items[stays]
    keep[left] = True
    return keep


def _without_robots(kept: Kept, most: int, places: list[str]) -> Kept:
    """Without the users who have more than ``most`` events; their events become rejects."""
    events = kept.log.events
    robot = events.select(pl.len().over(c.USER_NUMBER) > most).to_series()
    caught = events.filter(robot).with_columns(
        kept.log.users.gather(events.filter(robot)[c.USER_NUMBER]).alias(c.USER),
        kept.log.items.gather(events.filter(robot)[c.ITEM_NUMBER]).alias(c.ITEM),
    )
    reason = f"the user has more than {most} events (a robot?)"
    rejects: list[pl.DataFrame] = []
    for number, place in enumerate(places):
        part = caught.filter(pl.col(SOURCE) == number).drop(SOURCE, c.WEIGHT, *_PAIR)
        rejects.append(refused(part, pl.Series([reason] * part.height, dtype=pl.String), "events", place))
    after = kept.step(f"users with more than {most} events", events.filter(~robot), leave=True)
    # An item that only robots touched stays in the catalogue: it was the users who were refused.
    return replace(after, rejects=[*kept.rejects, *rejects], gone_items=kept.gone_items)


def _lost(names: pl.Series, before: pl.Series, after: pl.Series) -> pl.Series:
    left = present(names, after)
    return present(names, before).filter(~present(names, before).is_in(left.implode()))
