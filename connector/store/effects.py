"""Effects: every write has a name, and a row before it is sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connector.domain.ticket import Side
from connector.store import bulk
from connector.store.among import among
from connector.store.tables import CREATING, effects, links

INTENDED, SENDING, DONE, REFUSED, UNKNOWN = "intended", "sending", "done", "refused", "unknown"
COMMENT = "comment"
"""The kind of an effect that adds a timeline entry. Records have ids of their own, which may be equal to an entry's."""
OPEN = (INTENDED, SENDING, UNKNOWN)


@dataclass(frozen=True, slots=True)
class Effect:
    """One named write. `payload` is what the kind needs to be sent or recognised again."""

    id: int
    link_id: int
    key: str
    kind: str
    side: Side
    state: str
    payload: Mapping[str, Any]
    remote_id: str | None
    answered: bool
    absent: int
    sending_until: datetime | None
    sent_at: datetime | None
    created_at: datetime

    @property
    def words(self) -> str:
        """What a comment's effect carries, in words: a reply, a customer reply, a note."""
        return str(self.payload["kind"]).replace("_", " ")


def comment_key(source: Side, entry_id: str) -> str:
    """The key of the effect that carries this entry of one side to the other."""
    return f"{COMMENT}:{source}:{entry_id}"


def is_comment_key(field: str) -> bool:
    """Whether what waits for a person under this name is a comment, and not a field of the mapping."""
    return field.startswith(f"{COMMENT}:")


