"""Directories: who the ids of both sides are. Read from the vendors an hour apart, kept in the store."""

from __future__ import annotations

from datetime import timedelta

from connector.adapters.base import Adapter
from connector.domain.errors import NotSupported, Refused, RetryLater
from connector.domain.rules import Directories
from connector.engine.context import NEXTCAP, Engine
from connector.store import journal, small

KEPT = timedelta(hours=1)
RETRY_UNKNOWN = timedelta(minutes=5)
CURSOR = "people"


def directories(engine: Engine, name: str, *, force: bool = False) -> Directories:
    """Both directories of one connection. A directory that may not be read is empty, and the journal says so."""
    _refresh(engine, NEXTCAP, engine.nextcap, force=force)
    _refresh(engine, name, engine.crms[name], force=force)
    return known(engine, name)


def known(engine: Engine, name: str) -> Directories:
    """Both directories as they were last read, without a call."""
    with engine.db.read() as connection:
        departments = small.get_cursor(connection, NEXTCAP, "departments")
        return Directories(
            nextcap=small.load_people(connection, NEXTCAP),
            crm=small.load_people(connection, name),
            departments=_pairs(departments[0]) if departments else {},
        )


def learn_department(engine: Engine, department_id: str, department: str) -> None:
    """Remember what a department is called: Next Cap has no list to ask."""
    with engine.db.write() as connection:
        known = small.get_cursor(connection, NEXTCAP, "departments")
        pairs = _pairs(known[0]) if known else {}
        if pairs.get(department_id) != department:
            text = "\n".join(f"{key}\t{value}" for key, value in sorted({**pairs, department_id: department}.items()))
            small.set_cursor(connection, NEXTCAP, "departments", text, engine.now())


def _pairs(text: str) -> dict[str, str]:
    return dict(line.split("\t", 1) for line in text.split("\n") if "\t" in line)


def _refresh(engine: Engine, name: str, adapter: Adapter, *, force: bool) -> None:
    now = engine.now()
    with engine.db.read() as connection:
        known = small.get_cursor(connection, name, CURSOR)
    if known and now - known[1] < (RETRY_UNKNOWN if force else KEPT):
        return
    try:
        everybody = adapter.people()
    except RetryLater:
        if known is None:
            raise
        return  # An hour-old directory is better than none; the next pass asks again.
    except (NotSupported, Refused) as problem:
        with engine.db.write() as connection:
            small.set_cursor(connection, name, CURSOR, "refused", now)
            told = f"{engine.label(name)} does not show its people: {problem}"
            journal.record(connection, [journal.Line(name, None, "people_unknown", told)], now)
        return
    with engine.db.write() as connection:
        small.save_people(connection, name, everybody)
        small.set_cursor(connection, name, CURSOR, "read", now)
