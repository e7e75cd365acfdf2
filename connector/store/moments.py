"""Stored moments that lie ahead of now because the clock has gone back, and how they are brought back."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from connector.store.tables import (
    budgets,
    connections,
    cursors,
    drifts,
    effects,
    endpoints,
    links,
    outbox,
    tickets,
    unplaced,
)

DUE = (
    links.c.due_at,
    links.c.dirty_at,
    unplaced.c.due_at,
    connections.c.closed_until,
    cursors.c.at,
    links.c.compared_at,
    tickets.c.compared_at,
    tickets.c.owed_at,
    drifts.c.found_at,
    outbox.c.due_at,
    endpoints.c.closed_until,
)
"""What somebody would wait for. It is due now."""
FORGOTTEN = (
    links.c.crm_read_at,
    tickets.c.read_at,
    connections.c.bell_at,
    connections.c.next_start_at,
    budgets.c.paused_until,
)
"""What would pass for fresh, or hold something up. It is forgotten."""
HELD = (tickets.c.lease_until, connections.c.lease_until, effects.c.sending_until, endpoints.c.lease_until)
"""What somebody may hold or send just now. It ends after one lease at the latest."""


def bring_back(connection: sa.Connection, now: datetime, *, lease_until: datetime) -> None:
    """Nothing waits any longer than it would have, had the clock been right. Marks and counts are kept."""
    for columns, limit, becomes in ((DUE, now, now), (FORGOTTEN, now, None), (HELD, lease_until, lease_until)):
        for column in columns:
            table = column.table
            assert isinstance(table, sa.Table)  # noqa: S101 - columns of tables
            connection.execute(table.update().where(column > limit).values({column.name: becomes}))
    connection.execute(budgets.update().values(window=None))
