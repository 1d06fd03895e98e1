"""The encoded item columns that a pipeline's sources and fuser read, which growing needs beside the fitted arrays."""

from __future__ import annotations

from accord.core.arrays import Matrix
from accord.core.errors import InputError
from accord.core.run import Run
from accord.pipeline.pipeline import Pipeline


def read_columns(pipeline: Pipeline) -> list[str]:
    """The names of the encoded columns that a source or the fuser reads and an encoder of the pipeline makes."""
    readers = (*pipeline.sources.values(), pipeline.fuser)
    wanted = dict.fromkeys(name for reader in readers for name in reader.reads)
    return [name for name in wanted if name in pipeline.encoders]


def all_vectors(pipeline: Pipeline, run: Run) -> dict[str, Matrix]:
    """These columns of all items: as the pipeline has them, or encoded anew where an earlier version saved none.

    Encoding a whole catalogue anew can take minutes; it is needed once for a pipeline that was saved so.
    """
    vectors: dict[str, Matrix] = {}
    for name in read_columns(pipeline):
        known = pipeline.data.vectors.get(name)
        if known is None:
            with run.step(f"encode {name}"):
                known = pipeline.encoders[name].encode(pipeline.data.items, run)
        if known.shape[0] != pipeline.data.n_items:
            raise InputError(f"column {name!r} does not fit the catalogue", value=known.shape)
        vectors[name] = known
    return vectors
