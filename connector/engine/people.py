"""Directories: which people and departments the ids of both sides stand for.

People are listed by the vendors once an hour and kept in the store. Next Cap has no list of departments, so a
department's name is learnt from the tickets that show it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa

from connector.adapters.base import Adapter
from connector.domain.errors import NotSupported, Refused, RetryLater
from connector.domain.rules import Directories
from connector.engine import announcing
from connector.engine.context import NEXTCAP, Engine
from connector.engine.finish import BY_US
from connector.engine.work import DEPARTMENT, DEPARTMENT_NAME, Work
from connector.store import cursors, journal, links, parked, people
from connector.store.links import Look

KEPT = timedelta(hours=1)
CURSOR = "people"
UNKNOWN = ("department_unknown",)
UNMATCHED = ("person_unknown", "person_without_counterpart", "person_ambiguous", "fallback_unknown")
"""What waits for somebody to appear in a directory, or to become the only one there with an address."""


def directories(engine: Engine, name: str) -> Directories:
    """Both directories of one connection. A directory that may not be read is empty, and the journal says so."""
    _refresh(engine, NEXTCAP, engine.nextcap)
    _refresh(engine, name, engine.crms[name])
    return kept_directories(engine, name)


def kept_directories(engine: Engine, name: str) -> Directories:
    """Both directories as they were last read, without a call."""
    with engine.db.read() as connection:
        return Directories(
            nextcap=people.load(connection, NEXTCAP),
            crm=people.load(connection, name),
            departments=people.departments(connection),
        )


def learn_departments(engine: Engine, known: Directories, works: Iterable[Work]) -> Directories:
    """These directories with what these tickets show of their departments' names: Next Cap has no list to ask.

    What waited for a department's name is looked at again: it need not wait for a person any more.
    """
    shown: dict[str, str] = {}
    for work in works:
        fields = work.nextcap.fields if work.nextcap else {}
        identifier, name = fields.get(DEPARTMENT), fields.get(DEPARTMENT_NAME)
        if isinstance(identifier, str) and isinstance(name, str):
            called = known.departments.get(identifier)
            if called is None or (work.nextcap_fresh and called != name):
                shown[identifier] = name
    if not shown:
        return known
    with engine.db.write() as connection:
        people.name_departments(connection, shown, engine.now())
        rung = look_again(engine, connection, UNKNOWN, how="department_known")
    engine.bell(rung)
    return replace(known, departments={**known.departments, **shown})


def ask_again(engine: Engine, name: str) -> None:
    """Let the next pass of this connection list everybody anew: an operator says that somebody was added."""
    with engine.db.write() as connection:
        for one in (NEXTCAP, name):
            cursors.put(connection, one, CURSOR, "asked", engine.now() - KEPT)


def look_again(engine: Engine, connection: sa.Connection, codes: Iterable[str], *, how: str) -> list[str]:
    """Let go of every field that waits for what has just become known; the connections that have work by it."""
    now = engine.now()
    found = [item for code in codes for item in parked.listed(connection, code=code, limit=10_000)]
    if not found:
        return []
    links.lock_links(connection, [item["link_id"] for item in found if item["link_id"]])
    waiting = [parked.one(connection, item["id"]) for item in found]
    for item in filter(None, waiting):
        if parked.resolve(connection, [item.id], now=now, by=BY_US, how=how):
            announcing.settled(engine, connection, item, now)
    links.mark(connection, [item.link_id for item in waiting if item and item.link_id], Look.ALL, now)
    return sorted({item.connection for item in waiting if item})


def _refresh(engine: Engine, name: str, adapter: Adapter) -> None:
    now = engine.now()
    with engine.db.read() as connection:
        known = cursors.get(connection, name, CURSOR)
    if known and now - known[1] < KEPT:
        return
    try:
        everybody = adapter.people()
    except RetryLater:
        if known is None:
            raise
        return  # An hour-old directory is better than none; the next pass asks again.
    except (NotSupported, Refused) as problem:
        with engine.db.write() as connection:
            cursors.put(connection, name, CURSOR, "refused", now)
            told = f"{engine.label(name)} does not show its people: {problem}"
            journal.record(connection, [journal.Line(name, None, "people_unknown", told)], now)
        return
    with engine.db.write() as connection:
        before = people.load(connection, name)
        people.save(connection, name, everybody)
        cursors.put(connection, name, CURSOR, "read", now)
        changed = before != people.load(connection, name)
        rung = look_again(engine, connection, UNMATCHED, how="people_changed") if changed else []
    engine.bell(rung)
