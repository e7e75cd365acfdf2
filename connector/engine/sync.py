"""One pass over a batch of links: read what is stale, decide, write, and store how it ended.

The order inside a pass holds the promises: doubts are settled before anything is sent, comments go before the
statuses that were set after them, and the side about to be written is read first.
"""

from __future__ import annotations

from collections.abc import Sequence

from connector.adapters.lanes import Lane, lane
from connector.domain.decision import Outcome
from connector.domain.errors import ConnectorError, NeedsReview, RetryLater, StoreAway
from connector.domain.rules import Directories, OnLeave, Verdict
from connector.domain.ticket import Record
from connector.engine import budget, comments, creating, effects, finish, fuses, reading, settling
from connector.engine.context import NEXTCAP, Engine
from connector.engine.deciding import asks_for_nextcap, decide, decide_afresh, is_for_nextcap, is_untold, send_to_crm
from connector.engine.people import directories, learn_departments
from connector.engine.work import HEARTBEAT, TAG, Work, each, names_every_field
from connector.store import effects as effect_rows
from connector.store import links, parked
from connector.store.links import LinkRow, Look, LostLease

REFUSED_WAIT = 60.0
LEAST_AT_ONCE, MOST_AT_ONCE = 2, 10
"""How many tickets are read together before they are written in Next Cap one by one."""


def work_batch(engine: Engine, name: str, claimed: Sequence[LinkRow]) -> list[Work]:
    """Work these claimed links to their end. Each is committed, whatever becomes of the others.

    Raises the `RetryLater` of the connection, after every link has been given back, where the cause is the vendor's.
    """
    works = load(engine, name, claimed)
    try:
        with lane(Lane.CHANGES, waited=_waited(engine, claimed)):
            people = directories(engine, name)
            _run(engine, name, works, people)
    except RetryLater as problem:
        for work in works:
            if work.is_live:
                work.postponed = problem
    except LostLease:
        finish.abandoned(engine, works)
    except StoreAway:
        finish.abandoned(engine, works)  # As far as the database answers again; if not, when the leases are over.
        raise
    except ConnectorError as problem:
        # The vendor turned a whole batch down (a missing permission, as a rule): one cause, told once, tried again.
        told = RetryLater(str(problem), code=problem.code, after=REFUSED_WAIT, system=name)
        for work in works:
            if work.is_live:
                work.postponed = told
    waiting = next((work.postponed for work in works if work.postponed), None)
    if waiting is not None:
        waiting.system = waiting.system or name
        finish.postpone(engine, works, waiting)
    finish.finish_all(engine, works)
    if waiting is not None:
        raise waiting
    return works


def _waited(engine: Engine, claimed: Sequence[LinkRow]) -> float:
    """For how many seconds the oldest of these has been due: what waits long becomes urgent."""
    oldest = min((link.dirty_at for link in claimed if link.dirty_at), default=engine.now())
    return (engine.now() - oldest).total_seconds()


def load(engine: Engine, name: str, claimed: Sequence[LinkRow]) -> list[Work]:
    """A pass that begins, for each of these links: what the store knows, and nothing read yet."""
    ids = [link.id for link in claimed]
    with engine.db.read() as connection:
        mapping = engine.mappings.active(connection, name)
        held = parked.held(connection, ids)
        opened = effect_rows.open_of(connection, ids)
        gate = fuses.gate_of(engine, connection, name)
    return [
        Work(
            link=link,
            mapping=mapping,
            held=held.get(link.id, parked.NOTHING).pairs,
            quarantined=held.get(link.id, parked.NOTHING).quarantined,
            incomplete=held.get(link.id, parked.NOTHING).incomplete,
            trails=fuses.trails_of(link.trails),
            gate=gate,
            open_effects=opened.get(link.id, []),
            look=link.look,
            shadows=dict(link.shadows),
            substitutes=set(link.substitutes),
        )
        for link in claimed
    ]


