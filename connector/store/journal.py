"""The journal: what was decided and why. One row for each link and pass; a row equal to the last raises its counter."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connector.store import bulk, purging
from connector.store.among import among
from connector.store.tables import journal, links

OF_LINK, OF_CONNECTION = 200, 50
"""So many lines are shown."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, of a link or (None) of a connection as a whole."""

    name: str
    link_id: int | None
    code: str
    text: str
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """What two lines have in common that say the same."""
        told = [self.code, self.text, self.details]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def record(connection: sa.Connection, lines: Sequence[Line], now: datetime) -> None:
    """Write lines of different links; one that says what its link's last line says raises that one's counter."""
    if not lines:
        return
    last = _last(connection, lines)
    rows: list[dict[str, Any]] = []
    repeated: list[int] = []
    for line in lines:
        digest = line.digest
        known = last.get((line.name, line.link_id))
        if known is not None and known.digest == digest:
            repeated.append(known.id)
            continue
        rows.append(
            {"link_id": line.link_id, "connection": line.name, "at": now, "last_at": now, "count": 1, "digest": digest}
            | {"code": line.code, "text": line.text, "details": dict(line.details)}
        )
    if repeated:
        again = journal.update().where(among(journal.c.id, repeated))
        connection.execute(again.values(count=journal.c.count + 1, last_at=now))
    bulk.add(connection, journal, rows)


def _last(connection: sa.Connection, lines: Sequence[Line]) -> dict[tuple[str, int | None], sa.Row[Any]]:
    """The newest line of each link, and of each connection as a whole, that these lines are about."""
    ids = [line.link_id for line in lines if line.link_id is not None]
    names = {line.name for line in lines if line.link_id is None}
    newest = journal.alias("newest")
    of_link = sa.select(sa.func.max(newest.c.id)).where(newest.c.link_id == links.c.id).scalar_subquery()
    chosen = [sa.select(of_link).select_from(links).where(among(links.c.id, ids))] if ids else []
    chosen += [
        sa.select(sa.func.max(newest.c.id)).where(newest.c.link_id.is_(None), newest.c.connection == name)
        for name in names
    ]
    query = sa.select(journal.c.id, journal.c.connection, journal.c.link_id, journal.c.digest)
    rows = [row for one in chosen for row in connection.execute(query.where(journal.c.id.in_(one)))]
    return {(row.connection, row.link_id): row for row in rows}


def of_link(connection: sa.Connection, link_id: int) -> list[Mapping[str, Any]]:
    """The newest lines of a link, oldest first."""
    query = sa.select(journal).where(journal.c.link_id == link_id).order_by(journal.c.id.desc()).limit(OF_LINK)
    lines: list[Mapping[str, Any]] = [row._asdict() for row in connection.execute(query)]
    return lines[::-1]


def of_connection(connection: sa.Connection, name: str) -> list[Mapping[str, Any]]:
    """The newest lines that belong to a connection as a whole, newest first."""
    query = (
        sa.select(journal)
        .where(journal.c.connection == name, journal.c.link_id.is_(None))
        .order_by(journal.c.id.desc())
        .limit(OF_CONNECTION)
    )
    return [row._asdict() for row in connection.execute(query)]


def purge(connection: sa.Connection, *, before: datetime, limit: int) -> int:
    """Remove lines that were last repeated before then, at most so many; how many."""
    return purging.remove(connection, journal.c.last_at, before=before, limit=limit)