def intend(connection: sa.Connection, rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Name writes that are to be made; a name that exists already stays as it is."""
    full = [{"state": INTENDED, "created_at": now, "answered": False, "absent": 0, **row} for row in rows]
    bulk.upsert(connection, effects, full, ["link_id", "key"])


def sending(connection: sa.Connection, effect_ids: Sequence[int], *, now: datetime, until: datetime) -> None:
    """About to be sent: nobody may look for the outcome before `until`."""
    connection.execute(
        effects.update()
        .where(among(effects.c.id, effect_ids))
        .values(state=SENDING, sent_at=now, sending_until=until, answered=False, absent=0)
    )


def done(connection: sa.Connection, effect_id: int, remote_id: str | None) -> None:
    """Applied, and this is the entry or record that it made. The words are not needed any more."""
    connection.execute(
        effects.update().where(effects.c.id == effect_id).values(state=DONE, remote_id=remote_id, payload={})
    )


def set_state(connection: sa.Connection, effect_id: int, state: str, **values: Any) -> None:
    """Move an effect to this state, with new values of further columns."""
    connection.execute(effects.update().where(effects.c.id == effect_id).values(state=state, **values))


def reopen(connection: sa.Connection, link_id: int, key: str) -> None:
    """A refused write is to be tried again, as a person asked."""
    again = (effects.c.link_id == link_id) & (effects.c.key == key) & (effects.c.state == REFUSED)
    connection.execute(effects.update().where(again).values(state=INTENDED, absent=0))


def refuse(connection: sa.Connection, effect_ids: Collection[int]) -> None:
    """These are left to a person, in the transaction that parks them."""
    if effect_ids:
        connection.execute(effects.update().where(among(effects.c.id, effect_ids)).values(state=REFUSED))


def drop(connection: sa.Connection, effect_ids: Sequence[int]) -> None:
    """Forget writes of absolute values once their outcome is known: the shadows and the journal hold it."""
    if effect_ids:
        connection.execute(effects.delete().where(among(effects.c.id, effect_ids)))


def open_of(connection: sa.Connection, link_ids: Sequence[int]) -> dict[int, list[Effect]]:
    """Effects whose outcome is not settled, by link, in the order in which they are to be made."""
    query = (
        sa.select(effects)
        .where(among(effects.c.link_id, link_ids), effects.c.state.in_(OPEN))
        .order_by(effects.c.position, effects.c.id)
    )
    found: dict[int, list[Effect]] = {}
    for row in connection.execute(query):
        found.setdefault(row.link_id, []).append(_effect(row))
    return found


def has_open_creates(connection: sa.Connection, name: str, kind: str) -> bool:
    """Whether a create of this kind is on its way, and could be a record that somebody shows us.

    One that was left to a person is on its way no more.
    """
    is_waiting = _of_connection(name).where(links.c.due_at.is_not(None))
    query = sa.select(effects.c.id).where(CREATING, effects.c.kind == kind, is_waiting).limit(1)
    return connection.execute(query).first() is not None


def known_entries(connection: sa.Connection, link_id: int, side: Side) -> frozenset[str]:
    """Ids of this side's timeline entries that crossed already, were turned down, or were made by us."""
    prefix = comment_key(side, "")
    crossed = connection.execute(
        sa.select(effects.c.key).where(effects.c.link_id == link_id, effects.c.key.startswith(prefix, autoescape=True))
    )
    ours = connection.execute(
        sa.select(effects.c.remote_id).where(
            effects.c.link_id == link_id,
            effects.c.side == side,
            effects.c.remote_id.is_not(None),
            effects.c.kind == COMMENT,
        )
    )
    return frozenset(row.key[len(prefix) :] for row in crossed) | frozenset(row.remote_id for row in ours)


def made_by_us(connection: sa.Connection, name: str, entry_ids: Sequence[str]) -> frozenset[str]:
    """Which of these CRM entries of a connection were made by effects of ours."""
    query = (
        sa.select(effects.c.remote_id)
        .where(among(effects.c.remote_id, entry_ids), effects.c.side == Side.CRM, effects.c.kind == COMMENT)
        .where(_of_connection(name))
    )
    return frozenset(row.remote_id for row in connection.execute(query)) if entry_ids else frozenset()


def _of_connection(name: str) -> sa.Exists:
    """Effects of this connection's links. A join would make SQLite begin with all of these."""
    return sa.exists().where(links.c.id == effects.c.link_id, links.c.connection == name)


def sent_elsewhere(connection: sa.Connection, name: str, link_id: int, entry_ids: Sequence[str]) -> frozenset[str]:
    """Which of these CRM entries of a connection were brought to Next Cap by another link than this one."""
    keys = {comment_key(Side.CRM, one): one for one in entry_ids}
    is_sent = sa.or_(effects.c.remote_id.is_not(None), effects.c.state != DONE)
    query = (
        sa.select(effects.c.key)
        .join(links, links.c.id == effects.c.link_id)
        .where(effects.c.kind == COMMENT, effects.c.side == Side.NEXTCAP, effects.c.key.in_(list(keys)))
        .where(effects.c.link_id != link_id, links.c.connection == name, is_sent)
    )
    return frozenset(keys[row.key] for row in connection.execute(query)) if keys else frozenset()


def settled_among(
    connection: sa.Connection, link_ids: Sequence[int], side: Side, entry_ids: Sequence[str]
) -> frozenset[tuple[int, str]]:
    """Which of these timeline entries are settled for which link: crossed, turned down, or made by us."""
    keys = {comment_key(side, one): one for one in entry_ids}
    is_ours = (effects.c.side == side) & (effects.c.kind == COMMENT) & among(effects.c.remote_id, entry_ids)
    query = sa.select(effects.c.link_id, effects.c.key, effects.c.remote_id).where(
        among(effects.c.link_id, link_ids), sa.or_(among(effects.c.key, keys), is_ours)
    )
    if not entry_ids or not link_ids:
        return frozenset()
    return frozenset((row.link_id, keys.get(row.key, row.remote_id)) for row in connection.execute(query))


def last_position(connection: sa.Connection, link_id: int) -> int:
    """The highest place given out among a link's effects."""
    value = connection.execute(sa.select(sa.func.max(effects.c.position)).where(effects.c.link_id == link_id)).scalar()
    return int(value or 0)


def _effect(row: sa.Row[Any]) -> Effect:
    return Effect(
        id=row.id,
        link_id=row.link_id,
        key=row.key,
        kind=row.kind,
        side=Side(row.side),
        state=row.state,
        payload=row.payload or {},
        remote_id=row.remote_id,
        answered=row.answered,
        absent=row.absent,
        sending_until=row.sending_until,
        sent_at=row.sent_at,
        created_at=row.created_at,
    )
