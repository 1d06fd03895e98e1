"""What a pipeline is made of, as TOML says it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import Field, field_validator

from accord.core import catalog
from accord.core.config import Config, parse
from accord.core.errors import InputError
from accord.pipeline.space import Tune, ends, part_of, put

Values = dict[str, Any]
EXTENDS = "extends"
"""The key of a file that names the preset it goes on from."""
RESERVED = ("score", "events", "fallback", "fused", "boost", "pin", "base", "others")


class Search(Config):
    """Hyper-parameters chosen on validation, one source at a time, by the NDCG@10 of that source alone."""

    values: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict[str, list[Any]])
    """Values to try by ``source.parameter``."""
    queries: int = Field(default=3_000, ge=1)
    """How many validation queries judge."""
    max_items: int = Field(default=5_000, ge=0)
    """Parameters that need a new fit are searched up to this size of catalogue only; others always."""


class PipelineSpec(Config):
    """Encoders, sources and fusers by name; each table holds a ``kind`` from the catalogue and its parameters."""

    name: str = "custom"
    """How the preset or file calls itself."""
    description: str = ""
    """One line for ``accord presets``."""
    depth: int = Field(default=100, ge=1)
    """How many items each source offers a query (more where a longer list is asked for)."""
    max_validation: int = Field(default=12_000, ge=10)
    """The most validation queries that weights are learned on; fewer where each has many true items."""
    hide: float = Field(default=0.1, ge=0, lt=1)
    """Share of items hidden to learn how to mix for items without events; 0: no separate cold weights."""
    encoders: dict[str, Values] = Field(default_factory=dict[str, Values])
    """Item columns by name."""
    sources: dict[str, Values] = Field(min_length=1)
    """Sources by name."""
    fusers: list[Values] = Field(default_factory=lambda: [{"kind": "weighted"}], min_length=1)
    """Ways to fuse; validation chooses."""
    heads: dict[str, Values] = Field(default_factory=dict[str, Values])
    """Predictions beside the ranking, by name: ratings, clicks."""
    search: Search = Field(default_factory=lambda: Search())
    """Hyper-parameters to choose on validation."""
    tune: Tune = Field(default_factory=lambda: Tune())
    """What ``accord tune`` searches; nothing else reads it."""

    @field_validator("sources", "encoders", "heads")
    @classmethod
    def _good_names(cls, parts: dict[str, Values]) -> dict[str, Values]:
        taken = sorted(set(parts) & set(RESERVED))
        if taken:
            raise ValueError(f"these names are reserved: {', '.join(taken)}")
        odd = [name for name in parts if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name)]
        if odd:  # names become file names
            raise ValueError(f"names are lower-case words of letters, digits and _, unlike {odd[0]!r}")
        return parts

    def to_toml(self) -> str:
        """The specification as TOML text."""
        return tomli_w.dumps(self.model_dump(mode="python", exclude_defaults=True))


def make(role: catalog.Role, values: Values, place: str, **more: Any) -> Any:
    """Build a part from its table. Raises ``InputError`` naming the place."""
    if "kind" not in values:
        raise InputError("the table lacks its kind", place=place, remedy=f"One of: {', '.join(catalog.names(role))}.")
    kind = catalog.find(role, str(values["kind"]), place)
    settings = {name: value for name, value in values.items() if name != "kind"} | more
    return kind(parse(kind.Config, settings, place))


def read_spec(path: Path) -> PipelineSpec:
    """Read a pipeline from a TOML file. Raises ``InputError`` with the place of the mistake."""
    try:
        return spec_of(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise InputError("no such file", place="--config", value=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"not a text file ({error})", place="--config", value=str(path)) from None


def spec_of(text: str, place: str) -> PipelineSpec:
    """Parse TOML text and check that every part can be built."""
    spec = parse(PipelineSpec, _whole(_tables(text, place), place), place)
    check(spec, place)
    return spec


def _whole(values: dict[str, Any], place: str) -> dict[str, Any]:
    """The tables of a file with those of the preset that it goes on from, which may go on from another."""
    if EXTENDS not in values:
        return values
    name, own = str(values[EXTENDS]), {key: value for key, value in values.items() if key != EXTENDS}
    base = _whole(_tables(preset_text(name, f"{place}: {EXTENDS}"), EXTENDS), place)
    return _merged(_without_search(base, own.get("sources", {})), own)


def _tables(text: str, place: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not TOML ({error})", place=place) from None


def _merged(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Two tables as one: tables in both are merged, ``false`` leaves out what the base has, all else replaces it."""
    out = dict(base)
    for name, value in more.items():
        old = out.get(name)
        if value is False and isinstance(old, dict):
            del out[name]
        else:
            out[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return out


def _without_search(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The base without values to try for sources that are left out."""
    search: dict[str, Any] = base.get("search", {})
    tried: dict[str, Any] = search.get("values", {})
    kept = {key: options for key, options in tried.items() if changes.get(key.partition(".")[0]) is not False}
    return base if kept == tried else {**base, "search": {**search, "values": kept}}


def check(spec: PipelineSpec, place: str) -> None:
    """Build every part once, so that a mistake is reported before any work is done."""
    for name, values in spec.encoders.items():
        make("encoders", values, f"{place}: encoders.{name}")
    for name, values in spec.sources.items():
        make("sources", values, f"{place}: sources.{name}")
    for number, values in enumerate(spec.fusers):
        make("fusers", {"sources": tuple(spec.sources)} | values, f"{place}: fusers[{number}]")
    for name, values in spec.heads.items():
        make("heads", {"sources": tuple(spec.sources)} | values, f"{place}: heads.{name}")
    for key, options in spec.search.values.items():
        source, _, parameter = key.partition(".")
        if source not in spec.sources or parameter == "kind":
            raise InputError("not source.parameter of a source above", place=f"{place}: search.values", value=key)
        for option in options:
            make("sources", spec.sources[source] | {parameter: option}, f"{place}: search.values.{key}")
    for path, options in spec.tune.space.items():
        for option in ends(options):
            part = f"{place}: tune.space.{path.rpartition('.')[0]}"
            value_at(with_values(spec, {path: option}, f"{place}: tune.space"), path, part)


def with_values(spec: PipelineSpec, values: Mapping[str, Any], place: str = "tune.space") -> PipelineSpec:
    """The same pipeline with other values by dotted path; None stands for the default of a setting."""
    tables = deepcopy({"encoders": spec.encoders, "sources": spec.sources, "fusers": spec.fusers})
    for path, value in values.items():
        try:
            put(tables, path, value)
        except InputError as error:
            raise InputError(error.problem, place=place, value=path, remedy=error.remedy) from None
    return spec.model_copy(update=tables)


def value_at(spec: PipelineSpec, path: str, place: str) -> Any:
    """The value that a setting has, by the file or by default. Raises ``InputError`` where its part cannot be built."""
    table, name, keys = part_of(path)
    if table == "fusers":
        config = make("fusers", {"sources": tuple(spec.sources)} | spec.fusers[int(name)], place).config
    else:
        config = make("encoders" if table == "encoders" else "sources", getattr(spec, table)[name], place).config
    value: Any = getattr(config, keys[0], None)
    for key in keys[1:]:
        value = value.get(key) if isinstance(value, Mapping) else getattr(value, key, None)
    return value


def preset_names() -> list[str]:
    """The presets that come with the package."""
    folder = resources.files("accord.pipeline") / "presets"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def preset_text(name: str, place: str = "--preset") -> str:
    """The TOML of a preset. Raises ``InputError`` naming the presets there are."""
    if name not in preset_names():
        raise InputError("no such preset", place=place, value=name, remedy=f"One of: {', '.join(preset_names())}.")
    return (resources.files("accord.pipeline") / "presets" / f"{name}.toml").read_text(encoding="utf-8")


def preset_descriptions() -> dict[str, str]:
    """What each preset is; nothing is built, for its parts may need packages that are not installed."""
    return {name: str(_tables(preset_text(name), name)["description"]) for name in preset_names()}


def preset(name: str) -> PipelineSpec:
    """A preset by name."""
    return spec_of(preset_text(name), name)
