"""How a pass ends: in one transaction the shadows move, effects are closed, and links are journaled and given back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa

from connector.domain.decision import Outcome
from connector.domain.errors import (
    OUT_OF_TURN,
    ConnectorError,
    NeedsReview,
    NotSupported,
    Refused,
    RetryLater,
    UnknownOutcome,
)
from connector.domain.rules import Direction
from connector.domain.ticket import Side
from connector.engine import announcing, fuses
from connector.engine.context import Engine
from connector.engine.points import Point, at
from connector.engine.work import Parking, Work, backoff, describe, native_of, park_decision
from connector.store import causes, claims, connections, counters, effects, heard, journal, links, parked, pauses
from connector.store.effects import INTENDED
from connector.store.links import LinkRow, Look

BY_US = "connector"
STRIKES = 3


def finish_all(engine: Engine, works: Sequence[Work]) -> None:
    """Commit every work that is not committed yet. One whose lease was lost is its new holder's.

    All in one transaction, which costs little more than that of a single link; where the database turns it down for
    what one of them holds, each has its own. Should it never come to it, what was written is found by reading.
    """
    left = sorted((work for work in works if not work.finished), key=lambda work: work.link.id)
    for work in left:
        work.finished = True
    endings = [_ending(engine, work) for work in left]
    try:
        _finish(engine, endings)
    except sa.exc.StatementError:
        if len(endings) == 1:
            raise
        for ending in endings:
            _finish(engine, [ending])


def postpone(engine: Engine, works: Sequence[Work], problem: RetryLater) -> None:
    """The vendor's own trouble: count no try, keep what was done, and come back when the cause may have ended."""
    now = engine.now()
    until = note_failure(engine, problem)
    for work in works:
        if work.postponed is not None and not work.finished:
            work.due_at = until if until > now else now + backoff(0, engine.timing)
            work.changes |= {"cause": str(problem), "cause_code": causes.waits(problem.system)}
            # What was to be looked at is still to be looked at.
            work.changes["look"] = work.look


def abandoned(engine: Engine, works: Sequence[Work]) -> None:
    """Somebody took a ticket of this batch over: keep what was done, and look at the others whole, at once."""
    for work in works:
        if work.is_live and not work.finished:
            work.due_at = engine.now()
            work.changes["look"] = Look.ALL
    finish_all(engine, works)


def note_failure(engine: Engine, problem: RetryLater) -> datetime:
    """Close the vendor's circuit for as long as it asks, or for a growing while; when to try again.

    A limit that is used up is a wait, not a failure: what comes after it goes on at full width. Where only this call
    had to let more urgent ones go first, nothing is closed. What was under way when the circuit closed was no try
    of its own: only one made after the wait doubles it.
    """
    now = engine.now()
    if problem.code == OUT_OF_TURN:
        return now + timedelta(seconds=problem.after or 0.0)
    with engine.db.write() as connection:
        row = connections.state(connection, problem.system)
        if problem.after is None and _is_closed(row, now):
            return cast(datetime, row.closed_until)
        failures = row.failures
        wait = timedelta(seconds=problem.after) if problem.after is not None else backoff(failures, engine.timing)
        if problem.code == "rate_limited" and problem.after is not None:
            connections.hold(connection, problem.system, cause=str(problem), until=now + wait)
        else:
            connections.fail(connection, problem.system, cause=str(problem), until=now + wait)
    return now + wait


@dataclass(frozen=True, slots=True)
class _Ending:
    """One work, and what is to be stored of its link."""

    work: Work
    changes: dict[str, Any]

    @property
    def link(self) -> LinkRow:
        return self.work.link


def _ending(engine: Engine, work: Work) -> _Ending:
    if work.plan is not None and work.is_live:
        for decision in work.plan.decisions:
            park_decision(work, decision)
    changes: dict[str, Any] = {"shadows": links.shadows_to_json(work.shadows), **work.changes}
    changes["substitutes"] = [
        [links.to_json(one), links.to_json(two)] for one, two in sorted(work.substitutes, key=str)
    ]
    trails = fuses.stored_trails(work.trails, engine.now())
    if trails != work.link.trails:
        changes["trails"] = trails
    if work.link.mass and work.is_live and not (work.held_back or work.again):
        changes["mass"] = None
    return _Ending(work, changes)