def _run(engine: Engine, name: str, works: list[Work], people: Directories) -> None:
    for work in works:
        _prepare(engine, work)
    reading.read_nextcap(engine, [work for work in works if work.look & Look.NEXTCAP])
    if any(work.look & Look.CRM for work in works):
        # Those that would have to be read before they are written share the call.
        reading.read_crm(engine, name, [work for work in works if work.look & Look.CRM or is_untold(work)])
    people = learn_departments(engine, people, works)
    for work in works:
        if work.changes.get("state") == links.GONE and work.mapping.on_delete == "close":
            effects.close_orphan(engine, work)
    each(works, _judge)
    comments.settle_doubts(engine, name, works)
    comments.look_at_timelines(engine, name, works, people)
    new = [work for work in works if work.is_live and work.link.state == links.NEW]
    creating.create_in_crm(engine, name, [work for work in new if work.record_id is None], people)
    creating.create_in_nextcap(engine, name, [work for work in new if work.nextcap_id is None], people)
    # A half that was there already, or was made in an earlier pass that ended early, may have been talked on.
    comments.look_at_timelines(engine, name, [work for work in new if work.is_live], people)
    _settle_interrupted(engine, name, works)
    # What the CRM was not shown before this pass began, it could not know when somebody closed there.
    for work in works:
        work.note_unseen_reply(comments.has_unseen_customer_reply(work))
    linked = [work for work in works if work.is_live and work.record_id and work.nextcap_id]
    send_to_crm(engine, name, linked, people)
    comments.send_to_nextcap(engine, linked)
    decide(engine, name, linked, people)
    _read_timelines_of_the_moved(engine, name, linked, people)
    asking = [work for work in linked if work.is_live and is_for_nextcap(work)]
    # At once: whatever people do in the CRM between that reading and this write is lost. Then what is done is told.
    effects.write_crm(engine, name, [work for work in linked if work.is_live and not is_for_nextcap(work)])
    finish.finish_all(engine, [work for work in linked if not (work.is_live and is_for_nextcap(work))])
    for part in _parts(engine, asking):
        _write_part(engine, name, part, people)


def _parts(engine: Engine, asking: list[Work]) -> list[list[Work]]:
    """Those that are to be read in Next Cap once more, mostly to be written, in parts that are done one by one.

    It takes one write after the other, so what was read for all of a large batch at once would be old when the last had
    their turn; and where few calls are allowed, they would all be spent on reading, time and again.
    """
    if len(asking) <= LEAST_AT_ONCE:
        return [asking] if asking else []
    with engine.db.read() as connection:
        per_minute = budget.calls_per_minute(connection, NEXTCAP, engine.now())
    size = max(LEAST_AT_ONCE, min(MOST_AT_ONCE, int(per_minute / 4)))
    return [asking[start : start + size] for start in range(0, len(asking), size)]


def _write_part(engine: Engine, name: str, part: list[Work], people: Directories) -> None:
    """Write what a part of the batch asks of both sides, and store how it ended."""
    decide_afresh(engine, name, part, people)
    _read_timelines_of_the_moved(engine, name, part, people)
    effects.write_crm(engine, name, [work for work in part if work.is_live])
    finish.finish_all(engine, [work for work in part if not (work.is_live and asks_for_nextcap(work))])
    waiting = [work for work in part if not work.finished]
    each(waiting, lambda work: _write_nextcap(engine, name, work, people))
    for work in waiting:
        if work.postponed is not None:
            raise work.postponed


def _write_nextcap(engine: Engine, name: str, work: Work, people: Directories) -> None:
    """Committed ticket by ticket, so that the echo of a write finds what the write showed.

    So the last of a part may have to wait for its turn: a plan that is old by then is made again, and so is one that
    did not know of what a webhook has told since.
    """
    is_old = work.planned_at and (engine.now() - work.planned_at).total_seconds() > engine.timing.plan
    if is_old:
        work.nextcap_fresh = work.crm_fresh = False
    if reading.catch_up(engine, work) or is_old:
        decide(engine, name, [work], people)
        decide_afresh(engine, name, [work], people)
        effects.write_crm(engine, name, [work] if work.is_live else [])
    if work.is_live and work.plan:
        effects.write_nextcap(engine, work)
    finish.finish_all(engine, [work])


