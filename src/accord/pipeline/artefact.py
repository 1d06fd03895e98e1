"""A trained pipeline as a folder: TOML, a card with hashes, safetensors and Parquet. Nothing is pickled.

::

    pipeline.toml          the specification with every chosen hyper-parameter and the chosen fusion
    card.json              what it was made from and with, and the SHA-256 of every other file
    vocab.parquet          the catalogue, in the order of item numbers
    users.parquet          the known users
    histories.parquet      their events: user, item, weight, timestamp; with heads also event and value
    parts/*.safetensors    learned arrays, one file a part
"""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from accord import __version__
from accord.core import catalog
from accord.core import columns as c
from accord.core.dataset import Dataset
from accord.core.errors import ArtefactError
from accord.core.part import Part
from accord.core.state import file_digest, load_state, save_state
from accord.core.tables import read_table, write_table
from accord.pipeline.pipeline import FALLBACK, Pipeline
from accord.pipeline.spec import PipelineSpec, Search, Values, make, spec_of

FORMAT = 1
CARD = "card.json"


def save(pipeline: Pipeline, folder: Path, facts: dict[str, Any]) -> None:
    """Write the pipeline; ``facts`` (metrics, data, versions) go into its card.

    The folder appears complete or not at all: it is written beside its place and moved there at the end. An earlier
    artefact of the same name is replaced; anything else there is refused.
    """
    folder = folder.resolve()
    check_place(folder)
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        _fill(fresh, pipeline, facts)
        _swap(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def check_place(folder: Path) -> None:
    """Raises ``ArtefactError`` where something other than an artefact or an empty folder lies at this place."""
    empty = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not empty and not (folder / "pipeline.toml").is_file():
        raise ArtefactError("something else lies there", place=str(folder), remedy="Choose another --out.")
    if not empty:
        read_card(folder)


def _fill(fresh: Path, pipeline: Pipeline, facts: dict[str, Any]) -> None:
    """Write everything, the card last."""
    (fresh / "parts").mkdir(parents=True)
    _write(pipeline, fresh)
    card = {
        "format": FORMAT,
        "accord": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config_digest": pipeline.spec.digest,
        "order": pipeline.data.order,
        **facts,
        "files": {str(path.relative_to(fresh)): file_digest(path) for path in _files(fresh)},
    }
    (fresh / CARD).write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _swap(fresh: Path, folder: Path) -> None:
    """Put the new folder in the place of the old one, which is deleted only afterwards."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def load(folder: Path) -> Pipeline:
    """Read a pipeline. Raises ``ArtefactError`` where a file is missing, altered, unlisted or of another format."""
    card = read_card(folder)
    _verify(folder, card)
    spec = spec_of((folder / "pipeline.toml").read_text(encoding="utf-8"), str(folder / "pipeline.toml"))
    data = Dataset(
        events=read_table(folder / "histories.parquet"),
        items=read_table(folder / "vocab.parquet"),
        users=read_table(folder / "users.parquet"),
        order=card["order"],
    )
    sources = {name: _part(folder, "sources", name, values) for name, values in spec.sources.items()}
    encoders = {name: _part(folder, "encoders", name, values) for name, values in spec.encoders.items()}
    fuser = _part(folder, "fusers", "fuser", spec.fusers[0])
    fallback = _part(folder, "sources", FALLBACK, {"kind": "popular"})
    heads = {name: _part(folder, "heads", name, values) for name, values in spec.heads.items()}
    return Pipeline(spec, data, sources, fuser, fallback, encoders, heads)


def read_card(folder: Path) -> dict[str, Any]:
    """The card of an artefact."""
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ArtefactError(
            "not a trained pipeline (no card.json)",
            place=str(folder),
            remedy="Make one with: accord train DATASET --out RUN.",
        ) from None
    except ValueError:
        raise ArtefactError("damaged", place=str(path), remedy="Train again.") from None
    if not isinstance(card, dict) or card.get("format") != FORMAT or card.get("order") not in ("time", "row", "none"):
        raise ArtefactError(
            "written by another version of Accord",
            place=str(path),
            value=card.get("format") if isinstance(card, dict) else None,
            remedy=f"This version reads format {FORMAT}; train again.",
        )
    return card


def resolved(pipeline: Pipeline) -> PipelineSpec:
    """The specification with everything that was chosen: hyper-parameters, sources, the fusion."""
    return pipeline.spec.model_copy(
        update={
            "encoders": {name: _values("encoders", part) for name, part in pipeline.encoders.items()},
            "sources": {name: _values("sources", part) for name, part in pipeline.sources.items()},
            "fusers": [_values("fusers", pipeline.fuser)],
            "heads": {name: _values("heads", head) for name, head in pipeline.heads.items()},
            "search": Search(),
        }
    )


def _values(role: catalog.Role, part: Part) -> Values:
    """The table of a part: its kind and every value that is not the default."""
    kind = catalog.name_of(role, type(part))
    return {"kind": kind, **part.config.model_dump(mode="python", exclude_defaults=True)}


def _write(pipeline: Pipeline, folder: Path) -> None:
    spec = resolved(pipeline)
    (folder / "pipeline.toml").write_text(spec.to_toml(), encoding="utf-8")
    columns = (c.USER_NUMBER, c.ITEM_NUMBER, c.WEIGHT, c.TIME, *((c.EVENT, c.VALUE) if pipeline.heads else ()))
    kept = [name for name in columns if name in pipeline.data.events.column_names]
    write_table(pipeline.data.events.select(kept), folder / "histories.parquet")
    write_table(pipeline.data.items, folder / "vocab.parquet")
    write_table(pipeline.data.users, folder / "users.parquet")
    parts: dict[str, Part] = {**pipeline.sources, FALLBACK: pipeline.fallback}
    for name, part in parts.items():
        save_state(_path(folder, "sources", name), part.state())
    for name, encoder in pipeline.encoders.items():
        save_state(_path(folder, "encoders", name), encoder.state())
    for name, head in pipeline.heads.items():
        save_state(_path(folder, "heads", name), head.state())
    save_state(_path(folder, "fusers", "fuser"), pipeline.fuser.state())


def _part(folder: Path, role: Any, name: str, values: Values) -> Any:
    return make(role, values, f"{folder}: {role}.{name}").load_state(load_state(_path(folder, role, name)))


def _path(folder: Path, role: str, name: str) -> Path:
    return folder / "parts" / f"{role}-{name}.safetensors"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / CARD)


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