def _finish(engine: Engine, endings: Sequence[_Ending]) -> None:
    now = engine.now()
    with engine.db.write() as connection:
        lost = links.lost(connection, [one.link for one in endings])
        held = [one for one in endings if one.link.id not in lost]
        effects.drop(connection, [effect_id for one in held for effect_id in one.work.dropped])
        effects.refuse(connection, [effect_id for one in held for effect_id in one.work.refused])
        for work in (one.work for one in held):
            for kind in {one.kind for one in work.open_effects if one.id in work.dropped}:
                at(Point.KEEPING, kind)
        for one in held:
            _keep_parked(connection, one.work, now)
        moments = [_due(engine, connection, one.work, one.changes, now) for one in held]
        announcing.finished(engine, connection, [one.work for one in held], now)
        journal.record(connection, [_line(engine, one.work) for one in held], now)
        for one in held:
            if one.work.ticket_changes:
                links.update_ticket(connection, one.link, one.work.ticket_changes)
            heard.forget_moments(connection, one.link, _settled_fields(one.work))
        claims.release(
            connection,
            [claims.Release(one.link, moment, one.changes) for one, moment in zip(held, moments, strict=True)],
            now,
        )
        names = {name for one in held for name in _tell_siblings(connection, one.work, now)}
        if len(engine.crms) > 1:
            names |= set(claims.kept_waiting(connection, [one.link for one in held], now))
        rung = connections.ring(connection, sorted(names), now) if names else []
    if rung:
        engine.bell(rung)


def _tell_siblings(connection: sa.Connection, work: Work, now: datetime) -> list[str]:
    """What this pass made or found in Next Cap is news to the ticket's other links, and no webhook will say so."""
    version = work.ticket_changes.get("version")
    moved = version is not None and version != work.link.ticket.version
    look = work.news | (Look.MOVED if moved else Look.NOTHING)
    return links.mark_siblings(connection, work.link, look, now) if look else []


def _settled_fields(work: Work) -> list[str]:
    """The CRM's fields that are at their shadow: when they last changed does not matter any more.

    None where the record was not read: what is known of it may be older than the change that was told.
    """
    if work.crm is None:
        return []
    shown = work.values(Side.CRM)
    settled = [name for name, pair in work.shadows.items() if shown.get(name) == pair.crm]
    return [native_of(work.mapping, name, Side.CRM) for name in settled]


def _due(
    engine: Engine, connection: sa.Connection, work: Work, changes: dict[str, Any], now: datetime
) -> datetime | None:
    """When this link is to be worked again, if at all before something happens."""
    if work.failure is not None:
        return _after_failure(engine, connection, work, changes, now)
    if "cause_code" not in work.changes:
        changes |= {"attempts": 0, "failing_since": None, "cause": None, "cause_code": None, "alone": False}
    if work.held_back and work.postponed is None:
        return _when_opened(connection, work, changes, now)
    if work.again or _answers_show_more(work):
        return now
    if work.due_at is not None or work.ended:
        changes.setdefault("look", work.look)
    left = [one for one in work.open_effects if one.id not in {*work.dropped, *work.refused, *work.kept}]
    if left and work.due_at is None and not work.ended:
        untried = any(one.state == INTENDED for one in left)
        return now + backoff(0 if untried else 1, engine.timing)
    return work.due_at


def _when_opened(connection: sa.Connection, work: Work, changes: dict[str, Any], now: datetime) -> datetime | None:
    """What was held back waits until its direction is opened. Where that happened meanwhile, it is worked again."""
    changes.setdefault("look", work.look)
    directions = [fuses.towards(side) for side in sorted(work.held_back)]
    closed = [one for one in directions if pauses.is_closed(connection, work.link.connection, one)]
    if len(closed) < len(directions) or work.again or _answers_show_more(work):
        return now
    direction = closed[0] if len(closed) == 1 else Direction.BOTH
    changes |= {"cause": work.why_held_back, "cause_code": causes.paused(direction)}
    return work.due_at


def _answers_show_more(work: Work) -> bool:
    """Whether the answer to a write of ours shows a change that this pass did not decide on.

    Its own event, should it come later, would be older than what the answer told, and so be nothing new.
    """
    if not work.wrote or work.ended or work.waits_for:
        return False
    left_alone = set(work.held) | {one.field for one in work.parkings}
    for side, record in ((Side.NEXTCAP, work.nextcap), (Side.CRM, work.crm)):
        for name, value in work.values(side).items() if record else ():
            shadow = work.shadows.get(name)
            known = None if shadow is None else (shadow.nextcap if side is Side.NEXTCAP else shadow.crm)
            if name not in left_alone and shadow is not None and value != known:
                return True
    return False


