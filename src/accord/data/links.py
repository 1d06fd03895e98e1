"""Links between users, items and other things: friendships, a knowledge graph."""

from __future__ import annotations

import polars as pl

from accord.core import columns as c
from accord.core.errors import DataError
from accord.data.kinds import MAX_ID, ids
from accord.data.readers import Rows
from accord.data.rejects import first_reason, refused

_HEADS = (c.HEAD, "source", "subject", "from", c.USER, c.ITEM)
_TAILS = (c.TAIL, "target", "object", "to", "friend_id", "entity")
_RELATIONS = (c.RELATION, "predicate", "type")


def read_links(rows: Rows, name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """``head``, ``relation`` and ``tail`` as text, each triple once; and the rejects.

    Columns are found by name (head, relation, tail; user_id, friend_id; item_id, entity), else by place; without a
    relation column the relation is the name of the table. Raises ``DataError`` where there are fewer than two.
    """
    head, relation, tail = _found(rows)
    columns = [ids(rows.frame[head]).alias(c.HEAD), ids(rows.frame[tail]).alias(c.TAIL)]
    if relation is not None:
        columns.append(ids(rows.frame[relation]).alias(c.RELATION))
    frame = pl.DataFrame(columns)
    checks = [(f"{column} is missing", pl.col(column).is_null()) for column in frame.columns]
    checks += [(f"{x} is longer than {MAX_ID} characters", pl.col(x).str.len_chars() > MAX_ID) for x in frame.columns]
    reason = first_reason(frame, checks)
    if relation is None:
        frame = frame.with_columns(pl.lit(name).alias(c.RELATION))
    good = frame.filter(reason.is_null()).select(c.HEAD, c.RELATION, c.TAIL).unique(maintain_order=True)
    return good, refused(rows.frame, reason, "links", rows.place)


def _found(rows: Rows) -> tuple[str, str | None, str]:
    known = {name.casefold(): name for name in rows.columns}
    head, tail = (next((known[name] for name in names if name in known), None) for names in (_HEADS, _TAILS))
    if head is not None and tail is not None:
        return head, next((known[name] for name in _RELATIONS if name in known), None), tail
    if len(rows.columns) == 2:
        return rows.columns[0], None, rows.columns[1]
    if len(rows.columns) == 3:
        return rows.columns[0], rows.columns[1], rows.columns[2]
    raise DataError(
        "links need two or three columns",
        place=rows.place,
        value=rows.columns,
        remedy="Name them head, relation and tail.",
    )
