"""What a person's decision changes of a link, beside marking it."""

from __future__ import annotations

import sqlalchemy as sa

from connector.domain.decision import Shadow
from connector.store.links import LinkRow, shadows_to_json
from connector.store.tables import links, tickets


def set_shadow(connection: sa.Connection, link_id: int, name: str, shadow: Shadow) -> None:
    """Put one field's shadows where a person's decision wants them."""
    row = connection.execute(sa.select(links.c.shadows).where(links.c.id == link_id).with_for_update()).one()
    changed = {**(row.shadows or {}), **shadows_to_json({name: shadow})}
    connection.execute(links.update().where(links.c.id == link_id).values(shadows=changed))


def forget(connection: sa.Connection, link: LinkRow) -> None:
    """A link to a record that became no ticket, and its empty ticket row. Its next event is the first again."""
    connection.execute(links.delete().where(links.c.id == link.id, links.c.linked_at.is_(None)))
    connection.execute(tickets.delete().where(tickets.c.id == link.ticket.id, tickets.c.nextcap_id.is_(None)))


def forget_trail(connection: sa.Connection, link_id: int, name: str) -> None:
    """Nothing of what we wrote to this field counts any more."""
    trails = connection.execute(sa.select(links.c.trails).where(links.c.id == link_id).with_for_update()).scalar()
    left = {field: trail for field, trail in (trails or {}).items() if field != name}
    connection.execute(links.update().where(links.c.id == link_id).values(trails=left))
