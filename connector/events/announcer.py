"""Writes down what is to be told, in the transaction of what happened: so neither is ever there without the other."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from connector.events.catalogue import Endpoint
from connector.events.payload import Notice, body
from connector.store import outbox


def new_id() -> str:
    """A message's id: the receiver's key for what it has seen already."""
    return f"msg_{uuid.uuid4().hex}"


class Announcer:
    """What happens is told to these endpoints. Without any it is false, and nobody should ask it anything."""

    def __init__(self, endpoints: Sequence[Endpoint] = ()) -> None:
        self._endpoints = tuple(endpoints)
        self._since: dict[str, datetime] = {}

    def __bool__(self) -> bool:
        return bool(self._endpoints)

    def since(self, connection: sa.Connection, now: datetime) -> datetime:
        """Since when anybody listens: what is older is no news."""
        if not self._since:
            self._since = outbox.since(connection, [one.name for one in self._endpoints], now)
        return min(self._since.values())

    def tell(self, connection: sa.Connection, notices: Sequence[Notice], now: datetime) -> None:
        """Write these down, in order, for whoever listens to them."""
        if not notices:
            return
        carried = self._carried(connection, notices)
        rows = []
        for notice in notices:
            message_id = new_id()
            for endpoint in self._endpoints:
                if notice.type not in endpoint.types or not _concerns(endpoint, notice, carried):
                    continue
                rows.append(
                    {
                        "endpoint": endpoint.name,
                        "message_id": message_id,
                        "key": notice.key or message_id,
                        "type": str(notice.type),
                        "subject": notice.subject,
                        "body": body(notice, words=endpoint.words, at=now),
                        "state": outbox.WAITING,
                        "created_at": now,
                        "due_at": now,
                    }
                )
        outbox.add(connection, rows)

    def _carried(self, connection: sa.Connection, notices: Sequence[Notice]) -> dict[str, set[str]]:
        """By which connections each ticket is carried, where some endpoint asks."""
        if not any(one.connections for one in self._endpoints):
            return {}
        return outbox.carried_by(connection, {one.ticket.id for one in notices if one.ticket.id})


def _concerns(endpoint: Endpoint, notice: Notice, carried: dict[str, set[str]]) -> bool:
    if not endpoint.connections:
        return True
    mine = carried.get(notice.ticket.id or "", set()) | {notice.connection}
    return bool(mine & endpoint.connections)
