"""Lists in which a weighted sum is not the answer."""

from dataclasses import replace

import numpy as np
from test_softmax import panel_of

from accord.core.queries import Queries
from accord.core.space import Space
from accord.fuse.base import AGE, HISTORY, Panel
from accord.fuse.circumstances import facts_of


def by_history(queries: int = 1_000, seed: int = 0) -> Panel:
    """One source knows what people with a short history want, the other what those with a long one want."""
    rng = np.random.default_rng(seed)
    short, long = rng.standard_normal((2, queries, 20))
    true, grown = rng.integers(20, size=queries), rng.random(queries) < 0.5
    at = np.arange(20) == true[:, None]
    scores = {"short": short + 2.5 * (at & ~grown[:, None]), "long": long + 2.5 * (at & grown[:, None])}
    panel = panel_of(scores, [[int(place)] for place in true])
    panel.slate.facts[HISTORY] = np.where(grown, 30.0, 2.0)
    return panel


def by_text(queries: int = 1_500, seed: int = 0, *, fixed: bool = True, turned: bool = False) -> Panel:
    """What comes up has, in the second half of its vector, what is asked for in the first half: no cosine tells.

    ``turned``: all vectors rotated, as by another fit.
    """
    rng = np.random.default_rng(seed)
    items = np.random.default_rng(9).standard_normal((60, 8)).astype(np.float32)
    users = rng.standard_normal((queries, 8)).astype(np.float32)
    shown = np.argsort(rng.random((queries, 60)), axis=1)[:, :20].astype(np.int32)
    fits = np.einsum("bd,bkd->bk", users[:, :4], items[shown][:, :, 4:])
    true = (2 * fits + rng.gumbel(size=fits.shape)).argmax(axis=1)
    panel = panel_of({"guess": rng.standard_normal(fits.shape)}, [[int(n)] for n in shown[np.arange(queries), true]])
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((8, 8)))[0].astype(np.float32)
    ends = (items @ turn, users @ turn) if turned else (items, users)
    name = "text" if fixed else "guess"
    slate = replace(panel.slate, items=shown, spaces={name: Space(*ends, fixed=fixed)})
    return replace(panel, slate=slate)


def by_age(queries: int = 1_000, seed: int = 0) -> Panel:
    """One source is right about young items, the other about old ones."""
    rng = np.random.default_rng(seed)
    of_young, of_old = rng.standard_normal((2, queries, 20))
    days = np.where(rng.random((queries, 20)) < 0.5, 2.0, 400.0).astype(np.float32)
    liked = 2.5 * np.where(days < 30, of_young, of_old)
    true = (liked + rng.gumbel(size=liked.shape)).argmax(axis=1)
    panel = panel_of({"young": of_young, "old": of_old}, [[int(place)] for place in true])
    return replace(panel, slate=panel.slate.with_column(AGE, days))


def by_circumstance(queries: int = 1_200, seed: int = 0) -> Panel:
    """One source is right at home and in the morning, the other elsewhere and later."""
    rng = np.random.default_rng(seed)
    at_home, elsewhere = rng.standard_normal((2, queries, 20))
    home = rng.random(queries) < 0.5
    true = (2.5 * np.where(home[:, None], at_home, elsewhere) + rng.gumbel(size=at_home.shape)).argmax(axis=1)
    panel = panel_of({"home": at_home, "elsewhere": elsewhere}, [[int(place)] for place in true])
    places = np.where(home, "home", rng.choice(["train", "work"], queries)).astype(object)
    places[::9] = None
    hours = np.where(home, rng.uniform(6, 10, queries), rng.uniform(12, 22, queries))
    asked = replace(Queries.of([[]] * queries), now=3_600 * hours, context={"place": places})
    panel.slate.facts.update(facts_of(asked))
    return panel
