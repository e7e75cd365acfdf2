"""The slow rotation: every link has its turn to be read whole on both sides, whatever any list or webhook says.

It finds what moves no ticket's time (a note, an entry written between our read and our write), deleted records, and
whatever else was missed. It only looks: what differs is marked, and the pass does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa

from connector.domain.errors import Gone, NotSupported, Refused
from connector.domain.ticket import Comment, CommentKind, Record, Side
from connector.engine import budget
from connector.engine.context import NEXTCAP, Engine
from connector.engine.drift import Found, differing, suspicion
from connector.engine.work import reading_from_json
from connector.store import connections, drifts, effects, links, rotation
from connector.store.links import Look

BATCHES: Final = 5
"""So many batches of a CRM's records have their turn at once."""
FEW: Final = 5
"""So many records, where each one's comments cost a call of their own."""
AT_ONCE: Final = timedelta(seconds=15)
"""For so long one turn begins new tickets."""
QUARTER: Final = 0.25
"""The part of Next Cap's limit that the rotation uses when nobody else needs it: a ticket costs it two calls."""


def rotate(engine: Engine, name: str, every: timedelta) -> int:
    """Compare those whose turn has come, on one side. How many links were marked."""
    return _rotate_nextcap(engine, every) if name == NEXTCAP else _rotate_crm(engine, name, every)


# -- a CRM's records


def _rotate_crm(engine: Engine, name: str, every: timedelta) -> int:
    marked = 0
    for _ in range(BATCHES):
        adapter = engine.crms[name]
        limit = adapter.capabilities.batch if adapter.capabilities.batch_comments else FEW
        with engine.db.read() as connection:
            rows = rotation.due_links(connection, name, before=engine.now() - every, limit=limit)
        if not rows:
            break
        marked += _compare_records(engine, name, rows)
        if len(rows) < limit:
            break
    return marked


def _compare_records(engine: Engine, name: str, rows: Sequence[sa.Row[Any]]) -> int:
    adapter = engine.crms[name]
    with engine.db.read() as connection:
        mapping = engine.mappings.active(connection, name)
    ids = [str(row.record_id) for row in rows]
    records = adapter.read(ids, mapping.crm_fields())
    timelines = _timelines(engine, name, list(records))
    with engine.db.write() as connection:
        links.lock(connection, [row.ticket_id for row in rows])
        settled = _settled(connection, [row.id for row in rows], Side.CRM, timelines)
        found: list[Found] = []
        resting = rotation.at_rest(connection, rows)
        for row in resting:
            record = records.get(row.record_id)
            if record is None:
                found.append(Found(row.id, Look.CRM, suspicion(row, name, "a deleted record")))
                continue
            names = differing(row, record, mapping)
            if names:
                found.append(Found(row.id, Look.CRM, suspicion(row, name, ", ".join(names))))
            news = [one.id for one in timelines.get(record.id, ()) if (row.id, one.id) not in settled]
            if news:
                found.append(Found(row.id, Look.CRM_COMMENTS, suspicion(row, name, "a comment", news[0])))
        rotation.links_compared(connection, [row.id for row in resting], engine.now())
        rung = _mark(engine, connection, found, resting, [name])
    if rung:
        engine.bell(rung)
    return len({one.link_id for one in found})


def _timelines(engine: Engine, name: str, ids: Sequence[str]) -> Mapping[str, Sequence[Comment]]:
    try:
        return engine.crms[name].comments(ids) if ids else {}
    except (Refused, NotSupported):
        return {}  # The pass that needs them parks the link and says so.


def _settled(
    connection: sa.Connection, link_ids: Sequence[int], side: Side, timelines: Mapping[str, Sequence[Comment]]
) -> frozenset[tuple[int, str]]:
    entries = [one.id for timeline in timelines.values() for one in timeline]
    return effects.settled_among(connection, link_ids, side, entries)


# -- Next Cap's tickets


def _rotate_nextcap(engine: Engine, every: timedelta) -> int:
    with engine.db.read() as connection:
        rows = rotation.due_tickets(connection, now=engine.now(), every=every, limit=_spare_tickets(engine, connection))
    marked, until = 0, engine.now() + AT_ONCE
    for row in rows:
        if engine.now() >= until:
            break  # Many calls a minute, and a slow vendor: the others have their turn in a minute.
        marked += _compare_ticket(engine, row)
    return marked


