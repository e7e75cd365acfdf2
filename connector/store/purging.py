"""What retention removes: the oldest first, in small steps, and never waiting for anybody."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa


def oldest(
    moment: sa.Column[Any], *only: sa.ColumnElement[bool] | sa.TextClause, before: datetime, limit: int
) -> sa.Select[tuple[int]]:
    """The ids of at most so many rows whose moment lies before then, the oldest first.

    What somebody else has locked is left for the next time.
    """
    table = moment.table
    old = sa.select(table.c.id).where(moment < before, *only).order_by(moment).limit(limit)
    return old.with_for_update(skip_locked=True)


def remove(
    connection: sa.Connection,
    moment: sa.Column[Any],
    *only: sa.ColumnElement[bool] | sa.TextClause,
    before: datetime,
    limit: int,
) -> int:
    """Delete these rows; how many."""
    table = moment.table
    assert isinstance(table, sa.Table)  # noqa: S101 - columns of our own tables
    old = oldest(moment, *only, before=before, limit=limit)
    return int(connection.execute(table.delete().where(table.c.id.in_(old))).rowcount)
