"""All encoders of a pipeline over one dataset: each writes its column, or is named with the reason why not."""

from __future__ import annotations

from collections.abc import Mapping

from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.roles import Encoder
from accord.core.run import Run


def encode_columns(encoders: Mapping[str, Encoder], data: Dataset, run: Run) -> tuple[Dataset, dict[str, str]]:
    """Let each encoder learn from the items, and the events, and write its vectors as the column of its name.

    Returns the dataset with the columns added, and for each encoder that does not apply to this data its reason.
    """
    skipped: dict[str, str] = {}
    for name, encoder in encoders.items():
        with run.step(f"encode {name}"):
            try:
                vectors = encoder.learn(data, run).encode(data.items, run)
            except CannotFit as reason:
                skipped[name] = str(reason)
                continue
            data = data.with_vectors(name, vectors)
    return data, skipped
