"""What Next Cap last said of its tickets, as deliveries and lists bring it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connector.store import bulk
from connector.store.among import among_given
from connector.store.tables import Utc, tickets

_HELD = ("owner", "lease_until", "fence", "compared_at", "owed_at")
"""Who works on a ticket and whose turn it is: of no use to those who ask for its reading, which are many."""

_said = [column for column in tickets.c if column.name not in _HELD]
_tickets_of_ids = sa.select(*_said).where(among_given(tickets.c.nextcap_id, "nextcap_ids"))
_locked_tickets_of_ids = _tickets_of_ids.order_by(tickets.c.id).with_for_update()


def tickets_by_nextcap_id(
    connection: sa.Connection, nextcap_ids: Iterable[str], *, lock: bool = False
) -> dict[str, sa.Row[Any]]:
    """Ticket rows by Next Cap id; with `lock`, nobody else changes them before the transaction ends."""
    query = _locked_tickets_of_ids if lock else _tickets_of_ids
    return {str(row.nextcap_id): row for row in connection.execute(query, {"nextcap_ids": list(nextcap_ids)})}


@dataclass(frozen=True, slots=True)
class Reading:
    """A whole reading of the Next Cap ticket in this row, as the store keeps it."""

    row_id: int
    reading: Mapping[str, Any]
    version: datetime
    number: str
    moments: Mapping[str, str]


READING = ("reading", "version", "number", "moments")


def _keeping_reading(new: bulk.New) -> sa.Update:
    older = sa.or_(tickets.c.version.is_(None), tickets.c.version < new["to_version"])
    values = {name: new[f"to_{name}"] for name in READING}
    keep = tickets.update().where(tickets.c.id == new["row_id"], older)
    return keep.values(read_at=sa.bindparam("now", type_=Utc), **values)


keep_each = bulk.Each(
    _keeping_reading, {"row_id": tickets.c.id.type, **{f"to_{name}": tickets.c[name].type for name in READING}}
)


def rows_of(found: Sequence[Reading]) -> list[Mapping[str, Any]]:
    """These readings as `keep_each` takes them."""
    return [{"row_id": one.row_id, **{f"to_{name}": getattr(one, name) for name in READING}} for one in found]


def store(connection: sa.Connection, found: Sequence[Reading], now: datetime) -> None:
    """Keep whole readings that deliveries or a list carried; what is not newer than what is kept changes nothing."""
    keep_each(connection, rows_of(found), now=now)


def after(connection: sa.Connection, ticket_id: int, known: datetime | None) -> dict[str, Any] | None:
    """What was stored of a ticket (by row id) since its reading of that version, by column; None if nothing was."""
    is_later = tickets.c.version.is_not(None) if known is None else tickets.c.version > known
    columns = (tickets.c[name] for name in (*READING, "read_at"))
    row = connection.execute(sa.select(*columns).where(tickets.c.id == ticket_id, is_later)).mappings().one_or_none()
    return None if row is None or row["reading"] is None else dict(row)
