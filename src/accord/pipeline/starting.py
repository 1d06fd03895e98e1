"""A pipeline for the time before there is a trained one: popularity and content, with nothing to choose."""

from __future__ import annotations

from accord.core.dataset import Dataset
from accord.core.run import Run
from accord.encode.columns import encode_columns
from accord.fuse.weighted import Weighted
from accord.pipeline.pipeline import FALLBACK, Pipeline
from accord.pipeline.sources import fit_sources
from accord.pipeline.spec import PipelineSpec, make

SPEC = PipelineSpec(
    name="starting",
    description="What is popular, and what says the same as the history; for a store without a trained model.",
    encoders={"tfidf": {"kind": "tfidf", "min_df": 1}},
    sources={"popular": {"kind": "popular"}, "content": {"kind": "content", "k": 50}},
)


def starting_pipeline(data: Dataset, run: Run) -> Pipeline:
    """The pipeline over what there is: items without events, without text, or without either are no error.

    Both sources count alike, for there is nothing to learn weights from. Takes seconds for 100,000 items.
    """
    encoders = {name: make("encoders", values, f"encoders.{name}") for name, values in SPEC.encoders.items()}
    data, unfit = encode_columns(encoders, data, run)
    fresh = {name: make("sources", values, f"sources.{name}") for name, values in SPEC.sources.items()}
    sources, _ = fit_sources(fresh, data, run, SPEC.name)
    fallback = make("sources", {"kind": "popular"}, FALLBACK).fit(data, run)
    kept = {name: encoder for name, encoder in encoders.items() if name not in unfit}
    return Pipeline(SPEC, data, sources, Weighted(sources=tuple(sources)), fallback, kept)
