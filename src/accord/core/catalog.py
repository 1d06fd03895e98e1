"""From a name in a file to a class: ``ease`` -> ``accord.models.ease:Ease``.

Built-ins register exactly as other packages do, by entry point in the groups ``accord.encoders``, ``accord.sources``,
``accord.fusers`` and ``accord.heads``; nothing is imported before it is named, so a heavy extra costs nothing until it
is used.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, TypeAlias

from accord.core.errors import InputError

Role: TypeAlias = Literal["encoders", "sources", "fusers", "heads"]


def names(role: Role) -> list[str]:
    """All registered names of a role, sorted."""
    return sorted(_registered(role))


def find(role: Role, name: str, place: str | None = None) -> type[Any]:
    """The class registered under a name. Raises ``InputError`` naming what there is, or what to install.

    ``place``: where the name stands, for the error.
    """
    registered = _registered(role)
    if name not in registered:
        raise InputError(
            f"no such kind among the {role}", place=place, value=name, remedy=f"There are: {', '.join(names(role))}."
        )
    try:
        return registered[name].load()
    except ModuleNotFoundError as missing:
        raise InputError(
            f"{name!r} needs the package {missing.name!r}",
            place=place,
            remedy="Install the extras, in the checkout: pip install '.[all]'.",
        ) from None


def name_of(role: Role, kind: type[Any]) -> str:
    """The name under which a class is registered. Raises ``InputError`` where it is not."""
    place = f"{kind.__module__}:{kind.__qualname__}"
    for name, point in _registered(role).items():
        if point.value == place:
            return name
    raise InputError(f"the class is not registered among the {role}", value=place)


@cache
def _registered(role: Role) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"accord.{role}")}