def _prepare(engine: Engine, work: Work) -> None:
    """What is known without a call, and what must be looked at because of the state that the link is in."""
    now = engine.now()
    ticket = work.link.ticket
    if work.link.claims >= engine.timing.deaths:
        told = f"{work.link.claims} processes ended while they worked on this ticket; their logs may say why"
        work.fail(NeedsReview(told, code="kills"))
        return
    if ticket.forbidden_until and ticket.forbidden_until > now:
        work.end(*reading.NOT_VISIBLE)
        return
    stored = reading.stored_reading(work)
    if stored is None or (work.link.state == links.NEW and not names_every_field(work.mapping, stored)):
        work.look |= Look.NEXTCAP
    else:
        work.nextcap = stored
        age = (now - ticket.read_at).total_seconds() if ticket.read_at else engine.timing.fresh
        # Half the time: a walk that begins with an old status is an illegal attempt.
        work.nextcap_fresh = 0 <= age < engine.timing.fresh / 2
        if work.look & Look.NEXTCAP:
            work.nextcap_fresh = False
    if work.link.state == links.GONE:
        work.look |= Look.CRM
    if work.link.state == links.NEW and work.link.record_id:
        work.look |= Look.CRM
    if settling.open_writes(work):
        work.look |= Look.NEXTCAP | Look.CRM
        work.nextcap_fresh = False


def _judge(work: Work) -> None:
    """The mapping's filter: whether this connection carries the ticket at all, and what if it no longer does."""
    if work.nextcap is None:
        _judge_record(work)
        return
    verdict = _heartbeat(work.nextcap, work.link.connection) or work.mapping.carries(work.nextcap)
    if work.link.state == links.NEW and work.link.record_id is None:
        if not verdict.carried:
            work.end("not_carried", verdict.reason)
        return
    if verdict.carried or work.mapping.on_leave is OnLeave.KEEP:
        if work.link.state == links.FROZEN:
            work.changes["state"] = links.ACTIVE
            work.look |= Look.ALL
            work.say("thawed", verdict.reason)
        return
    state = links.FROZEN if work.mapping.on_leave is OnLeave.FREEZE else links.GONE
    work.changes["state"] = state
    work.end("left", f"{verdict.reason}; the link is {'frozen' if state == links.FROZEN else 'ended'}")


def heartbeat_tag(name: str) -> str:
    """What marks the synthetic ticket of this connection, for people and for us."""
    return f"{TAG}{name}"


def _heartbeat(record: Record, name: str) -> Verdict | None:
    """A synthetic ticket is carried by its own connection alone, whatever the mapping's filter says."""
    tags = record.get("tags")
    marked = {one.removeprefix(TAG) for one in (tags if isinstance(tags, tuple) else ()) if one.startswith(TAG)}
    named = record.get(f"metadata.{HEARTBEAT}")
    owners = {named} if isinstance(named, str) and named else marked
    if not owners:
        return None
    return Verdict(name in owners, f"the heartbeat of connection {', '.join(sorted(owners))}")


def _judge_record(work: Work) -> None:
    """A CRM record without a Next Cap ticket: made there only where the mapping says so and it lies in scope."""
    if work.crm is None or work.nextcap_id is not None:
        return
    if not work.mapping.creates_in_nextcap:
        work.end("not_carried", "the mapping does not create tickets in Next Cap")
        return
    for field, value in work.mapping.scope.items():
        if work.crm.get(field) != value:
            work.end("not_carried", f"the record's {field} is not the one that the mapping carries")
            return


def _settle_interrupted(engine: Engine, name: str, works: Sequence[Work]) -> None:
    doubtful = [work for work in works if work.is_live and settling.open_writes(work)]
    reading.read_nextcap(engine, doubtful)
    reading.read_crm(engine, name, doubtful)
    for work in doubtful:
        if work.is_live:
            settling.settle_writes(engine, work)


def _read_timelines_of_the_moved(engine: Engine, name: str, works: Sequence[Work], people: Directories) -> None:
    """A ticket that moved with no mapped field differing was moved by something in its timeline, unless by us."""
    moved = [
        work
        for work in works
        if work.is_live and work.look & Look.MOVED and "timeline_version" not in work.ticket_changes
        if _nothing_differs(work) and not _was_moved_by_us(work)
    ]
    for work in moved:
        work.look |= Look.NEXTCAP_COMMENTS
    comments.look_at_timelines(engine, name, moved, people)
    send_to_crm(engine, name, moved, people)


def _was_moved_by_us(work: Work) -> bool:
    ticket = work.link.ticket
    return None not in (ticket.version, ticket.own_version) and ticket.version == ticket.own_version


def _nothing_differs(work: Work) -> bool:
    return work.plan is not None and all(
        decision.outcome in (Outcome.UNCHANGED, Outcome.HELD) for decision in work.plan.decisions
    )
