"""A trained pipeline as a folder: TOML, a card with hashes, safetensors and Parquet. Nothing is pickled.

::

    pipeline.toml          the specification with every chosen hyper-parameter and the chosen fusion
    card.json              what it was made from and with, and the SHA-256 of every other file
    vocab.parquet          the catalogue, in the order of item numbers
    users.parquet          the known users
    histories.parquet      their events: user, item, weight, timestamp
    parts/*.safetensors    learned arrays, one file a part
"""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from accord import __version__
from accord.core import columns as c
from accord.core.dataset import Dataset
from accord.core.errors import ArtefactError
from accord.core.part import Part
from accord.core.state import file_digest, load_state, save_state
from accord.pipeline.pipeline import FALLBACK, Pipeline
from accord.pipeline.spec import PipelineSpec, Values, make, spec_of

FORMAT = 1
CARD = "card.json"


def save(pipeline: Pipeline, folder: Path, facts: dict[str, Any]) -> None:
    """Write the pipeline; ``facts`` (metrics, data, versions) go into its card.

    The folder appears complete or not at all: it is written beside its place and moved there at the end. An earlier
    artefact of the same name is replaced; anything else there is refused.
    """
    if folder.exists() and not (folder / CARD).exists() and any(folder.iterdir()):
        raise ArtefactError("the folder holds something else", place=str(folder), remedy="Choose another --out.")
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "parts").mkdir(parents=True)
    _write(pipeline, fresh)
    card = {
        "format": FORMAT,
        "accord": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config_digest": pipeline.spec.digest,
        **facts,
        "files": {str(path.relative_to(fresh)): file_digest(path) for path in _files(fresh)},
    }
    (fresh / CARD).write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if folder.exists():
        shutil.rmtree(folder)
    fresh.rename(folder)


def load(folder: Path) -> Pipeline:
    """Read a pipeline. Raises ``ArtefactError`` where a file is missing, altered, unlisted or of another format."""
    card = read_card(folder)
    _verify(folder, card)
    spec = spec_of((folder / "pipeline.toml").read_text(encoding="utf-8"), str(folder / "pipeline.toml"))
    data = Dataset(
        events=pq.read_table(folder / "histories.parquet"),
        items=pq.read_table(folder / "vocab.parquet"),
        users=pq.read_table(folder / "users.parquet"),
        order=card["order"],
    )
    sources = {name: _part(folder, "sources", name, values) for name, values in spec.sources.items()}
    encoders = {name: _part(folder, "encoders", name, values) for name, values in spec.encoders.items()}
    fuser = _part(folder, "fusers", "fuser", spec.fusers[0])
    fallback = _part(folder, "sources", FALLBACK, {"kind": "popular"})
    return Pipeline(spec, data, sources, fuser, fallback, encoders)


def read_card(folder: Path) -> dict[str, Any]:
    """The card of an artefact."""
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtefactError(
            "not a trained pipeline (no card.json)",
            place=str(folder),
            remedy="Make one with: accord train DATASET --out RUN.",
        ) from None
    except ValueError:
        raise ArtefactError("damaged", place=str(path), remedy="Train again.") from None
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise ArtefactError(
            "written by another version of Accord",
            place=str(path),
            value=card.get("format") if isinstance(card, dict) else None,
            remedy=f"This version reads format {FORMAT}; train again.",
        )
    return card


def resolved(pipeline: Pipeline) -> PipelineSpec:
    """The specification with everything that was chosen: hyper-parameters, sources, the fusion."""
    return PipelineSpec(
        name=pipeline.spec.name,
        description=pipeline.spec.description,
        depth=pipeline.spec.depth,
        encoders={name: pipeline.spec.encoders[name] for name in pipeline.encoders},
        sources={name: _values(pipeline.spec.sources[name], part) for name, part in pipeline.sources.items()},
        fusers=[_fuser_values(pipeline)],
    )


def _values(given: Values, part: Part) -> Values:
    return {"kind": given["kind"], **part.config.model_dump(mode="python", exclude_defaults=True)}


def _fuser_values(pipeline: Pipeline) -> Values:
    kind = next(
        iter(
            values["kind"]
            for values in [*pipeline.spec.fusers, {"kind": "weighted"}]
            if type(make("fusers", values, "fusers", sources=("x",))) is type(pipeline.fuser)
        )
    )
    return {"kind": kind, **pipeline.fuser.config.model_dump(mode="python", exclude_defaults=True)}


def _write(pipeline: Pipeline, folder: Path) -> None:
    spec = resolved(pipeline)
    (folder / "pipeline.toml").write_text(spec.to_toml(), encoding="utf-8")
    kept = [
        name for name in (c.USER_NUMBER, c.ITEM_NUMBER, c.WEIGHT, c.TIME) if name in pipeline.data.events.column_names
    ]
    _parquet(pipeline.data.events.select(kept), folder / "histories.parquet")
    _parquet(pipeline.data.items, folder / "vocab.parquet")
    _parquet(pipeline.data.users, folder / "users.parquet")
    parts: dict[str, Part] = {**pipeline.sources, FALLBACK: pipeline.fallback}
    for name, part in parts.items():
        save_state(_path(folder, "sources", name), part.state())
    for name, encoder in pipeline.encoders.items():
        save_state(_path(folder, "encoders", name), encoder.state())
    save_state(_path(folder, "fusers", "fuser"), pipeline.fuser.state())


def _part(folder: Path, role: Any, name: str, values: Values) -> Any:
    return make(role, values, f"{folder}: {role}.{name}").load_state(load_state(_path(folder, role, name)))


def _path(folder: Path, role: str, name: str) -> Path:
    return folder / "parts" / f"{role}-{name}.safetensors"


def _parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CARD)


def _verify(folder: Path, card: dict[str, Any]) -> None:
    listed = card.get("files")
    there = {str(path.relative_to(folder)): path for path in _files(folder)}
    if not isinstance(listed, dict) or set(listed) != set(there):
        odd = sorted(set(there) ^ set(listed or {}))
        raise ArtefactError("files are missing or not listed in the card", place=str(folder), value=odd)
    for name, path in there.items():
        if file_digest(path) != listed[name]:
            raise ArtefactError(
                "the file is not the one that was saved (its hash differs from the card)",
                place=str(path),
                remedy="Restore it or train again.",
            )
