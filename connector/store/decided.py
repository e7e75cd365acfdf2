"""What a person's decision changes of a link, beside marking it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from connector.domain.decision import Shadow
from connector.domain.ticket import Side
from connector.store.links import Look, shadows_to_json
from connector.store.tables import links, tickets

UNDECIDED = "\ufffechosen by a person"
"""A shadow that no value equals: that side then counts as changed."""


def set_shadow(connection: sa.Connection, link_id: int, name: str, shadow: Shadow) -> None:
    """Put one field's shadows where a person's decision wants them."""
    row = connection.execute(sa.select(links.c.shadows).where(links.c.id == link_id).with_for_update()).one()
    changed = {**(row.shadows or {}), **shadows_to_json({name: shadow})}
    connection.execute(links.update().where(links.c.id == link_id).values(shadows=changed))


def set_state(connection: sa.Connection, link_id: int, state: str) -> None:
    """Whether a link is carried, as a person wants it."""
    connection.execute(links.update().where(links.c.id == link_id).values(state=state))


def forget_trail(connection: sa.Connection, link_id: int, name: str) -> None:
    """Nothing of what we wrote to this field counts any more."""
    trails = connection.execute(sa.select(links.c.trails).where(links.c.id == link_id).with_for_update()).scalar()
    left = {field: trail for field, trail in (trails or {}).items() if field != name}
    connection.execute(links.update().where(links.c.id == link_id).values(trails=left))


def undecide(
    connection: sa.Connection, link_id: int, sources: Mapping[str, Side], natives: Mapping[str, str], moment: datetime
) -> None:
    """Make these fields count as changed on these sides at this moment, whatever their shadows are by now."""
    query = sa.select(links.c.ticket_id, links.c.shadows, links.c.moments).where(links.c.id == link_id)
    row = connection.execute(query.with_for_update()).one()
    shadows = dict(row.shadows or {})
    for name, side in sources.items():
        nextcap, crm = shadows.get(name, (None, None))
        shadows[name] = [UNDECIDED, crm] if side is Side.NEXTCAP else [nextcap, UNDECIDED]
    theirs = {natives[name]: moment.isoformat() for name, side in sources.items() if side is Side.CRM}
    ours = {natives[name]: moment.isoformat() for name, side in sources.items() if side is Side.NEXTCAP}
    moments = {**(row.moments or {}), **theirs}
    connection.execute(links.update().where(links.c.id == link_id).values(shadows=shadows, moments=moments))
    if ours:
        known = connection.execute(sa.select(tickets.c.moments).where(tickets.c.id == row.ticket_id)).scalar()
        changed = {**(known or {}), **ours}
        connection.execute(tickets.update().where(tickets.c.id == row.ticket_id).values(moments=changed))


def set_due(connection: sa.Connection, link_id: int, look: Look, moment: datetime, *, mass: str, cause: str) -> None:
    """Work this link then, unless it is to be worked before; its writes are counted as `mass` says."""
    is_sooner = sa.and_(links.c.due_at.is_not(None), links.c.due_at < moment)
    connection.execute(
        links.update()
        .where(links.c.id == link_id)
        .values(
            seq=links.c.seq + 1,
            look=links.c.look.op("|")(int(look)),
            dirty_at=sa.case((is_sooner, links.c.dirty_at), else_=sa.literal(moment, links.c.dirty_at.type)),
            due_at=sa.case((is_sooner, links.c.due_at), else_=sa.literal(moment, links.c.due_at.type)),
            mass=mass,
            cause=cause,
        )
    )
