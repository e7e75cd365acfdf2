"""Changing many rows, each in its own way, with one statement."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from connector.store.tables import Utc

JSONB = postgresql.JSONB(none_as_null=True)

New = Mapping[str, sa.ColumnElement[Any]]
"""A row's new values by name, as columns that a statement can use."""


def update_each(
    connection: sa.Connection,
    build: Callable[[New], sa.Update],
    types: Mapping[str, TypeEngine[Any]],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Carry out an update for every row. `build` makes it from the row's values, whose types are told.

    PostgreSQL is sent all rows as one JSON value: the statement is the same whatever their number, and one round trip.
    SQLite, which is no trip away, is given them one by one.
    """
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.execute(build({name: sa.bindparam(name, type_=kind) for name, kind in types.items()}), list(rows))
        return
    columns = [sa.column(name, _sent_as(kind)) for name, kind in types.items()]
    sent = sa.func.jsonb_to_recordset(sa.cast(sa.bindparam("all_rows", type_=sa.Text), postgresql.JSONB))
    new = sent.table_valued(*columns, name="new").render_derived(with_types=True)
    text = json.dumps([dict(row) for row in rows], default=_written)
    connection.execute(build(dict(new.c)), {"all_rows": text})


def _sent_as(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    if isinstance(kind, Utc):
        return postgresql.TIMESTAMP(timezone=True)
    return JSONB if isinstance(kind, sa.JSON) else kind


def _written(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} cannot be sent")
