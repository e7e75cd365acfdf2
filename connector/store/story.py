"""Everything that is kept about one ticket, for whoever asks why it did or did not sync. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from connector.store.among import among
from connector.store.effects import OPEN
from connector.store.links import named
from connector.store.tables import deliveries, effects, events, links, parked, tickets, unplaced

SHOWN = 200
"""So many events of a ticket are shown, the newest."""


def tickets_named(connection: sa.Connection, word: str) -> list[sa.Row[Any]]:
    """The tickets of that number, Next Cap id or CRM record id; a word may be one ticket's number and another's id."""
    return list(connection.execute(sa.select(tickets).where(tickets.c.id.in_(named(word))).order_by(tickets.c.id)))


def links_of(connection: sa.Connection, ticket_id: int) -> list[sa.Row[Any]]:
    """The links of a ticket, by connection."""
    query = sa.select(links).where(links.c.ticket_id == ticket_id)
    return list(connection.execute(query.order_by(links.c.connection)))


def open_effects(connection: sa.Connection, link_id: int) -> list[sa.Row[Any]]:
    """Writes of a link whose outcome is not settled, in the order in which they are made."""
    query = sa.select(effects).where(effects.c.link_id == link_id, effects.c.state.in_(OPEN))
    return list(connection.execute(query.order_by(effects.c.position, effects.c.id)))


def parked_of(connection: sa.Connection, link_id: int) -> list[sa.Row[Any]]:
    """What waits for a person on a link, oldest first."""
    query = sa.select(parked).where(parked.c.link_id == link_id, parked.c.resolved_at.is_(None))
    return list(connection.execute(query.order_by(parked.c.id)))


def arrived(connection: sa.Connection, ticket_id: int | None, subjects: Sequence[str]) -> list[sa.Row[Any]]:
    """Events about a ticket, or that named one of these records before any link knew it; oldest first."""
    about = sa.and_(events.c.ticket_id.is_(None), among(events.c.subject, subjects))
    if ticket_id is not None:
        about = sa.or_(events.c.ticket_id == ticket_id, about)
    query = (
        sa.select(events, deliveries.c.seen)
        .join(deliveries, deliveries.c.id == events.c.delivery_id, isouter=True)
        .where(about)
        .order_by(events.c.id.desc())
        .limit(SHOWN)
    )
    return list(connection.execute(query))[::-1]


def waiting_records(connection: sa.Connection, subject: str) -> list[sa.Row[Any]]:
    """Records of that id that wait to be placed: an event named them and no link knows them yet."""
    return list(connection.execute(sa.select(unplaced).where(unplaced.c.subject == subject)))


def failing(connection: sa.Connection, limit: int = 100) -> list[sa.Row[Any]]:
    """Links that failed for their own reason and are tried again, those that fail longest first."""
    query = (
        sa.select(links, tickets.c.number, tickets.c.nextcap_id)
        .join(tickets, tickets.c.id == links.c.ticket_id)
        .where(links.c.attempts > 0, links.c.due_at.is_not(None))
        .order_by(links.c.failing_since, links.c.id)
        .limit(limit)
    )
    return list(connection.execute(query))
