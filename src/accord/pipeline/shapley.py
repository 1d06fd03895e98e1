"""What each source adds to a fused score: as the fuser tells it, or as exact Shapley values where it cannot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import factorial

import numpy as np

from accord.core.arrays import Bools, Doubles, Floats, Longs
from accord.core.columns import SCORE
from accord.core.queries import CELLS, Queries
from accord.core.slate import Slate
from accord.fuse.base import Fuser

PLAYERS = 7
"""The most sources, or groups of them, that are told apart: a list is fused for each of the 2^7 choices of them."""
OTHERS = "others"
"""The part of the weakest sources together, where there are more than ``PLAYERS``."""
BASE = "base"
"""The part of no source: the score where none has an opinion."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """The parts of the scores of one list."""

    names: tuple[str, ...]
    """Sources, then ``OTHERS`` and ``BASE`` where there are such parts."""
    values: Floats
    """``float32[K, P]``: the part of each name in each score; they sum to the score."""


def attributed(fuser: Fuser, queries: Queries, slate: Slate, places: Longs) -> list[Attribution]:
    """The parts of the scores at ``places`` (``int64[B, P]``) of the slates, one ``Attribution`` a query.

    A fuser whose parts stand alone tells them itself; for any other they are ``shapley`` values.
    """
    if fuser.tells_parts:
        return [Attribution(fuser.config.sources, parts) for parts in fuser.contributions_at(slate, places)]
    rows = np.arange(len(slate))[:, None]
    return [shapley(fuser, queries.take(row), slate.rows(row), places[row[0]]) for row in rows]


def shapley(fuser: Fuser, queries: Queries, slate: Slate, places: Longs) -> Attribution:
    """Exact Shapley values of the scores at ``places`` (``int64[K]``) of one list, for any fuser.

    A source that is left out has no opinion of any item; what it adds is averaged over all orders in which the sources
    could speak (Shapley, "A value for n-person games", 1953; Lundberg and Lee, "A unified approach to interpreting
    model predictions", 2017). The parts and ``BASE`` sum to the score. Of more than seven sources the six strongest
    are told apart. At most 2^7 + 2 S + 2 lists are fused, of which ``CELLS / 4`` numbers are held at a time.
    """
    game = _Game(fuser, queries, slate, places)
    names, n = fuser.config.sources, len(fuser.config.sources)
    if n <= PLAYERS:
        players = np.eye(n, dtype=bool)
        labels = names
    else:
        strong = np.sort(np.argsort(-game.strengths(), kind="stable")[: PLAYERS - 1])
        players = np.eye(n, dtype=bool)[strong]
        players = np.concatenate([players, ~players.any(axis=0, keepdims=True)])
        labels = (*(names[source] for source in strong), OTHERS)
    choices = np.arange(1 << len(players))[:, None] >> np.arange(len(players)) & 1
    values = game.scores(choices @ players > 0)
    parts = np.concatenate([_values(values), values[:1]])
    return Attribution((*labels, BASE), parts.T.astype(np.float32))


def _values(scores: Doubles) -> Doubles:
    """``float64[P, K]``: Shapley values, given ``float64[2^P, K]``: the scores of every choice, coded as bits."""
    n = len(scores).bit_length() - 1
    choices = np.arange(len(scores))
    sizes = (choices[:, None] >> np.arange(n) & 1).sum(axis=1)
    weights = np.array([factorial(size) * factorial(n - 1 - size) / factorial(n) for size in range(n)])
    out = np.empty((n, scores.shape[1]))
    for player in range(n):
        without = choices[choices >> player & 1 == 0]
        out[player] = weights[sizes[without]] @ (scores[without | 1 << player] - scores[without])
    return out


@dataclass(frozen=True, slots=True)
class _Game:
    """The scores of one list as a function of who may speak."""

    fuser: Fuser
    queries: Queries
    slate: Slate
    places: Longs

    def scores(self, speaking: Bools) -> Doubles:
        """``float64[C, K]``: the scores at the places, given ``bool[C, S]``: who speaks."""
        step = max(1, CELLS // 4 // max(1, self.slate.width * speaking.shape[1]))
        blocks = [self._block(speaking[start : start + step]) for start in range(0, len(speaking), step)]
        return np.concatenate(blocks)

    def strengths(self) -> Doubles:
        """``float64[S]``: how much each source changes alone, and among all the others."""
        n = len(self.fuser.config.sources)
        one, nobody = np.eye(n, dtype=bool), np.zeros((1, n), dtype=bool)
        scores = self.scores(np.concatenate([nobody, one, ~one, ~nobody]))
        alone, among = scores[1 : n + 1] - scores[0], scores[-1] - scores[n + 1 : -1]
        return np.nan_to_num(np.abs(alone) + np.abs(among)).sum(axis=1)

    def _block(self, speaking: Bools) -> Doubles:
        """The same list once for each row of ``speaking``: lists do not depend on each other."""
        same = np.zeros(len(speaking), np.int64)
        lists = self.slate.rows(same)
        heard = {
            name: np.where(speaking[:, [source]], lists.column(name), np.float32(np.nan))
            for source, name in enumerate(self.fuser.config.sources)
        }
        fused = self.fuser(self.queries.take(same), replace(lists, columns={**lists.columns, **heard}))
        return fused.column(SCORE)[:, self.places].astype(np.float64)
