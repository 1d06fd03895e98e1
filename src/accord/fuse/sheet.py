"""What learned fusers look at: scores, what is known of items and histories, and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from accord.core.arrays import Bools, Floats, Ints, Longs
from accord.core.slate import Slate
from accord.core.space import Space
from accord.fuse.base import AGE, EVENTS, HISTORY, is_cold
from accord.fuse.circumstances import Circumstances

OF_PLACES = ("events", "age", "spread", "best", "agreement")
"""Of each place: the item's events and its age in days (as logarithms), spread and best of the sources' scores, and
the share of sources for which it lies one standard deviation above their mean; then, for each space, cosine and
length."""
OF_QUERIES = ("history", "stranger")
"""Of each query: the length of the history (as a logarithm), and whether it is empty; then each source's best score."""
NO_CIRCUMSTANCES = Circumstances((), ())
CELLS = 1 << 22
"""The most numbers of item vectors that are held at a time: 16 MiB."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Lists as a network reads them; all scores are standard scores by query."""

    items: Ints
    """``int32[B, P]``."""
    filled: Bools
    warm: Bools
    """``bool[B, P]``: places whose item has events; of others networks learn nothing, and nothing is corrected."""
    scores: Floats
    """``float32[B, P, S]``."""
    places: Floats
    """``float32[B, P, C]``: see ``OF_PLACES``."""
    queries: Floats
    """``float32[B, 2 + c]``: see ``OF_QUERIES``; then the circumstances."""
    tops: Floats
    """``float32[B, S]``: each source's best score in the list."""
    spaces: dict[str, Space]
    """Spaces that another fit gives alike."""

    @classmethod
    def of(
        cls,
        slate: Slate,
        scores: Floats,
        heard: Bools,
        spaces: Sequence[str],
        circumstances: Circumstances = NO_CIRCUMSTANCES,
    ) -> Sheet:
        """Of lists with the standard scores of the sources; those that are not ``heard`` count nothing.

        A space that the slate lacks says nothing.
        """
        scores = scores * heard
        tops = scores.max(axis=1, initial=0.0, where=slate.filled[:, :, None])
        lengths = slate.facts.get(HISTORY, np.zeros(len(slate)))
        queries = np.column_stack([np.log1p(lengths), lengths == 0, circumstances(slate)]).astype(np.float32)
        views = [_own(slate, scores, heard), *(_view(slate, name) for name in spaces)]
        fixed = {name: slate.spaces[name] for name in spaces if name in slate.spaces and slate.spaces[name].fixed}
        warm = slate.filled & ~is_cold(slate)
        return cls(slate.items, slate.filled, warm, scores, np.concatenate(views, axis=2), queries, tops, fixed)

    def __len__(self) -> int:
        return len(self.items)

    def rows(self, rows: Longs) -> Sheet:
        """Some of the lists."""
        arrays = {name: getattr(self, name)[rows] for name in (*_BY_PLACE, *_BY_QUERY)}
        return Sheet(**arrays, spaces={name: space.rows(rows) for name, space in self.spaces.items()})

    def take(self, places: Longs) -> Sheet:
        """Some places of each list, ``int64[B, P']``; what is known of the whole list stays."""
        flat = {name: np.take_along_axis(getattr(self, name), places, axis=1) for name in _BY_PLACE[:3]}
        deep = {name: np.take_along_axis(getattr(self, name), places[:, :, None], axis=1) for name in _BY_PLACE[3:]}
        return replace(self, **flat, **deep)


_BY_PLACE = ("items", "filled", "warm", "scores", "places")
_BY_QUERY = ("queries", "tops")


def width_of(spaces: Sequence[str]) -> int:
    """How many numbers ``Sheet.places`` holds of each place."""
    return len(OF_PLACES) + 2 * len(spaces)


def row_blocks(slate: Slate, sources: int, spaces: Sequence[str]) -> list[Longs]:
    """The lists in consecutive parts, so that a part's scores and vectors are no more than ``CELLS`` numbers."""
    widest = max([slate.spaces[name].items.shape[1] for name in spaces if name in slate.spaces], default=1)
    step = max(1, CELLS // max(1, slate.width * max(widest, 4 * sources)))
    return [np.arange(start, min(start + step, len(slate))) for start in range(0, len(slate), step)]


def _own(slate: Slate, scores: Floats, heard: Bools) -> Floats:
    """``float32[B, P, 5]``: ``OF_PLACES``."""
    known = scores[:, :, heard] if heard.any() else scores
    events = np.log1p(np.nan_to_num(slate.column(EVENTS)))
    age = np.log1p(np.nan_to_num(slate.columns.get(AGE, np.zeros(slate.items.shape, np.float32))))
    views = [events, age, known.std(axis=2), known.max(axis=2), (known > 1).mean(axis=2)]
    views[2:4] = [np.arcsinh(view) for view in views[2:4]]
    return np.stack(views, axis=2).astype(np.float32)


def _view(slate: Slate, name: str) -> Floats:
    """``float32[B, P, 2]``: cosine with the vector of who asks, and log of the length in mean lengths."""
    out = np.zeros((*slate.items.shape, 2), np.float32)
    if name not in slate.spaces or not slate.width:
        return out
    space = slate.spaces[name]
    users = space.users / np.maximum(np.linalg.norm(space.users, axis=1, keepdims=True), 1e-9)
    lengths = np.zeros(slate.items.shape, np.float32)
    step = max(1, CELLS // (slate.width * space.items.shape[1]))
    for start in range(0, len(slate), step):
        part = slice(start, start + step)
        rows = space.items[np.maximum(slate.items[part], 0)]
        lengths[part] = np.linalg.norm(rows, axis=2)
        products = (rows @ users[part][:, :, None])[:, :, 0]
        out[part, :, 0] = products / np.maximum(lengths[part], 1e-9)
    out[:, :, 1] = np.log1p(lengths / space.unit)
    out[~slate.filled] = 0
    return out
