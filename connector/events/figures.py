"""How each endpoint fares, in figures: for the metrics, `doctor`, `status` and whoever asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connector.events.catalogue import Endpoint
from connector.store import outbox
from connector.store.database import Database


@dataclass(frozen=True, slots=True)
class EndpointFigures:
    """One endpoint: what waits for it and how old the oldest is, what failed, and what holds it up."""

    name: str
    host: str
    waiting: int = 0
    oldest_seconds: float = 0.0
    failed: int = 0
    answered_at: datetime | None = None
    """When it last took a message."""
    failing_since: datetime | None = None
    closed_until: datetime | None = None
    cause: str = ""
    off_at: datetime | None = None
    off_why: str = ""

    @property
    def state(self) -> str:
        """`off`, `waits` (not called for now), `fails` (called, and not well) or `on`."""
        if self.off_at is not None:
            return "off"
        return "waits" if self.closed_until is not None else "fails" if self.failing_since else "on"


def figures(db: Database, endpoints: Mapping[str, Endpoint], now: datetime) -> tuple[EndpointFigures, ...]:
    """Every configured endpoint's."""
    if not endpoints:
        return ()
    with db.read() as connection:
        rows = {row.name: row for row in outbox.endpoint_rows(connection, list(endpoints))}
    made = []
    for name, one in sorted(endpoints.items()):
        row = rows.get(name)
        if row is None:
            made.append(EndpointFigures(name, one.host))
            continue
        made.append(
            EndpointFigures(
                name=name,
                host=one.host,
                waiting=int(row.waiting or 0),
                oldest_seconds=max(0.0, (now - row.oldest).total_seconds()) if row.oldest else 0.0,
                failed=int(row.failed or 0),
                answered_at=row.answered_at,
                failing_since=row.failing_since,
                closed_until=row.closed_until if row.closed_until and row.closed_until > now else None,
                cause=row.cause or "",
                off_at=row.off_at,
                off_why=row.off_why or "",
            )
        )
    return tuple(made)
