"""What Next Cap's deliveries leave behind: their events, newer readings, marks and bells, by one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connector.store import bulk, connections, deliveries, links, readings
from connector.store.links import Look
from connector.store.readings import Reading

_leave = bulk.Chain(
    connections.ringing,
    readings=readings.keep_each,
    events=deliveries.add_each_event,
    marks=links.mark_each_ticket,
)


def leave(
    connection: sa.Connection,
    *,
    found: Sequence[Reading],
    events: Sequence[Mapping[str, Any]],
    looks: Mapping[int, Look],
    now: datetime,
) -> list[str]:
    """Keep these readings and events, mark these tickets (by row id), and ring for the connections concerned.

    Returns those of them for which no bell was outstanding.
    """
    rows = {"readings": readings.rows_of(found), "events": events, "marks": links.rows_to_mark(looks)}
    return sorted(row.name for row in _leave(connection, rows, **connections.ring_times(now)))
