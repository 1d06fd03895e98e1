"""Cutting links between people: both directions of a link always lie on the same side."""

from __future__ import annotations

import numpy as np

from accord.core.arrays import Bools, Doubles, Longs
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.data.holdout import Split, hold_out
from accord.data.people import own

TEST_SHARE, VALID_SHARE = 0.2, 0.1
ENOUGH = 50
"""Validation grows beyond its share until it asks so many people, or a quarter of all."""


def link_split(
    data: Dataset, rng: np.random.Generator, test: float = TEST_SHARE, valid: float = VALID_SHARE
) -> list[Split]:
    """Shares of all links between different people, drawn at random: the test, and validation.

    A link that is held out is held out in both directions, so that neither end tells of the other. ``data`` is what
    ``people`` gives. Raises ``InputError`` where the shares leave nothing to train on, or there are too few links.
    """
    if test <= 0 or valid <= 0 or test + valid >= 1:
        raise InputError("shares must be above 0 and leave some links to train on", value=(test, valid))
    draws = _draws(data, rng)
    tested = draws < test
    validated = (draws < test + valid) & ~tested
    train = data.with_events(~tested & ~validated)
    refit = data.with_events(~tested)
    if not (tested.any() and validated.any() and (draws < 2).sum() > tested.sum() + validated.sum()):
        raise InputError("too few links to hold some out", value=f"{_count(draws < 2)} links")
    asked, _ = hold_out(refit, data.with_events(tested))
    notes = [
        f"{_count(tested)} of {_count(draws < 2)} links are the test and {_count(validated)} validation, each in both "
        "directions; everybody who is at an end of one is asked for the other end."
    ]
    return [Split("links", train, hold_out(train, data.with_events(validated))[0], refit, {"test": asked}, notes)]


def link_validation(data: Dataset, rng: np.random.Generator, valid: float = VALID_SHARE) -> Split:
    """Nothing is kept for a test: a share of the links validates, and all are refitted on. The split of production."""
    draws = _draws(data, rng)
    validated = draws < max(valid, _least(data, draws))
    train = data.with_events(~validated)
    return Split("production", train, hold_out(train, data.with_events(validated))[0], data, {})


def _draws(data: Dataset, rng: np.random.Generator) -> Doubles:
    """``float64[E]``: a number from 0 to 1 for each link, the same in both directions; 2 for links to oneself."""
    ends = np.stack([data.event_users, data.event_items]).astype(np.int64)
    keys = ends.min(axis=0) * data.n_users + ends.max(axis=0)
    links, link_of = np.unique(keys, return_inverse=True)
    return np.where(own(data), 2.0, rng.random(len(links))[link_of])


def _least(data: Dataset, draws: Doubles) -> float:
    """The share of links that must validate so that enough people are asked; never more than a third."""
    order: Longs = np.argsort(draws, kind="stable")
    _, first = np.unique(data.event_users[order], return_index=True)
    wanted = min(ENOUGH, data.n_users // 4)
    if not wanted:
        return 0.0
    return float(min(1 / 3, np.nextafter(draws[order][np.sort(first)[wanted - 1]], 1.0)))


def _count(mask: Bools) -> int:
    """Links among events that hold each in both directions."""
    return int(mask.sum()) // 2
