"""The files of other systems and of public data sets, as rows with our own column names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from accord.core.errors import InputError
from accord.data.formats import amazon, gorse, movielens, recbole
from accord.data.readers import Rows

FORMATS: Mapping[str, Callable[[tuple[str, ...]], list[Rows]]] = {
    "amazon": amazon.read,
    "gorse": gorse.read,
    "movielens": movielens.read,
    "recbole": recbole.read,
}


def read_format(name: str, paths: tuple[str, ...]) -> list[Rows]:
    """Every table that the files of a format hold. Raises ``InputError`` for a name that is not known.

    A format raises ``DataError`` where the files of its layout are missing; bad rows come back as rejects.
    """
    if name not in FORMATS:
        raise InputError("no such format", place="--from", value=name, remedy=f"There are: {', '.join(FORMATS)}.")
    return FORMATS[name](paths)


__all__ = ["FORMATS", "read_format"]
