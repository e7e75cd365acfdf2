"""What waits for a person: kept until somebody decides, at least thirty days, never dropped by us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connector.domain.ticket import Value
from connector.store.links import from_json, to_json
from connector.store.tables import links, parked, tickets


def park(
    connection: sa.Connection,
    *,
    name: str,
    code: str,
    reason: str,
    now: datetime,
    link_id: int | None = None,
    delivery_id: int | None = None,
    field: str = "",
    nextcap: Value = None,
    crm: Value = None,
    candidates: Sequence[str] = (),
) -> None:
    """Leave one thing to a person; a field of a link waits once, at its newest values."""
    values = {
        "code": code,
        "reason": reason,
        "nextcap": {"value": to_json(nextcap)},
        "crm": {"value": to_json(crm)},
        "candidates": list(candidates),
    }
    if link_id is not None:
        same = (parked.c.link_id == link_id) & (parked.c.field == field) & parked.c.resolved_at.is_(None)
        if connection.execute(parked.update().where(same).values(**values)).rowcount:
            return
    connection.execute(
        parked.insert().values(connection=name, link_id=link_id, delivery_id=delivery_id, field=field, at=now, **values)
    )


def held(connection: sa.Connection, link_ids: Sequence[int]) -> dict[int, dict[str, tuple[Value, Value]]]:
    """Fields that wait for a person, with the pair of values they wait at, by link."""
    query = sa.select(parked).where(parked.c.link_id.in_(list(link_ids)), parked.c.resolved_at.is_(None))
    found: dict[int, dict[str, tuple[Value, Value]]] = {}
    for row in connection.execute(query):
        if row.field:
            pair = (from_json((row.nextcap or {}).get("value")), from_json((row.crm or {}).get("value")))
            found.setdefault(row.link_id, {})[row.field] = pair
    return found


def settle(connection: sa.Connection, link_id: int, fields: Sequence[str], *, now: datetime, by: str, how: str) -> None:
    """These fields do not wait any more."""
    if fields:
        connection.execute(
            parked.update()
            .where(parked.c.link_id == link_id, parked.c.field.in_(list(fields)), parked.c.resolved_at.is_(None))
            .values(resolved_at=now, resolution=how, resolved_by=by)
        )


def resolve(connection: sa.Connection, ids: Sequence[int], *, now: datetime, by: str, how: str) -> int:
    """Close these items; how many were open."""
    open_ones = parked.c.id.in_(list(ids)) & parked.c.resolved_at.is_(None)
    done = connection.execute(parked.update().where(open_ones).values(resolved_at=now, resolution=how, resolved_by=by))
    return int(done.rowcount)


def listed(
    connection: sa.Connection, *, name: str | None = None, code: str | None = None, limit: int = 500
) -> list[Mapping[str, Any]]:
    """Everything that waits, oldest first, with the ticket it belongs to."""
    query = (
        sa.select(parked, tickets.c.number, tickets.c.nextcap_id, links.c.record_id)
        .join(links, links.c.id == parked.c.link_id, isouter=True)
        .join(tickets, tickets.c.id == links.c.ticket_id, isouter=True)
        .where(parked.c.resolved_at.is_(None))
        .order_by(parked.c.id)
        .limit(limit)
    )
    if name:
        query = query.where(parked.c.connection == name)
    if code:
        query = query.where(parked.c.code == code)
    return [row._asdict() for row in connection.execute(query)]


def one(connection: sa.Connection, item_id: int) -> sa.Row[Any] | None:
    """One item, open or not."""
    return connection.execute(sa.select(parked).where(parked.c.id == item_id)).one_or_none()
