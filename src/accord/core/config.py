"""Hyper-parameters: one frozen pydantic model beside each class, written once."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from accord.core.errors import InputError

C = TypeVar("C", bound="Config")


class Config(BaseModel):
    """Base of every configuration: frozen, no unknown keys, hashed by its values (tables and lists too)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @property
    def digest(self) -> str:
        """Short SHA-256 of the values, the same on every machine."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __hash__(self) -> int:
        return hash((type(self), self.digest))


def parse(kind: type[C], values: dict[str, Any], place: str) -> C:
    """Validate ``values`` as ``kind``; the error names the place, the field, the value and what fits."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        known = ", ".join(kind.model_fields) or "nothing"
        raise InputError(
            first["msg"],
            place=f"{place}.{field}" if field else place,
            value=first.get("input"),
            remedy=f"Known keys: {known}.",
        ) from None
