"""Cutting a log into what is learned from, chosen on and reported on."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from accord.core.arrays import Bools, Ints, Longs
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.data.holdout import Holdout, Split, hold_out, newer_events, step_ahead
from accord.data.link_splits import link_validation
from accord.data.people import is_people

TRAIN, VALID, TEST, LATER = 0, 1, 2, 3
"""The part of each event; ``LATER`` events are in no part of this split."""

DEEPEST = 10
"""The most questions that one person is asked for choosing."""

Parts = NDArray[np.integer]


def leave_last(data: Dataset) -> list[Split]:
    """Each user's last event is the test, the one before it validation; at test the history includes the latter.

    Users with fewer than three events stay in training only. Other users' later events are in the training part:
    comparable with papers, but milder than ``temporal``. Raises ``InputError`` where the log has no order.
    """
    if data.order == "none":
        raise InputError("a log without order has no last event", value="leave-last", remedy="Use the random split.")
    counts = np.bincount(data.event_users, minlength=data.n_users)
    enough = counts[data.event_users] >= 3
    age = newer_events(data.event_users, data.n_users)
    parts = np.where(enough & (age == 0), TEST, np.where(enough & (age == 1), VALID, TRAIN))
    short = int(((counts > 0) & (counts < 3)).sum())
    notes = [f"{short} users with fewer than three events are in training only."] if short else []
    return [_cut("leave-last", data, parts, notes)]


def temporal(data: Dataset, test: float = 0.1, valid: float = 0.1, cuts: int = 1) -> list[Split]:
    """Everything after a moment is the test, the window before it validation; one split a cut.

    The windows hold the shares ``test`` and ``valid`` of all events; events of one moment stay together. With
    ``cuts`` above 1 the last ``cuts`` windows of ``test`` each are tested in turn, oldest first; every cut trains
    on all before its own validation window, which gives small sets more users to test on. Users without history
    before the cut are asked too, with an empty history. Raises ``InputError`` where the log has no clock.
    """
    if data.order != "time":
        raise InputError("the log has no clock times", value="temporal", remedy="Use leave-last or random.")
    _check_shares(test, valid, test * cuts + valid)
    if cuts < 1:
        raise InputError("at least one cut is needed", place="cuts", value=cuts)
    times = np.sort(data.event_times)
    return [_window(data, times, cuts - cut - 1, cuts, test, valid) for cut in range(cuts)]


def random_split(data: Dataset, rng: np.random.Generator, test: float = 0.1, valid: float = 0.1) -> list[Split]:
    """Shares ``test`` and ``valid`` of all (user, item) pairs, drawn at random; every user keeps one in training."""
    _check_shares(test, valid, test + valid)
    return [_cut("random", data, _drawn(data, rng, test, valid), [])]


def given(data: Dataset, parts: Parts, rng: np.random.Generator) -> list[Split]:
    """An official split: ``parts`` holds ``TRAIN``, ``VALID`` or ``TEST`` for each event of the joined log.

    Without validation events these are cut from the training part: each user's last, or a random tenth where the
    log has no order. Items met in the test part alone are also tested ``"cold among cold"`` and ``"cold among all"``.
    """
    parts = np.asarray(parts)
    if parts.shape != (data.n_events,):
        raise InputError("one part an event is needed", place="parts", value=parts.shape)
    notes: list[str] = []
    if not (parts == VALID).any():
        parts = _with_validation(data, parts, rng, at_random=data.order == "none")
        how = "a random tenth" if data.order == "none" else "each user's last event"
        notes.append(f"Validation was cut from the training part: {how}.")
    split = _cut("given", data, parts, notes)
    in_test = np.bincount(data.event_items[parts == TEST], minlength=data.n_items) > 0
    cold = in_test & (split.refit.item_counts == 0)
    if cold.any():
        future = data.with_events((parts == TEST) & cold[data.event_items])
        if (split.refit.item_counts[split.tests["test"].truth.values] == 0).all():
            del split.tests["test"]  # the same questions as "cold among all"
        split.tests.update(_cold_tests(split.refit, future, cold))
    return [split]


def validation_only(data: Dataset, rng: np.random.Generator, *, at_random: bool = False) -> Split:
    """Nothing is kept for a test: each user's last event validates (a random tenth without order), all is refitted on.

    This is the split of production, and of a log whose own validation part cannot serve. Links between people are
    cut by ``link_validation``.
    """
    if is_people(data):
        return link_validation(data, rng)
    everything = np.full(data.n_events, TRAIN)
    return _production(data, _with_validation(data, everything, rng, at_random=at_random or data.order == "none"))


def newest_validation(data: Dataset, valid: float = 0.1) -> Split:
    """As ``validation_only``, with the newest share of all events as validation. The log must have a clock."""
    moment = np.quantile(data.event_times, 1 - valid)
    return _production(data, np.where(data.event_times >= moment, VALID, TRAIN))


def cold_items(
    data: Dataset,
    items: Ints | float,
    rng: np.random.Generator,
    base: Literal["leave-last", "random"] = "leave-last",
) -> list[Split]:
    """Items that nobody may learn from: all their events leave training, validation and the warm test.

    ``items`` are item numbers, or the share of the items with events that is drawn at random. The rest is split by
    ``base``, and ``"test"`` is its test. In ``"cold among cold"`` every user who touched a cold item is asked for
    his cold items among the cold items only; in ``"cold among all"`` among all. His history is the ``refit`` part,
    or all his warm events where the log has no clock.
    """
    cold = np.zeros(data.n_items, dtype=bool)
    cold[_known(items, data.n_items) if isinstance(items, np.ndarray) else _draw_items(data, items, rng)] = True
    touched = cold[data.event_items]
    if not touched.any():
        raise InputError("the cold items have no events, so nobody can be asked", place="items", value=items)
    warm = data.with_events(~touched)
    split = _base(warm, base, rng)
    past = split.refit if data.order == "time" else warm
    split.tests.update(_cold_tests(past, data.with_events(touched), cold))
    notes = [f"{int(cold.sum())} items are cold: their {int(touched.sum())} events were taken out.", *split.notes]
    return [Split(f"cold items, {base}", split.train, split.valid, split.refit, split.tests, notes)]


def cold_users(data: Dataset, fraction: float, rng: np.random.Generator) -> list[Split]:
    """Users that nobody may learn from: a share of those with two events or more, drawn at random.

    At ``"cold users"`` each is asked for his last event (a random one where the log has no order), with all his
    other events as history. The other users are split by leave-last, or at random where there is no order.
    """
    _check_shares(fraction, fraction, fraction)
    able = np.flatnonzero(np.bincount(data.event_users, minlength=data.n_users) >= 2)
    if not len(able):
        raise InputError("no user has two events", place="fraction", value=fraction)
    held = np.zeros(data.n_users, dtype=bool)
    held[rng.choice(able, max(1, round(fraction * len(able))), replace=False)] = True
    theirs = held[data.event_users]
    split = _base(data.with_events(~theirs), "random" if data.order == "none" else "leave-last", rng)
    last = theirs & (_newest(data, rng) == 0)
    split.tests["cold users"], _ = hold_out(data.with_events(theirs & ~last), data.with_events(last))
    notes = [f"{int(held.sum())} users are cold: none of their events is learned from.", *split.notes]
    return [Split("cold users", split.train, split.valid, split.refit, split.tests, notes)]


def deeper_validation(split: Split, wanted: int) -> Split:
    """The split with more to choose with: before the newest event of each user the one before it, and so on.

    For small logs with long histories: the same people are asked several times, each time by what they did until then,
    until about ``wanted`` questions are together; at most ``DEEPEST`` a person, and no more than a tenth of what
    training holds of them. The split itself where it has enough, or does not validate by everybody's newest event.
    """
    valid, data = split.valid, split.refit
    if not len(valid) or len(valid) >= wanted or data.order == "none" or not (valid.truth.lengths == 1).all():
        return split
    users = np.array([data.user_numbers[user] for user in valid.queries.users])
    age, asked = newer_events(data.event_users, data.n_users), np.zeros(data.n_users, dtype=bool)
    newest = np.full(data.n_users, -1)
    newest[data.event_users[age == 0]] = data.event_items[age == 0]
    asked[users] = True
    if (newest[users] != valid.truth.values).any() or len(np.unique(users)) < len(users):
        return split
    spared = np.bincount(split.train.event_users, minlength=data.n_users) // 10
    more = np.where(asked, np.minimum(spared, min(DEEPEST, -(-wanted // len(valid))) - 1), -1)
    held = age <= more[data.event_users]
    if held.sum() == len(valid):
        return split
    rows = np.flatnonzero(held)
    by_user = rows[np.argsort(data.event_users[rows], kind="stable")]
    return replace(split, train=data.with_events(~held), valid=step_ahead(data, by_user))


def _cut(name: str, data: Dataset, parts: Parts, notes: list[str]) -> Split:
    """The split in which each event has its part."""
    for part, label in ((TRAIN, "training"), (VALID, "validation"), (TEST, "test")):
        if not (parts == part).any():
            raise InputError(f"no events are left for {label}", place=name, value=f"{data.n_events} events in all")
    train, refit = data.with_events(parts == TRAIN), data.with_events((parts == TRAIN) | (parts == VALID))
    valid, again = hold_out(train, data.with_events(parts == VALID))
    test, more = hold_out(refit, data.with_events(parts == TEST))
    if again or more:
        notes = [*notes, f"Not asked for, because seen before: {again} items of validation and {more} of the test."]
    return Split(name, train, valid, refit, {"test": test}, notes)


def _newest(data: Dataset, rng: np.random.Generator) -> Longs:
    """Age of each event within its user; in random order where the log has none."""
    if data.order != "none":
        return newer_events(data.event_users, data.n_users)
    shuffled = rng.permutation(data.n_events)
    age = np.empty(data.n_events, dtype=np.int64)
    age[shuffled] = newer_events(data.event_users[shuffled], data.n_users)
    return age


def _window(data: Dataset, times: NDArray[np.float64], later: int, cuts: int, test: float, valid: float) -> Split:
    """The cut whose test window has ``later`` windows after it."""
    n = len(times)
    starts = [
        round(n * (1 - test * (later + 1) - valid)),
        round(n * (1 - test * (later + 1))),
        round(n * (1 - test * later)),
    ]
    edges = [times[start] if start < n else np.inf for start in starts]
    parts = np.searchsorted(edges, data.event_times, side="right")  # TRAIN, VALID, TEST, LATER in turn
    name = "temporal" if cuts == 1 else f"temporal {cuts - later}/{cuts}"
    split = _cut(name, data, parts, [])
    new = int((split.tests["test"].queries.history.lengths == 0).sum())
    split.notes.append(f"{new} of {len(split.tests['test'])} test users have no history before the cut.")
    return split


def _drawn(data: Dataset, rng: np.random.Generator, test: float, valid: float) -> Parts:
    """Parts drawn by (user, item) pair, so that a pair met twice is never on both sides."""
    keys = data.event_users.astype(np.int64) * data.n_items + data.event_items
    pairs, pair_of = np.unique(keys, return_inverse=True)
    draws = rng.random(len(pairs))
    parts = np.where(draws < test, TEST, np.where(draws < test + valid, VALID, TRAIN))
    users = pairs // data.n_items
    order = np.lexsort((draws, users))
    newest = np.append(users[order][1:] != users[order][:-1], True)
    parts[order[newest]] = TRAIN  # the largest draw of each user
    return parts[pair_of]


def _production(data: Dataset, parts: Parts) -> Split:
    train = data.with_events(parts == TRAIN)
    valid, _ = hold_out(train, data.with_events(parts == VALID))
    return Split("production", train, valid, data, {})


def _with_validation(data: Dataset, parts: Parts, rng: np.random.Generator, *, at_random: bool) -> Parts:
    """Move some training events to validation; every user keeps at least one in training."""
    where = np.flatnonzero(parts == TRAIN)
    train = data.with_events(parts == TRAIN)
    if at_random:
        chosen = _drawn(train, rng, 0.0, 0.1) == VALID
    else:
        enough = np.bincount(train.event_users, minlength=train.n_users) >= 2
        chosen = (newer_events(train.event_users, train.n_users) == 0) & enough[train.event_users]
    out = parts.copy()
    out[where[chosen]] = VALID
    return out


def _base(data: Dataset, base: str, rng: np.random.Generator) -> Split:
    return leave_last(data)[0] if base == "leave-last" else random_split(data, rng)[0]


def _cold_tests(past: Dataset, future: Dataset, cold: Bools) -> dict[str, Holdout]:
    asked, _ = hold_out(past, future)
    candidates = np.flatnonzero(cold).astype(np.int32)
    return {"cold among cold": asked.among(candidates), "cold among all": asked}


def _draw_items(data: Dataset, fraction: float, rng: np.random.Generator) -> Longs:
    _check_shares(fraction, fraction, fraction)
    known = np.flatnonzero(data.item_counts)
    return rng.choice(known, max(1, round(fraction * len(known))), replace=False)


def _known(items: Ints, n_items: int) -> Ints:
    wrong = items[(items < 0) | (items >= n_items)]
    if len(wrong):
        raise InputError("not an item number", place="items", value=int(wrong[0]), remedy=f"Known: 0 to {n_items - 1}.")
    return items


def _check_shares(test: float, valid: float, total: float) -> None:
    if test <= 0 or valid <= 0 or total >= 1:
        raise InputError(
            "shares must be above 0 and leave some events to train on",
            value={"test": test, "valid": valid, "held out in all": round(total, 6)},
        )
