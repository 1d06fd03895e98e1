"""A trained pipeline as a folder: TOML, a card with hashes, safetensors and Parquet. Nothing is pickled.

::

    pipeline.toml          the specification with every chosen hyper-parameter and the chosen fusion
    card.json              what it was made from and with, and the SHA-256 of every other file
    card.sha256            the SHA-256 of the card
    vocab.parquet          the catalogue, in the order of item numbers
    users.parquet          the known users
    histories.parquet      their events: user, item, weight, timestamp; with heads also event and value
    parts/*.safetensors    learned arrays, one file a part; the encoded item columns that sources read
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from accord import __version__
from accord.core import catalog
from accord.core import columns as c
from accord.core.arrays import Matrix
from accord.core.dataset import Dataset
from accord.core.errors import ArtefactError
from accord.core.part import Part, pack, unpack
from accord.core.roles import Recommender
from accord.core.state import map_state, save_state
from accord.core.tables import read_table, write_table
from accord.pipeline.card import CARD, read_card, read_text, verify, write_card
from accord.pipeline.columns import read_columns
from accord.pipeline.pipeline import FALLBACK, Pipeline
from accord.pipeline.space import Tune
from accord.pipeline.spec import PipelineSpec, Search, Values, make, spec_of

COLUMN = "rows"
"""The name of an encoded column in its file."""
__all__ = ["check_place", "load", "read_card", "resolved", "save"]


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
        _sweep(folder)
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
        "accord": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config_digest": pipeline.spec.digest,
        "order": pipeline.data.order,
        **({"fresh": pipeline.fresh} if pipeline.fresh else {}),
        **facts,
    }
    write_card(fresh, card)


def _swap(fresh: Path, folder: Path) -> None:
    """Put the new folder in the place of the old one, which is deleted only afterwards."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what killed jobs left beside the folder while they saved to it."""
    for path in folder.parent.iterdir():
        left = re.fullmatch(rf"\.{re.escape(folder.name)}\.(\d+)\.(new|old)", path.name)
        if left and not _alive(int(left[1])):
            shutil.rmtree(path, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def load(folder: Path) -> Pipeline:
    """Read a pipeline. Raises ``ArtefactError`` where a file is missing, altered, unlisted or of another format."""
    card = read_card(folder)
    verify(folder, card)
    spec = _spec(folder / "pipeline.toml")
    data = Dataset(
        events=read_table(folder / "histories.parquet"),
        items=read_table(folder / "vocab.parquet"),
        users=read_table(folder / "users.parquet"),
        order=card["order"],
        vectors={name: _column(folder, name) for name in spec.encoders if _path(folder, "columns", name).exists()},
    )
    sources = {name: _part(folder, "sources", name, values) for name, values in spec.sources.items()}
    encoders = {name: _part(folder, "encoders", name, values) for name, values in spec.encoders.items()}
    fuser = _part(folder, "fusers", "fuser", spec.fusers[0])
    fallback = _part(folder, "sources", FALLBACK, {"kind": "popular"})
    _check(data, {**sources, FALLBACK: fallback}, folder)
    heads = {name: _part(folder, "heads", name, values) for name, values in spec.heads.items()}
    return Pipeline(spec, data, sources, fuser, fallback, encoders, heads, fresh=_fresh(card, data, folder))


def _fresh(card: dict[str, Any], data: Dataset, folder: Path) -> int:
    fresh = card.get("fresh", 0)
    if not isinstance(fresh, int) or not 0 <= fresh <= data.n_events:
        raise ArtefactError("not a number of events", place=str(folder / CARD), value=fresh, remedy="Train again.")
    return fresh


def _column(folder: Path, name: str) -> Matrix:
    path = _path(folder, "columns", name)
    return unpack(map_state(path), COLUMN, path.name)


def _spec(path: Path) -> PipelineSpec:
    try:
        return spec_of(read_text(path), str(path))
    except RecursionError:
        raise ArtefactError("nested too deeply", place=str(path), remedy="Train again.") from None


def _check(data: Dataset, sources: Mapping[str, Recommender], folder: Path) -> None:
    """Sparse products index by these numbers without looking: a stranger's file must not reach outside."""
    for table, file, column, size in (
        (data.items, "vocab.parquet", c.ITEM, None),
        (data.users, "users.parquet", c.USER, None),
        (data.events, "histories.parquet", c.WEIGHT, None),
        (data.events, "histories.parquet", c.ITEM_NUMBER, data.n_items),
        (data.events, "histories.parquet", c.USER_NUMBER, data.n_users),
    ):
        numbers = table[column].to_numpy() if column in table.column_names else None
        if numbers is None or (size is not None and not bool(np.all((numbers >= 0) & (numbers < size)))):
            raise ArtefactError(
                f"column {column!r} is missing or holds other numbers than rows of the catalogue",
                place=str(folder / file),
                remedy="Train again.",
            )
    for name, column in data.vectors.items():
        if column.ndim != 2 or column.shape[0] != data.n_items:
            raise ArtefactError(
                f"not one row for each of the {data.n_items} items of vocab.parquet",
                place=str(_path(folder, "columns", name)),
                value=column.shape,
                remedy="Train again.",
            )
    for name, source in sources.items():
        if source.n_items != data.n_items:
            raise ArtefactError(
                f"learned on another catalogue than the {data.n_items} items of vocab.parquet",
                place=str(_path(folder, "sources", name)),
                value=source.n_items,
                remedy="Train again.",
            )


def resolved(pipeline: Pipeline) -> PipelineSpec:
    """The specification with everything that was chosen: hyper-parameters, sources, the fusion."""
    return pipeline.spec.model_copy(
        update={
            "encoders": {name: _values("encoders", part) for name, part in pipeline.encoders.items()},
            "sources": {name: _values("sources", part) for name, part in pipeline.sources.items()},
            "fusers": [_values("fusers", pipeline.fuser)],
            "heads": {name: _values("heads", head) for name, head in pipeline.heads.items()},
            "search": Search(),
            "tune": Tune(),
        }
    )


def _values(role: catalog.Role, part: Part) -> Values:
    """The table of a part: its kind and every value, so that a later version with other defaults reads the same."""
    kind = catalog.name_of(role, type(part))
    return {"kind": kind, **part.config.model_dump(mode="python", exclude_none=True)}


def _write(pipeline: Pipeline, folder: Path) -> None:
    spec = resolved(pipeline)
    (folder / "pipeline.toml").write_text(spec.to_toml(), encoding="utf-8")
    told = bool(pipeline.heads) or any(source.reads_told for source in pipeline.sources.values())
    columns = (c.USER_NUMBER, c.ITEM_NUMBER, c.WEIGHT, c.TIME, *((c.EVENT, c.VALUE) if told else ()))
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
    for name in read_columns(pipeline):
        if name in pipeline.data.vectors:
            save_state(_path(folder, "columns", name), pack({COLUMN: pipeline.data.vectors[name]}))


def _part(folder: Path, role: Any, name: str, values: Values) -> Any:
    return make(role, values, f"{folder}: {role}.{name}").load_state(map_state(_path(folder, role, name)))


def _path(folder: Path, role: str, name: str) -> Path:
    return folder / "parts" / f"{role}-{name}.safetensors"
