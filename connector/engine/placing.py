"""Records that an event named and no link knows: whose are they?

A note's event names no ticket, and a record made by a person in the CRM has no link yet. Both are placed by one batch
read; what cannot be placed is looked at again after 5, 30 and 120 seconds, then the journal says that it is nobody's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from connector.domain.errors import NotSupported, Refused
from connector.domain.rules import TicketMapping
from connector.domain.ticket import Record
from connector.engine.context import Engine
from connector.engine.creating import CREATE_CRM
from connector.engine.reading import fields_of
from connector.store import deliveries, effects, journal, links
from connector.store.links import Look

TICKET, COMMENT, SPOKEN = "ticket", "comment", "spoken"
"""What an event named: a record, a comment that does not tell its record, a record with a new comment."""
LOOKS = {TICKET: Look.CRM, SPOKEN: Look.CRM_COMMENTS}


def place(engine: Engine, name: str) -> None:
    """Place what is due of one connection."""
    with engine.db.read() as connection:
        rows = deliveries.due_unplaced(connection, name, engine.now(), engine.crms[name].capabilities.batch)
    notes = [row for row in rows if row.kind == COMMENT]
    records = [row for row in rows if row.kind in LOOKS]
    if notes:
        _place_comments(engine, name, notes)
    if records:
        _place_records(engine, name, records)


def _place_comments(engine: Engine, name: str, rows: Sequence[sa.Row[Any]]) -> None:
    try:
        owners = engine.crms[name].tickets_of([row.subject for row in rows])
    except (NotSupported, Refused) as problem:
        with engine.db.write() as connection:
            deliveries.placed(connection, rows)
            _journal(engine, connection, name, "comments_unplaced", f"comments cannot be placed: {problem}")
        return
    with engine.db.write() as connection:
        known = links.by_record(connection, name, {one for found in owners.values() for one in found}, lock=True)
        for row in rows:
            mine = [known[one].id for one in owners.get(row.subject, ()) if one in known]
            if mine:
                links.mark(connection, mine, Look.CRM_COMMENTS, engine.now())
                deliveries.placed(connection, [row])
            else:
                _later(engine, connection, name, row, "belongs to no ticket that is carried")


@retry(retry=retry_if_exception_type(sa.exc.IntegrityError), stop=stop_after_attempt(3), reraise=True)
def _place_records(engine: Engine, name: str, rows: Sequence[sa.Row[Any]]) -> None:
    """Begins anew where a link took one of the records in the meantime."""
    with engine.db.write() as connection:
        known = _mark_known(engine, connection, name, rows)
        deliveries.placed(connection, [row for row in rows if row.id in known])
        mapping = engine.mappings.active(connection, name)
    rest = [row for row in rows if row.id not in known]
    if not rest:
        return
    adapter = engine.crms[name]
    fields = fields_of(mapping, adapter)
    try:
        found = adapter.read(sorted({row.subject for row in rest}), fields)
    except Refused as problem:
        with engine.db.write() as connection:
            for row in rest:
                _later(engine, connection, name, row, f"cannot be read: {problem}")
        return
    with engine.db.write() as connection:
        known = _mark_known(engine, connection, name, rest)  # A link may have been made meanwhile.
        for row in rest:
            if row.id in known:
                deliveries.placed(connection, [row])
            else:
                _place_record(engine, connection, name, row, found.get(row.subject), mapping)


def _mark_known(engine: Engine, connection: sa.Connection, name: str, rows: Sequence[sa.Row[Any]]) -> set[int]:
    """Mark the links of those records that one knows by now; the ids of their rows."""
    known = links.by_record(connection, name, [row.subject for row in rows], lock=True)
    mine = [row for row in rows if row.subject in known]
    for row in mine:
        links.mark(connection, [known[row.subject].id], LOOKS[row.kind], engine.now())
    return {row.id for row in mine}


def _place_record(
    engine: Engine,
    connection: sa.Connection,
    name: str,
    row: sa.Row[Any],
    record: Record | None,
    mapping: TicketMapping,
) -> None:
    if record is None:
        deliveries.placed(connection, [row])
        _journal(engine, connection, name, "not_there", f"record {row.subject} does not exist (any more)")
        return
    ours = record.get(engine.crms[name].external_id)
    if isinstance(ours, str) and ours in links.ensure(connection, [ours], engine.names):
        _place_ours(engine, connection, name, row, ours)
        return
    if effects.has_open_creates(connection, name, CREATE_CRM):
        deliveries.place_later(connection, row, engine.now() + timedelta(seconds=1))
        return
    deliveries.placed(connection, [row])
    if not mapping.creates_in_nextcap:
        text = f"record {row.subject} carries no Next Cap id, and the mapping does not create tickets in Next Cap"
        _journal(engine, connection, name, "not_carried", text)
        return
    outside = [field for field, value in mapping.scope.items() if record.get(field) != value]
    if outside:
        text = f"record {row.subject} is not carried: its {', '.join(outside)} is not the mapping's"
        _journal(engine, connection, name, "not_carried", text)
        return
    link_id = links.for_record(connection, name, row.subject)
    links.mark(connection, [link_id], Look.CRM | Look.CRM_COMMENTS, engine.now())


def _place_ours(engine: Engine, connection: sa.Connection, name: str, row: sa.Row[Any], nextcap_id: str) -> None:
    """The record names its ticket: either our create is about to say so, or an earlier store did."""
    link = next((one for one in links.of_ticket(connection, nextcap_id) if one.connection == name), None)
    if link is not None and link.record_id is None and row.tries == 0:
        if link.seq == 0:
            links.mark(connection, [link.id], Look.NEXTCAP, engine.now())
        deliveries.place_later(connection, row, engine.now() + timedelta(seconds=2))
        return
    deliveries.placed(connection, [row])
    if link is not None and link.record_id == row.subject:  # Joined since the first look, and changed after that.
        links.mark(connection, [link.id], Look.CRM | Look.CRM_COMMENTS, engine.now())
        return
    _journal(engine, connection, name, "ours", f"record {row.subject} carries the id of ticket {nextcap_id}")


def _later(engine: Engine, connection: sa.Connection, name: str, row: sa.Row[Any], verdict: str) -> None:
    waits = engine.timing.unplaced
    if row.tries < len(waits):
        deliveries.place_later(connection, row, engine.now() + timedelta(seconds=waits[row.tries]))
        return
    deliveries.placed(connection, [row])
    _journal(engine, connection, name, "belongs_to_none", f"{row.kind} {row.subject} {verdict}")


def _journal(engine: Engine, connection: sa.Connection, name: str, code: str, text: str) -> None:
    journal.record(connection, [journal.Line(name, None, code, text)], engine.now())
