"""Regressions whose inverse is not kept: new items are placed by what it does to the side rows."""

from __future__ import annotations

from abc import ABC
from typing import cast

from accord.core.arrays import Floats, Longs
from accord.core.dataset import Dataset
from accord.models.regressed import Regressed
from accord.models.sketch import features


class Sketched(Regressed, ABC):
    """A regression that keeps ``A^-1 F`` of the side rows F on few axes, in place of the ``float32[n, n]`` of A^-1."""

    learned_lately = ("axes", "sketch")
    axes: Floats | None = None
    """``float32[D, dim]``: main axes of the side rows; see ``sketch.axes_of``."""
    sketch: Floats | None = None
    """``float32[n, dim]``: A^-1 times the side rows on these axes, A being the Gram matrix; None without side rows."""

    def _features(self, data: Dataset, items: Longs) -> Floats:
        return features(data, self.config.side, cast("Floats", self.axes), items)

    def _solved(self, targets: Floats, features: Floats) -> Floats:
        return cast("Floats", self.sketch) @ features.T
