"""Drift: changes that no webhook told of.

A webhook may be late, so whether one told of a difference is judged a minute after it was found. The work does not
wait for that: what is found is marked at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from connector.domain.rules import TicketMapping
from connector.domain.ticket import Record, Side, Value, normal
from connector.engine.context import Engine
from connector.engine.work import name_of
from connector.store import counters, drifts, journal, links
from connector.store.links import Look, from_json, to_json

LATE = timedelta(seconds=60)
"""A webhook may be on its way for this long."""
COUNTER = "drift"


@dataclass(frozen=True, slots=True)
class Found:
    """A link that has to be looked at; and the suspicion that no webhook told of it, where one should have."""

    link_id: int
    look: Look
    suspicion: Mapping[str, Any] | None


def suspicion(row: sa.Row[Any], name: str, what: str, subject: str = "", **details: Any) -> dict[str, Any]:
    """What `drifts.suspect` takes, for a link's record in its CRM or an entry there."""
    told = {"connection": name, "side": Side.CRM, "link_id": row.id, "ticket_id": row.ticket_id, "what": what}
    return {**told, "subject": subject or row.record_id, **details}


def differing(row: sa.Row[Any], record: Record, mapping: TicketMapping) -> list[str]:
    """The mapped native fields that a record shows otherwise than its link knows them, by a reading or a shadow."""
    names = [name for name in mapping.crm_fields() if name in record.fields]
    return [name for name in names if normal(record.fields[name]) != _known(row, mapping, name, record.fields[name])]


def _known(row: sa.Row[Any], mapping: TicketMapping, name: str, otherwise: Value) -> Value:
    """What a link last knew of a native field; the value itself where the field is new in the mapping."""
    if name in (row.crm or {}):
        return from_json(row.crm[name])
    shadow = (row.shadows or {}).get(name_of(mapping, name, Side.CRM) or "")
    return normal(otherwise) if shadow is None else from_json(shadow[1])


def judge(engine: Engine) -> int:
    """Look at the differences that were found a minute ago: which of them nobody told of. How many."""
    now = engine.now()
    with engine.db.read() as connection:
        if not drifts.suspicions(connection, before=now - LATE, limit=1):
            return 0
    found = 0
    with engine.db.write() as connection:
        counts: dict[tuple[str, str], int] = {}
        for row in drifts.suspicions(connection, before=now - LATE):
            if drifts.was_told(connection, row) or not _is_real(connection, row):
                drifts.forget(connection, row.id)
                continue
            drifts.keep(connection, row.id)
            label = f"{row.connection}:{row.side}"
            counts[COUNTER, label] = counts.get((COUNTER, label), 0) + 1
            _tell(engine, connection, row)
            found += 1
        counters.add(connection, counts)
    return found


def _is_real(connection: sa.Connection, row: sa.Row[Any]) -> bool:
    """Whether the record was as it was shown: a list that is late shows what was, and a stranger's is no concern."""
    if row.link_id is None and row.ticket_id is None:
        return bool(links.by_record(connection, row.connection, [row.subject]))
    if row.shown is None:
        return True
    link = links.get(connection, row.link_id)
    return link is not None and shown({name: link.crm.get(name) for name in row.fields}) == row.shown


def _tell(engine: Engine, connection: sa.Connection, row: sa.Row[Any]) -> None:
    """A line in the journal of every link that it concerns."""
    text = f"no webhook told of this: {row.what} in {engine.label(row.connection)}; found by looking"
    for name, link_id in _links(connection, row):
        journal.record(connection, [journal.Line(name, link_id, "no_webhook", text)], engine.now())


def _links(connection: sa.Connection, row: sa.Row[Any]) -> Sequence[tuple[str, int]]:
    """Connection and id of the links that a difference is about."""
    if row.link_id is not None:
        return [(row.connection, row.link_id)]
    if row.ticket_id is not None:
        return links.ids_of_ticket(connection, row.ticket_id)
    return [(row.connection, one.id) for one in links.by_record(connection, row.connection, [row.subject]).values()]


def shown(values: Mapping[str, Value]) -> str:
    """A fingerprint of what fields hold, so that no customer's words are kept for it."""
    text = json.dumps({name: to_json(normal(value)) for name, value in sorted(values.items())}, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
