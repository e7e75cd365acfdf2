"""What waits for a person: kept until somebody decides, at least thirty days, never dropped by us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connector.domain.decision import INCOMPLETE
from connector.domain.ticket import Value
from connector.store.among import among
from connector.store.links import from_json, to_json
from connector.store.tables import links, parked, tickets

LOOP = "loop"
"""The code of a field in quarantine."""


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
) -> bool:
    """Leave one thing to a person; a field of a link waits once, at its newest values. Whether it is new."""
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
            return False
    connection.execute(
        parked.insert().values(connection=name, link_id=link_id, delivery_id=delivery_id, field=field, at=now, **values)
    )
    return True


@dataclass(frozen=True, slots=True)
class Held:
    """Fields of one link that wait: the pair of values they wait at; those that wait at any; those that only wait
    for another field, and are decided anew each time.
    """

    pairs: Mapping[str, tuple[Value, Value]] = field(default_factory=dict)
    quarantined: frozenset[str] = frozenset()
    incomplete: frozenset[str] = frozenset()


NOTHING = Held()


def held(connection: sa.Connection, link_ids: Sequence[int]) -> dict[int, Held]:
    """What waits for a person, by link."""
    query = sa.select(parked).where(among(parked.c.link_id, link_ids), parked.c.resolved_at.is_(None))
    found: dict[int, list[sa.Row[Any]]] = {}
    for row in connection.execute(query):
        if row.field:
            found.setdefault(row.link_id, []).append(row)
    return {
        link_id: Held(_pairs(rows), _of_code(rows, LOOP), _of_code(rows, INCOMPLETE)) for link_id, rows in found.items()
    }


def _pairs(rows: Sequence[sa.Row[Any]]) -> dict[str, tuple[Value, Value]]:
    return {row.field: (_shown(row.nextcap), _shown(row.crm)) for row in rows}


def _shown(side: Mapping[str, Any] | None) -> Value:
    return from_json((side or {}).get("value"))


def _of_code(rows: Sequence[sa.Row[Any]], code: str) -> frozenset[str]:
    return frozenset(row.field for row in rows if row.code == code)


def show_newest(connection: sa.Connection, link_id: int, name: str, pair: tuple[Value, Value]) -> None:
    """What both sides say by now of a field that waits whatever they say."""
    same = (parked.c.link_id == link_id) & (parked.c.field == name) & parked.c.resolved_at.is_(None)
    sides = {"nextcap": {"value": to_json(pair[0])}, "crm": {"value": to_json(pair[1])}}
    connection.execute(parked.update().where(same).values(**sides))


def resolve_connection(
    connection: sa.Connection, name: str, code: str, fields: Sequence[str], *, now: datetime, by: str, how: str
) -> None:
    """Close what waits for this cause and belongs to the connection as a whole. `fields` tell which part of it."""
    mine = (parked.c.connection == name) & parked.c.link_id.is_(None) & (parked.c.code == code)
    mine &= among(parked.c.field, fields)
    is_open = parked.c.resolved_at.is_(None)
    connection.execute(parked.update().where(mine, is_open).values(resolved_at=now, resolution=how, resolved_by=by))


def settle(
    connection: sa.Connection, link_id: int, fields: Sequence[str], *, now: datetime, by: str, how: str
) -> set[str]:
    """These fields do not wait any more; those that had."""
    if not fields:
        return set()
    waiting = (parked.c.link_id == link_id) & among(parked.c.field, fields) & parked.c.resolved_at.is_(None)
    closing = parked.update().where(waiting).values(resolved_at=now, resolution=how, resolved_by=by)
    return {row.field for row in connection.execute(closing.returning(parked.c.field))}


def resolve(connection: sa.Connection, ids: Sequence[int], *, now: datetime, by: str, how: str) -> int:
    """Close these items; how many were open."""
    open_ones = among(parked.c.id, ids) & parked.c.resolved_at.is_(None)
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
