"""The main category of each item: the values of the one field of the catalogue that tells most items apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from accord.core import columns as c
from accord.core.arrays import Ints
from accord.pipeline.fields import Fields, Words

MOST = 8
"""Values that get a name and a colour; all others are one."""
NO_CATEGORY = -1
"""Items whose value is none of these."""
_OWN = frozenset({c.ITEM, c.TITLE, c.DESCRIPTION, c.IMAGE, c.TEXT})
"""Columns that say something else of every item."""


@dataclass(frozen=True)
class Categories:
    """One field, its commonest values, and the one of them that each item counts as."""

    field: str
    names: list[str]
    """Commonest first."""
    of_item: Ints
    """``int32[n_items]``: place in ``names``, or ``NO_CATEGORY``."""

    def name(self, category: int) -> str:
        """The name of a category, ``other`` for none."""
        return self.names[category] if category != NO_CATEGORY else "other"

    @property
    def telling(self) -> float:
        """The share of items with a named value, times the entropy of these values in nats."""
        counts = np.bincount(self.of_item[self.of_item != NO_CATEGORY], minlength=len(self.names))
        counts = counts[counts > 0]
        return float((counts * np.log(counts.sum() / counts)).sum()) / len(self.of_item)


def main_categories(items: pa.Table) -> Categories | None:
    """The field that tells most; None where no field has two values that several items share each."""
    fields = Fields(items)
    named = [name for name, kind in fields.kinds.items() if name not in _OWN and kind in ("text", "list", "yes or no")]
    found = [_read(name, fields.words(name)) for name in named]
    return max((one for one in found if len(one.names) > 1), key=lambda one: one.telling, default=None)


def _read(field: str, words: Words) -> Categories:
    """An item of several values counts as the rarest of the named ones, which says most of it."""
    counts = words.of_word.lengths
    common = [code for code in np.argsort(-counts, kind="stable")[:MOST].tolist() if counts[code] > 1]
    of_item = np.full(len(words.of_item), NO_CATEGORY, np.int32)
    for place, code in enumerate(common):
        of_item[words.of_word[code]] = place  # later ones are rarer
    return Categories(field, [words.words[code] for code in common], of_item)
