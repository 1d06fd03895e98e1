"""SQL tables, by URL: ``sqlite:///shop.db?table=events``, ``postgresql+psycopg://user@host/shop?table=public.events``.

The URL is SQLAlchemy's, with ``table=NAME`` or ``table=SCHEMA.NAME`` added. The name must be that of a table or view
that the database has; anything more than one table is for a view to say.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from accord.core.errors import DataError, InputError
from accord.data.readers.base import Rows, simplified, unreadable
from accord.data.rejects import ROW

_BATCH = 50_000


def read(url: str, table: str) -> Rows:
    """Read a whole table or view, in batches. Raises ``DataError`` naming the tables there are."""
    try:
        import sqlalchemy as sa
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
    except ModuleNotFoundError:
        raise InputError("reading SQL needs SQLAlchemy", remedy="Install it: pip install '.[sql]'.") from None
    place = hidden(url)
    try:
        engine = sa.create_engine(_checked(url, place))
        with engine.connect() as connection:
            source = _find(sa, connection, _wanted(url, place), place)
            result = connection.execution_options(yield_per=_BATCH).execute(sa.select(source))
            names = list(result.keys())
            parts = [_frame(names, batch) for batch in result.partitions()]
        engine.dispose()
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise unreadable(place, error, "Check the URL, and that the database's driver is installed.") from None
    except SQLAlchemyError as error:
        raise unreadable(place, getattr(error, "orig", None) or error) from None
    frame, dropped = simplified(_together([_frame(names, []), *parts]))
    rows = frame.with_row_index(ROW, offset=1)
    return Rows(table, place, "sql", rows, ordered=False, dropped=dropped)


def hidden(url: str) -> str:
    """The URL with its password hidden."""
    scheme, _, rest = url.partition("://")
    login, at, host = rest.rpartition("@")
    if not at:
        return url
    user, colon, _ = login.partition(":")
    return f"{scheme}://{user}{':***' if colon else ''}@{host}"


def _checked(url: str, place: str) -> Any:
    """SQLAlchemy's URL without ``table``; an SQLite file must exist, or it would be made."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url).difference_update_query(["table"])
    file = parsed.database
    if parsed.get_backend_name() == "sqlite" and (not file or not Path(file).is_file()):
        raise DataError("there is no such file", place=place, value=file, remedy="Check the path.")
    return parsed


def _wanted(url: str, place: str) -> str:
    from sqlalchemy.engine import make_url

    name = make_url(url).query.get("table")
    if not isinstance(name, str):
        raise DataError("the URL names no table", place=place, remedy="End it in ?table=NAME.")
    return name


def _find(sa: Any, connection: Any, wanted: str, place: str) -> Any:
    schema, _, name = wanted.rpartition(".")
    inspector = sa.inspect(connection)
    found = [*inspector.get_table_names(schema or None), *inspector.get_view_names(schema or None)]
    if name not in found:
        remedy = f"There are: {', '.join(sorted(found)) or 'none'}."
        raise DataError("there is no such table", place=place, value=wanted, remedy=remedy)
    return sa.Table(name, sa.MetaData(), schema=schema or None, autoload_with=connection)


def _frame(names: list[str], batch: Sequence[Any]) -> pl.DataFrame:
    columns = zip(*batch, strict=True) if batch else ([] for _ in names)
    return pl.DataFrame([_column(name, list(values)) for name, values in zip(names, columns, strict=True)])


def _column(name: str, values: list[Any]) -> pl.Series:
    """One column; as text where its values are of several types, as SQLite allows."""
    try:
        return pl.Series(name, values, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(name, [_text(value) for value in values], dtype=pl.String)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _together(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Batches as one table: a column whose type changes between batches becomes text."""
    try:
        return pl.concat(parts, how="vertical_relaxed")
    except pl.exceptions.PolarsError:
        return pl.concat([part.cast(pl.String, strict=False) for part in parts])
