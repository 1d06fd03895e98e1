"""From a name in a file to a class: ``ease`` -> ``accord.models.ease:Ease``.

Built-ins register exactly as other packages do, by entry point in the groups ``accord.encoders``, ``accord.sources``
and ``accord.fusers``; nothing is imported before it is named, so a heavy extra costs nothing until it is used.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, TypeAlias

from accord.core.errors import InputError

Role: TypeAlias = Literal["encoders", "sources", "fusers"]


def names(role: Role) -> list[str]:
    """All registered names of a role, sorted."""
    return sorted(_registered(role))


def find(role: Role, name: str) -> type[Any]:
    """The class registered under a name. Raises ``InputError`` naming what there is, or what to install."""
    registered = _registered(role)
    if name not in registered:
        raise InputError(f"no such kind among the {role}", value=name, remedy=f"There are: {', '.join(names(role))}.")
    try:
        return registered[name].load()
    except ModuleNotFoundError as missing:
        raise InputError(
            f"{name!r} needs the package {missing.name!r}",
            remedy="Install the extras: pip install 'accord[all]'.",
        ) from None


@cache
def _registered(role: Role) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"accord.{role}")}
