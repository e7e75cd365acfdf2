"""Joining a ticket to its record: one record belongs to one ticket, and to one connection of an account."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from connector.domain.errors import NeedsReview
from connector.engine.context import Engine
from connector.store import connections, links
from connector.store.links import LinkRow


def attach(engine: Engine, connection: sa.Connection, link: LinkRow, record_id: str, **changes: Any) -> None:
    """Join the link's ticket to this record. Raises NeedsReview where that is a person's to settle."""
    text = f"the record {record_id} is linked to another ticket already"
    taken = NeedsReview(text, code="record_taken", candidates=(record_id,))
    _check_free(engine, connection, link, record_id, taken)
    try:
        links.attach_record(connection, link, record_id, engine.now(), **changes)
    except sa.exc.IntegrityError as error:
        raise taken from error


def follow(engine: Engine, link: LinkRow, record_id: str) -> None:
    """Lead the link to the record that its own was merged into. Raises NeedsReview where that is a person's to settle:
    another ticket's link holds it, of this connection or of another one of the same account.
    """
    text = f"the record was merged into {record_id}, which belongs to another ticket; a person chooses"
    taken = NeedsReview(text, code="merged_into_another", candidates=(record_id,))
    with engine.db.write() as connection:
        links.check_fence(connection, link)
        _check_free(engine, connection, link, record_id, taken)
        try:
            links.follow(connection, link, record_id)
        except sa.exc.IntegrityError as error:
            raise taken from error


def _check_free(engine: Engine, connection: sa.Connection, link: LinkRow, record_id: str, taken: NeedsReview) -> None:
    """Raise where a link of this account holds the record: `taken` where it is another ticket's.

    Two connections of one account that carried one record would each take what the other wrote for a person's words,
    for ever. So whoever joins a record there has it to themselves until the transaction ends; within one connection a
    constraint sees to that.
    """
    account = sorted({link.connection, *engine.neighbours.get(link.connection, ())})
    if len(account) > 1:
        connections.lock(connection, account[0])
    for name in account:
        holder = links.by_record(connection, name, [record_id]).get(record_id)
        if holder is None or holder.id == link.id:
            continue
        if holder.ticket_id != link.ticket.id:
            raise taken
        text = f"record {record_id} carries this ticket for the connection {name} already, in the same account: "
        text += "let the mappings of the two carry different tickets (`carry`), or keep one of them"
        raise NeedsReview(text, code="record_shared", candidates=(record_id,))