def _after_failure(
    engine: Engine, connection: sa.Connection, work: Work, changes: dict[str, Any], now: datetime
) -> datetime | None:
    """A ticket that failed for its own reason is worked alone from now on, later and later, and at last parked."""
    error = work.failure
    assert error is not None  # noqa: S101 - checked by the caller
    since = work.link.failing_since or now
    changes |= {"cause": str(error), "cause_code": error.code, "look": work.look | Look.NEXTCAP | Look.CRM}
    if isinstance(error, RetryLater | UnknownOutcome) and now - since < engine.timing.give_up:
        attempts = work.link.attempts + 1
        changes |= {"attempts": attempts, "failing_since": since, "alone": True}
        if error.system:
            changes["cause_code"] = causes.fails(error.system, error.code)
            if attempts == 1:
                _strike(engine, connection, error, now)
        return now + backoff(attempts - 1, engine.timing)
    candidates = error.candidates if isinstance(error, NeedsReview) else ()
    _park(connection, work, Parking("", error.code, str(error), candidates=candidates), now)
    changes |= {"attempts": 0, "failing_since": None, "alone": False}
    return None


def _strike(engine: Engine, connection: sa.Connection, error: RetryLater | UnknownOutcome, now: datetime) -> None:
    """Several tickets that begin to fail without a good answer between them are an outage, not bad tickets.

    The rest of a batch that fails with them is the same outage, and closes the circuit for no longer.
    """
    if _is_closed(connections.state(connection, error.system), now):
        return
    failures = connections.fail(connection, error.system, cause=str(error), until=None)
    if failures >= STRIKES:
        until = now + backoff(failures - STRIKES, engine.timing)
        connections.hold(connection, error.system, cause=str(error), until=until)


def _is_closed(row: sa.Row[Any], now: datetime) -> bool:
    return row.closed_until is not None and row.closed_until > now


def _keep_parked(connection: sa.Connection, work: Work, now: datetime) -> None:
    """Park what was left to a person in this pass, and close what no longer waits."""
    work.parked, work.unparked = [], set()  # A transaction that was turned down has parked nothing.
    for one in work.parkings:
        _park(connection, work, one, now)
    if work.plan is None or not work.is_live:
        return
    for item in work.plan.decisions:
        pair = (item.nextcap, item.crm)
        if item.code == "quarantined" and work.held.get(item.name) != pair:
            parked.show_newest(connection, work.link.id, item.name, pair)
    loops = sum(one.code == parked.LOOP for one in work.parkings)
    if loops:
        counters.add(connection, {("loops_broken", work.link.connection): loops})
    waiting = {one.field for one in work.parkings}
    still = {item.name for item in work.plan.decisions if item.outcome in (Outcome.HELD, Outcome.REFUSED)}
    planned = {item.name for item in work.plan.decisions}
    over = [field for field in work.held if field in planned and field not in still | waiting]
    how = "superseded: the values changed"
    work.unparked |= parked.settle(connection, work.link.id, over, now=now, by=BY_US, how=how)


def _park(connection: sa.Connection, work: Work, one: Parking, now: datetime) -> None:
    is_new = parked.park(
        connection,
        name=work.link.connection,
        link_id=work.link.id,
        field=one.field,
        code=one.code,
        reason=one.reason,
        nextcap=one.nextcap,
        crm=one.crm,
        candidates=one.candidates,
        now=now,
    )
    if is_new:
        work.parked.append(one)


def _line(engine: Engine, work: Work) -> journal.Line:
    """One row a link and pass: the outcome in a sentence, and a line for every field that was looked at."""
    decisions = [describe(one) for one in work.plan.decisions] if work.plan else []
    code, text = _summary(engine, work)
    details = {"fields": decisions, "lines": work.lines} if decisions or work.lines else {}
    return journal.Line(work.link.connection, work.link.id, code, text, details)


def _summary(engine: Engine, work: Work) -> tuple[str, str]:
    error: ConnectorError | None = work.failure
    if error is not None:
        kind = "parked" if isinstance(error, Refused | NeedsReview | NotSupported) else "failed"
        return error.code, f"{kind}: {error}"
    if causes.is_wait(work.changes.get("cause_code")):
        return "waits", f"waits: {work.changes['cause']}"
    if work.held_back:
        return "held_back", f"waits to be written ({_held_back(engine, work)}): {work.why_held_back}"
    if work.ended:
        return work.lines[-1]["code"], work.lines[-1]["text"]
    if work.carried:
        return "synced", f"carried {_arrows(engine, work, work.carried)}"
    if work.wrote:
        return "synced", work.lines[-1]["text"] if work.lines else "written"
    if work.parkings:
        return "parked", f"left to a person: {', '.join(one.field for one in work.parkings)}"
    return "nothing", "nothing to do: neither side differs from what it last said"


def _arrows(engine: Engine, work: Work, written: Sequence[tuple[str, Side]]) -> str:
    label = engine.label(work.link.connection)
    return ", ".join(f"{name} → {label if side is Side.CRM else 'Next Cap'}" for name, side in written)


def _held_back(engine: Engine, work: Work) -> str:
    return _arrows(engine, work, [(name, side) for side, names in work.held_back.items() for name in sorted(names)])
