"""Fits that many trials share: what does not depend on a changed value is not made again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.roles import Encoder, Recommender
from accord.core.run import Run
from accord.data.pooling import pool_texts
from accord.encode.columns import encode_columns
from accord.pipeline.resume import kept_fit
from accord.pipeline.spec import PipelineSpec, Values, make


class Fits:
    """Encoded columns and fitted sources of the newest trial, and of the pipeline that all trials start from."""

    def __init__(self, data: Dataset, run: Run) -> None:
        self.run = run
        self.made = 0
        """How many sources were fitted, or taken over from an interrupted job."""
        self._plain = replace(data, items=pool_texts(data))
        self._encoded: list[tuple[dict[str, Values], Dataset, dict[str, Encoder]]] = []
        self._fitted: dict[str, list[tuple[Any, Recommender]]] = {}

    def data(self, spec: PipelineSpec) -> Dataset:
        """The events to learn from, with all encoded columns."""
        return self._encoded_by(spec)[0]

    def encoders(self, spec: PipelineSpec) -> dict[str, Encoder]:
        """What made the encoded columns."""
        return self._encoded_by(spec)[1]

    def _encoded_by(self, spec: PipelineSpec) -> tuple[Dataset, dict[str, Encoder]]:
        for values, data, encoders in self._encoded:
            if values == spec.encoders:
                return data, encoders
        made = {name: make("encoders", values, f"encoders.{name}") for name, values in spec.encoders.items()}
        data, skipped = encode_columns(made, self._plain, self.run)
        made = {name: encoder for name, encoder in made.items() if name not in skipped}
        self._encoded = [*self._encoded[:1], (spec.encoders, data, made)]
        return data, made

    def source(self, spec: PipelineSpec, name: str) -> Recommender | None:
        """One source, fitted; None where it does not apply to the data with these values.

        The first fit of each is kept for a job that goes on; those of trials are too many for that.
        """
        fresh: Recommender = make("sources", spec.sources[name], f"sources.{name}")
        key = _fit_key(spec, fresh)
        known = self._fitted.get(name, [])
        for other, source in known:
            if other == key:
                return _reread(fresh, source)
        try:
            data = self.data(spec)
            source = fresh.fit(data, self.run) if known else kept_fit(fresh, data, self.run)
        except CannotFit:
            return None
        self.made += 1
        self._fitted[name] = [*known[:1], (key, source)]
        return source

    def hold(self, spec: PipelineSpec, sources: Mapping[str, Recommender]) -> None:
        """Keep these fitted sources: the trials to come start from them."""
        self._fitted |= {name: [(_fit_key(spec, source), source)] for name, source in sources.items()}


def _fit_key(spec: PipelineSpec, source: Recommender) -> Any:
    """All that the learned arrays of a source depend on, beside the events."""
    settings = source.config.model_dump(exclude=set(type(source).read_late))
    return type(source), settings, spec.encoders if source.reads else None


def _reread(fresh: Recommender, fitted: Recommender) -> Recommender:
    """The learned arrays under other values of what is read late."""
    return fitted if fresh.config == fitted.config else fresh.load_state(fitted.state())