def _spare_tickets(engine: Engine, connection: sa.Connection) -> int:
    """How many tickets a minute the rotation may ask for."""
    per_minute = budget.calls_per_minute(connection, NEXTCAP, engine.now())
    return max(1, int(per_minute * QUARTER / 2))


def _compare_ticket(engine: Engine, row: sa.Row[Any]) -> int:
    """Read one ticket and its timeline. How many links were marked."""
    nextcap_id = str(row.nextcap_id)
    with engine.db.read() as connection:
        mine = rotation.links_of_ticket(connection, row.id)
    record = engine.nextcap.read([nextcap_id], ()).get(nextcap_id)
    timeline: Sequence[Comment] = ()
    if record is not None:
        try:
            timeline = engine.nextcap.comments([nextcap_id]).get(nextcap_id, ())
        except Gone:
            record = None
    with engine.db.write() as connection:
        links.lock(connection, [row.id])
        found = _missing(mine) if record is None else _fields(row, record, mine)
        if record is not None:
            found += _entries(connection, mine, timeline)
        rotation.ticket_compared(connection, row, engine.now())
        names = sorted({one.connection for one in mine if one.id in {each.link_id for each in found}})
        rung = _mark(engine, connection, found, rotation.at_rest(connection, mine), names)
    if rung:
        engine.bell(rung)
    return len({one.link_id for one in found})


def _missing(mine: Sequence[sa.Row[Any]]) -> list[Found]:
    return [Found(one.id, Look.NEXTCAP, _of_ticket(one, "a ticket that is not shown any more")) for one in mine]


def _fields(row: sa.Row[Any], record: Record, mine: Sequence[sa.Row[Any]]) -> list[Found]:
    """The ticket as it is against the reading that is kept; nothing where there is none, or where that moved on."""
    if row.reading is None or (row.version and record.version and record.version < row.version):
        return []
    known = reading_from_json(record.id, row.reading, row.version).fields
    names = [name for name, value in record.fields.items() if name in known and known[name] != value]
    return [Found(one.id, Look.NEXTCAP, _of_ticket(one, ", ".join(names))) for one in mine] if names else []


def _entries(connection: sa.Connection, mine: Sequence[sa.Row[Any]], timeline: Sequence[Comment]) -> list[Found]:
    """Entries that no link knows. That a note was told by no webhook is as it must be; a reply's is missed."""
    settled = _settled(connection, [one.id for one in mine], Side.NEXTCAP, {"": timeline})
    found = []
    for one in mine:
        news = [entry for entry in timeline if (one.id, entry.id) not in settled]
        replies = [entry for entry in news if entry.kind is not CommentKind.NOTE]
        if news:
            told = _of_ticket(one, "a reply", replies[0].id) if replies else None
            found.append(Found(one.id, Look.NEXTCAP_COMMENTS, told))
    return found


def _of_ticket(link: sa.Row[Any], what: str, subject: str = "") -> dict[str, Any]:
    told = {"connection": NEXTCAP, "side": Side.NEXTCAP, "link_id": None, "ticket_id": link.ticket_id}
    return {**told, "what": what, "subject": subject or str(link.ticket_id)}


def _mark(
    engine: Engine,
    connection: sa.Connection,
    found: Sequence[Found],
    resting: Sequence[sa.Row[Any]],
    names: Sequence[str],
) -> list[str]:
    """Mark what was found, suspect that nobody told of it, and say whom to ring.

    Links that are worked anyway look at it too; there nobody is suspected.
    """
    now, ids = engine.now(), {one.id for one in resting}
    for one in found:
        act = links.mark if one.link_id in ids else links.widen
        act(connection, [one.link_id], one.look, now)
    suspicions = [one.suspicion for one in found if one.suspicion and one.link_id in ids]
    once = {(told["side"], told["what"], told["subject"]): told for told in suspicions}
    drifts.suspect(connection, list(once.values()), now)
    return connections.ring(connection, names, now) if found else []
