"""What Next Cap's deliveries leave behind: their events, newer readings and marks, by one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connector.store import bulk, deliveries, links, readings
from connector.store.links import Look
from connector.store.readings import Reading

_leave = bulk.Chain(readings=readings.keep_each, events=deliveries.add_each_event, marks=links.mark_each_ticket)


def leave(
    connection: sa.Connection,
    *,
    found: Sequence[Reading],
    events: Sequence[Mapping[str, Any]],
    looks: Mapping[int, Look],
    now: datetime,
) -> set[str]:
    """Keep these readings and events, and mark these tickets (by row id); the names of the connections concerned."""
    rows = {"readings": readings.rows_of(found), "events": events, "marks": links.rows_to_mark(looks)}
    return {row.connection for row in _leave(connection, rows, now=now)} - {""}
