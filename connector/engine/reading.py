"""Reading both sides: as few calls as possible, and one ticket's trouble is that ticket's alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from connector.adapters.base import Adapter
from connector.domain.errors import ConnectorError, Gone, NeedsReview, Refused, RetryLater
from connector.domain.rules import TicketMapping
from connector.domain.ticket import Record
from connector.engine import sharing
from connector.engine.context import Engine
from connector.engine.work import Work, moved_moments, reading_from_json, reading_to_json
from connector.store import links, readings
from connector.store.links import Look

FORBIDDEN = timedelta(hours=24)
ONE_BY_ONE = 3
NOT_VISIBLE = ("not_visible", "Next Cap does not show this ticket to the connector's seat")
"""Code and words of the journal's line."""


def stored_reading(work: Work) -> Record | None:
    """What Next Cap last said of this ticket, by a payload or a read; None before the first."""
    ticket = work.link.ticket
    if ticket.reading is None or ticket.nextcap_id is None:
        return None
    return reading_from_json(ticket.nextcap_id, ticket.reading, ticket.version)


def read_nextcap(engine: Engine, works: Sequence[Work]) -> None:
    """Read these tickets afresh. One that our seat may not see ends here and costs no call for a day."""
    wanted = {work.nextcap_id: work for work in works if work.nextcap_id and work.is_live and not work.nextcap_fresh}
    if not wanted:
        return
    found = _read(engine.nextcap, list(wanted), (), wanted)
    for nextcap_id, work in wanted.items():
        if not work.is_live:
            continue
        record = found.get(nextcap_id)
        if record is None:
            hide(engine, work)
        else:
            take_nextcap(engine, work, record)
            work.was_read = True


def hide(engine: Engine, work: Work) -> None:
    """Next Cap does not show this ticket to our seat: end the pass, and do not ask for it again for a day."""
    work.ticket_changes["forbidden_until"] = engine.now() + FORBIDDEN
    work.end(*NOT_VISIBLE)


def take_nextcap(engine: Engine, work: Work, record: Record) -> None:
    """Make this the ticket's reading, and note when each field came to be as it is."""
    now = engine.now()
    before, known = (work.ticket_changes.get(one, getattr(work.link.ticket, one)) for one in ("reading", "version"))
    at = record.version if record.version and (known is None or record.version > known) else now
    reading = reading_to_json(record)
    work.nextcap = record
    work.nextcap_fresh = True
    work.look &= ~Look.NEXTCAP
    work.ticket_changes |= {
        "reading": reading,
        "version": record.version,
        "number": record.number,
        "read_at": now,
        "moments": moved_moments(before, reading, work.moments, at),
    }


def catch_up(engine: Engine, work: Work) -> bool:
    """Take what a webhook or a list has told of the ticket since it was read; whether that is anything newer."""
    known = work.ticket_changes.get("version", work.link.ticket.version)
    with engine.db.read() as connection:
        newer = readings.after(connection, work.link.ticket.id, known)
    if newer is None or work.nextcap_id is None:
        return False
    work.nextcap = reading_from_json(work.nextcap_id, newer["reading"], newer["version"])
    work.ticket_changes |= newer
    return True


def read_crm(engine: Engine, name: str, works: Sequence[Work]) -> None:
    """Read these works' CRM records in as few calls as the vendor allows."""
    wanted = {work.record_id: work for work in works if work.record_id and work.is_live and not work.crm_fresh}
    if not wanted:
        return
    adapter = engine.crms[name]
    fields = fields_of(next(iter(wanted.values())).mapping, adapter)
    found = _read(adapter, list(wanted), fields, wanted)
    for record_id, work in wanted.items():
        if not work.is_live:
            continue
        record = found.get(record_id)
        if record is None:
            _gone(engine, name, work, adapter.fate(record_id))
        else:
            take_crm(engine, work, record)


def take_crm(engine: Engine, work: Work, record: Record) -> None:
    """Make this the CRM's reading."""
    work.crm = record
    work.crm_fresh = True
    work.look &= ~Look.CRM
    work.changes |= {"crm_read_at": engine.now(), "crm_version": record.version, "moved_from": None}
    work.changes["crm"] = {name: links.to_json(value) for name, value in record.fields.items()}
    if work.link.state == links.GONE:
        work.changes["state"] = links.ACTIVE
        work.look |= Look.NEXTCAP_COMMENTS | Look.CRM_COMMENTS
        work.say("restored", "the CRM record is back")


def fields_of(mapping: TicketMapping, adapter: Adapter) -> tuple[str, ...]:
    """Every native CRM field to ask for: what the mapping looks at, and the one that holds our id."""
    return tuple(sorted({*mapping.crm_fields(), adapter.external_id} - {""}))


def _read(
    adapter: Adapter, ids: Sequence[str], fields: Sequence[str], works: Mapping[str, Work]
) -> Mapping[str, Record]:
    """One call where it goes through; else one by one, so that a bad record fails alone."""
    if len(ids) > ONE_BY_ONE or adapter.capabilities.batch > 1:
        try:
            return adapter.read(ids, fields)
        except RetryLater as problem:
            if problem.scope == "connection" or len(ids) == 1:
                _blame(problem, works, ids)
                return {}
        except Refused as problem:
            if len(ids) == 1:
                _blame(problem, works, ids)
                return {}
    found: dict[str, Record] = {}
    for one in ids:
        try:
            found |= adapter.read([one], fields)
        except (RetryLater, Refused) as problem:
            _blame(problem, works, [one])
    return found


def _blame(problem: ConnectorError, works: Mapping[str, Work], ids: Sequence[str]) -> None:
    if isinstance(problem, RetryLater) and problem.scope == "connection":
        raise problem
    for one in ids:
        works[one].fail(problem)


def _gone(engine: Engine, name: str, work: Work, fate: Gone) -> None:
    """The record is not there: follow a merge, else the link is over and the mapping's delete policy decides."""
    if fate.survivor:
        try:
            sharing.follow(engine, work.link, fate.survivor)
        except NeedsReview as problem:
            work.fail(problem)
            return
        unread = dict.fromkeys(("crm_read_at", "crm_version", "echo_version", "moved_from"))
        work.changes |= {"record_id": fate.survivor, **unread}
        work.look |= Look.CRM | Look.CRM_COMMENTS
        work.wait(engine.now())
        work.end("merged", f"the record was merged into {fate.survivor}; the link leads there now")
        return
    work.changes["state"] = links.GONE
    label = engine.label(name)
    work.end("gone", f"{label} does not have this record any more; nothing is written until it is restored")
