"""The journal: why, as data that is printed in words. One row a link and pass; a repeat raises a counter."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connector.store.tables import journal


def record(
    connection: sa.Connection,
    *,
    name: str,
    link_id: int | None,
    code: str,
    text: str,
    now: datetime,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write one line, or raise the counter of the link's last line where that says the same."""
    digest = hashlib.sha256(json.dumps([code, text, details], sort_keys=True, default=str).encode()).hexdigest()
    last = connection.execute(
        sa.select(journal.c.id, journal.c.digest)
        .where(journal.c.link_id == link_id if link_id is not None else journal.c.link_id.is_(None))
        .where(journal.c.connection == name)
        .order_by(journal.c.id.desc())
        .limit(1)
    ).one_or_none()
    if last is not None and last.digest == digest:
        connection.execute(
            journal.update().where(journal.c.id == last.id).values(count=journal.c.count + 1, last_at=now)
        )
        return
    connection.execute(
        journal.insert().values(
            link_id=link_id,
            connection=name,
            at=now,
            last_at=now,
            count=1,
            code=code,
            text=text,
            details=dict(details or {}),
            digest=digest,
        )
    )


def of_link(connection: sa.Connection, link_id: int, limit: int = 200) -> list[Mapping[str, Any]]:
    """A link's lines, oldest first, at most the newest `limit`."""
    query = sa.select(journal).where(journal.c.link_id == link_id).order_by(journal.c.id.desc()).limit(limit)
    lines: list[Mapping[str, Any]] = [row._asdict() for row in connection.execute(query)]
    return lines[::-1]


def of_connection(connection: sa.Connection, name: str, limit: int = 50) -> list[Mapping[str, Any]]:
    """The newest lines that belong to a connection as a whole, newest first."""
    query = (
        sa.select(journal)
        .where(journal.c.connection == name, journal.c.link_id.is_(None))
        .order_by(journal.c.id.desc())
        .limit(limit)
    )
    return [row._asdict() for row in connection.execute(query)]


def purge(connection: sa.Connection, *, before: datetime, limit: int = 1000) -> int:
    old = sa.select(journal.c.id).where(journal.c.last_at < before).limit(limit)
    return int(connection.execute(journal.delete().where(journal.c.id.in_(old))).rowcount)
