"""The effects of creates. Where a create cannot be repeated and its answer was lost, what it made is looked for, twice,
before it is sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from connector.adapters.base import Change
from connector.domain.errors import UnknownOutcome
from connector.domain.ticket import Record, Side
from connector.engine import fence
from connector.engine.context import NEXTCAP, Engine
from connector.engine.points import Point, at
from connector.engine.work import Work
from connector.store import effects
from connector.store.effects import Effect


def intend(engine: Engine, kind: str, side: Side, jobs: Sequence[tuple[Work, str, dict[str, Any]]]) -> None:
    """Name creates (work, name, what to keep of it) and mark them as sending, before anything goes out."""
    now = engine.now()
    until: datetime = now + timedelta(seconds=engine.timing.call)
    works = [work for work, _, _ in jobs]
    rows = [
        {"link_id": work.link.id, "key": key, "kind": kind, "side": side, "payload": payload}
        for work, key, payload in jobs
    ]
    with engine.db.write() as connection:
        fence.check(engine, connection, works)
        effects.intend(connection, rows, now)
        opened = effects.open_of(connection, [work.link.id for work in works])
        mine = [one for found in opened.values() for one in found if one.kind == kind]
        effects.sending(connection, [one.id for one in mine], now=now, until=until)
        told = {work.link.id: payload for work, _, payload in jobs}
        for one in [one for one in mine if one.payload != told[one.link_id]]:
            effects.set_state(connection, one.id, effects.SENDING, payload=told[one.link_id])
        opened = effects.open_of(connection, [work.link.id for work in works])
    for work in works:
        work.open_effects = opened.get(work.link.id, [])
    at(Point.SENDING, kind)


def settle_doubt(engine: Engine, system: str, work: Work, effect: Effect, change: Change) -> Record | None:
    """What an interrupted create left behind in this system; None where it may be sent (again)."""
    now, label = engine.now(), engine.label(system)
    adapter = engine.nextcap if system == NEXTCAP else engine.crms[system]
    if effect.state == effects.INTENDED:
        return None
    if effect.sending_until and now < effect.sending_until:
        work.wait(effect.sending_until)
        work.end("in_doubt", f"a ticket may have been created in {label}; it is looked for shortly")
        return None
    found = adapter.probe_create(change, sent_at=effect.sent_at or effect.created_at)
    if found is not None:
        work.say("adopted", "the answer to a create was lost, but the ticket is there: it is linked", ticket=found.id)
        return found
    if effect.absent == 0:
        until = engine.timing.second_look(answered=effect.answered, over=effect.sending_until or now, now=now)
        with engine.db.write() as connection:
            fence.check(engine, connection, [work])
            effects.set_state(connection, effect.id, effects.UNKNOWN, absent=1, sending_until=until)
        work.wait(until)
        seconds = (until - now).total_seconds()
        work.end(
            "absent_once",
            f"the answer to a create was lost and the ticket is not there; one more look in {seconds:.0f} s",
        )
    return None


def keep_doubt(engine: Engine, system: str, work: Work, error: UnknownOutcome, kind: str) -> None:
    """Nobody knows whether it was made: note the time before which nobody may look, and end the pass."""
    until = engine.now() + timedelta(seconds=0 if error.answered else engine.timing.call)
    with engine.db.write() as connection:
        fence.check(engine, connection, [work])
        for effect in work.open_effects:
            if effect.kind == kind:
                effects.set_state(connection, effect.id, effects.UNKNOWN, answered=error.answered, sending_until=until)
    work.wait(until)
    label = engine.label(system)
    work.end("outcome_unknown", f"{error}; before anything is sent again, it is checked whether {label} has the ticket")
