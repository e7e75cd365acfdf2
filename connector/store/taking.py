"""What Next Cap's deliveries leave behind: themselves, events, newer readings, marks and bells, by one statement."""

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
    deliveries=deliveries.keep_each,
    events=deliveries.add_each_event,
    readings=readings.keep_each,
    marks=links.mark_each_ticket,
)


def leave(
    connection: sa.Connection,
    *,
    kept: Sequence[Mapping[str, Any]],
    found: Sequence[Reading],
    events: Sequence[Mapping[str, Any]],
    looks: Mapping[int, Look],
    now: datetime,
) -> list[str]:
    """Keep these deliveries, events and readings, mark these tickets (by row id), and ring for whom it concerns.

    Deliveries and events are rows as `store/deliveries.py` takes them. Returns the connections for which no bell was
    outstanding.
    """
    rows = {
        "deliveries": kept,
        "events": events,
        "readings": readings.rows_of(found),
        "marks": links.rows_to_mark(looks),
    }
    return sorted(row.name for row in _leave(connection, rows, **connections.ring_times(now)))
