"""Writing fields, records and statuses: each write an effect with a name, each outcome committed on its own.

Writes of absolute values may be repeated, but not blindly: where the outcome is unknown, the target is read, and what
it shows of our values is ours and settled. A walk through Next Cap's states is one effect whose path is stored first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connector.adapters.base import Adapter, Change, ChangeKind, Written
from connector.domain.decision import SETTLED, STATUS, Decision, Shadow
from connector.domain.errors import ConnectorError, Gone, Refused, RetryLater, UnknownOutcome
from connector.domain.lifecycle import Status, shortest_path
from connector.domain.status import parse_status
from connector.domain.ticket import MISSING, Record, Side, Value, is_form_of
from connector.engine import fence, fuses
from connector.engine.context import NEXTCAP, Engine
from connector.engine.points import Point, at
from connector.engine.reading import take_crm, take_nextcap
from connector.engine.work import ASSIGNEE, DEPARTMENT, DEPARTMENT_NAME, Parking, Work, native_of, observe
from connector.store import causes, effects, links
from connector.store.links import to_json

CONFLICT = "conflict"
WALK_REFUSED = "walk_refused"
UPDATE_CRM, UPDATE_NEXTCAP, WALK = "update_crm", "update_nextcap", "walk"

Pairs = Mapping[str, tuple[Value, Value]]
"""By rule name: the source's value and the value it becomes on the target."""


def write_crm(engine: Engine, name: str, works: Sequence[Work]) -> None:
    """Write what the plans ask of the CRM, all links in as few calls as the vendor allows."""
    adapter = engine.crms[name]
    ready = [work for work in works if work.is_live and work.record_id and work.plan]
    asked = {id(work): _pairs_for_crm(work) for work in ready}
    stamps = {id(work): _stamp(work, adapter.external_id) for work in ready}
    ready = fuses.admitted(engine, Side.CRM, [work for work in ready if asked[id(work)] or stamps[id(work)]])
    jobs = [(work, asked[id(work)]) for work in ready]
    if not jobs:
        return
    _intend(engine, UPDATE_CRM, Side.CRM, jobs)
    changes = [
        Change(
            ChangeKind.UPDATE,
            key=str(work.link.id),
            record_id=work.record_id,
            values={native_of(work.mapping, rule, Side.CRM): target for rule, (_, target) in pairs.items()}
            | stamps[id(work)],
            version=work.crm_version if adapter.capabilities.checks_versions else None,
        )
        for work, pairs in jobs
    ]
    outcomes = {one.key: one for one in attempt(engine, adapter, [work for work, _ in jobs], changes)}
    at(Point.APPLIED, UPDATE_CRM)
    for work, pairs in jobs:
        written = outcomes.get(str(work.link.id)) or Written(str(work.link.id), error=unreported())
        _keep_values(engine, work, Side.CRM, pairs, written)
    raise_waits(outcomes.values())


def attempt(engine: Engine, adapter: Adapter, works: Sequence[Work], changes: Sequence[Change]) -> Sequence[Written]:
    """Write for these works while their tickets are ours, and have every trouble in the outcomes.

    A batch that got no usable answer as a whole is the connection's: its effects stay open and are settled by reading.
    """
    try:
        with fence.sending(engine, works):
            outcomes = adapter.write(changes)
    except ConnectorError as problem:
        outcomes = [Written(change.key, error=problem) for change in changes]
    errors = [one.error for one in outcomes]
    if len(changes) > 1 and all(isinstance(error, UnknownOutcome) for error in errors):
        lost = errors[0]
        assert isinstance(lost, UnknownOutcome)  # noqa: S101 - all of them are
        text = f"{lost}; both sides are read to see what was applied"
        raise RetryLater(text, code=lost.code, system=lost.system) from lost
    return outcomes


def raise_waits(outcomes: Iterable[Written]) -> None:
    """Raise the connection's own trouble, once every outcome of a batch has been kept."""
    for one in outcomes:
        if isinstance(one.error, RetryLater) and one.error.scope == "connection":
            raise one.error


def unreported() -> ConnectorError:
    """What became of a write that a batch's answer does not mention."""
    return UnknownOutcome("the answer said nothing of this record", code="unreported", answered=True)


def _pairs_for_crm(work: Work) -> dict[str, tuple[Value, Value]]:
    """What to write, by rule. A status never goes ahead of a comment, or while one may have moved the ticket."""
    assert work.plan is not None  # noqa: S101 - planned by the caller
    pairs = {}
    for name, value in work.plan.to_crm.items():
        if name == STATUS and work.waits_for:
            continue
        pairs[name] = (work.plan.decision(name).nextcap, value)
    return pairs


def _stamp(work: Work, field: str) -> dict[str, Value]:
    """Our id, where the record does not carry it yet (it was made by a person in the CRM)."""
    record = work.crm or work.known_crm()
    if not field or record is None or not work.nextcap_id:
        return {}
    return {} if record.get(field) in (work.nextcap_id, MISSING) else {field: work.nextcap_id}


def _intend(engine: Engine, kind: str, side: Side, jobs: Sequence[tuple[Work, Pairs]], **payload: Any) -> None:
    """Name the writes and mark them as sending, under each ticket's fence, before anything goes out."""
    now = engine.now()
    until = now + timedelta(seconds=engine.timing.call)
    rows = [
        {
            "link_id": work.link.id,
            "key": f"{kind}:{work.link.ticket.fence}:{work.next_write()}",
            "kind": kind,
            "side": side,
            "state": effects.SENDING,
            "sent_at": now,
            "sending_until": until,
            "payload": {
                "pairs": {name: [to_json(one), to_json(two)] for name, (one, two) in pairs.items()},
                "merged": [name for name in pairs if _is_merged(work, name)],
                "seen": _seen(work, pairs) if kind == UPDATE_CRM else {},
                "base": work.crm_version.isoformat() if kind == UPDATE_CRM and work.crm_version else None,
                **payload,
            },
        }
        for work, pairs in jobs
    ]
    with engine.db.write() as connection:
        fence.check(engine, connection, [work for work, _ in jobs])
        effects.intend(connection, rows, now)
        opened = effects.open_of(connection, [work.link.id for work, _ in jobs])
    for work, _ in jobs:
        work.open_effects = opened.get(work.link.id, [])
    at(Point.SENDING, kind)


def _seen(work: Work, pairs: Pairs) -> dict[str, Any]:
    """What the CRM was seen to say and no shadow knows yet, by rule: by it an event is told from an older value."""
    shown = work.values(Side.CRM).items()
    news = {name: value for name, value in shown if name in work.shadows and work.shadows[name].crm != value}
    return {name: to_json(value) for name, value in news.items() if name not in pairs}


def _keep_values(engine: Engine, work: Work, side: Side, pairs: Pairs, written: Written) -> None:
    """Move the shadows to what the target shows, or leave them where they were and say why."""
    for warning in written.warnings:
        work.say("warning", warning)
    if written.error is not None:
        _not_written(work, side, pairs, written.error)
        return
    base = work.crm_version
    work.wrote = True
    work.carried += [(name, side) for name in pairs]
    shown = observe(work.mapping, side, written.record) if written.record else {}
    for name, (source, target) in pairs.items():
        value = shown.get(name, target)
        if value is None and target is not None:
            work.say(
                "answered_otherwise", f"{name} was written, but the answer shows it empty; it is not written again"
            )
        elif not is_form_of(value, target):
            # Something there gave it another value inside our request: that side's change, which the next pass plans.
            value = target
            work.say(
                "answered_otherwise",
                f"{name} was written, but the answer shows another value, which counts as a change",
            )
        if side is Side.CRM or not _is_merged(work, name):
            fuses.remember(work, name, side, target, engine.now())
        if _is_merged(work, name):
            _keep_merged(work, name, side, value)
        else:
            work.shadows[name] = Shadow(source, value) if side is Side.CRM else Shadow(value, source)
    kind = UPDATE_CRM if side is Side.CRM else UPDATE_NEXTCAP
    work.dropped += [one.id for one in work.open_effects if one.kind == kind]
    if side is Side.CRM:
        _remember_crm(engine, work, pairs, written, base=base)


def _remember_crm(engine: Engine, work: Work, pairs: Pairs, written: Written, *, base: datetime | None = None) -> None:
    """What the CRM shows after our write: what it showed before, what we wrote, and what its answer says.

    `base` is the version that the write was decided on. Where the answer tells none, the record is newer than that.
    """
    before = work.crm or work.known_crm()
    ours = {native_of(work.mapping, name, Side.CRM): target for name, (_, target) in pairs.items()}
    told = written.record.fields if written.record else {}
    fields = {**(before.fields if before else {}), **ours, **told}
    version = written.record.version if written.record else None
    take_crm(engine, work, Record(str(work.record_id), fields, version))
    if version is None:
        work.changes["moved_from"] = base or work.link.moved_from


def _is_merged(work: Work, name: str) -> bool:
    """Whether both sides are written: then the shadow moves only when both writes are done."""
    decision = work.plan.decision(name) if work.plan else None
    return decision is not None and decision.writes_crm and decision.writes_nextcap


def _keep_merged(work: Work, name: str, side: Side, value: Value) -> None:
    halves = work.merged.setdefault(name, {})
    halves[side] = value
    if len(halves) == len(Side):
        work.shadows[name] = Shadow(halves[Side.NEXTCAP], halves[Side.CRM])


def _not_written(work: Work, side: Side, pairs: Pairs, error: ConnectorError) -> None:
    """An unknown outcome stays an open effect; a refusal parks the field it names, or all that was in the write."""
    if isinstance(error, UnknownOutcome):
        work.fail(error)
        return
    kind = UPDATE_CRM if side is Side.CRM else UPDATE_NEXTCAP
    work.dropped += [one.id for one in work.open_effects if one.kind == kind]
    if side is Side.CRM and not work.crm_fresh and isinstance(error, Refused | RetryLater) and _is_stale(work, error):
        work.look_again("written_unread", f"{error}; the record is read, and the changes are decided again")
        return
    if isinstance(error, Gone) and side is Side.CRM:
        # What became of the record is for the next read to find out.
        error = RetryLater(str(error), code=error.code, scope="record", system=work.link.connection)
    if not isinstance(error, Refused):
        if not (isinstance(error, RetryLater) and error.scope == "connection"):
            work.fail(error)
        return
    named = [name for name in pairs if error.field and native_of(work.mapping, name, side) == error.field]
    for name in named or list(pairs):
        decision = work.plan.decision(name) if work.plan else None
        nextcap, crm = (decision.nextcap, decision.crm) if decision else (None, None)
        work.parkings.append(Parking(name, error.code, str(error), nextcap, crm))
    if not pairs:
        work.fail(error)
    elif named and len(named) < len(pairs):
        work.say("field_refused", f"{', '.join(named)} was refused; the other fields are written without it")
        work.again = True


def _is_stale(work: Work, error: Refused | RetryLater) -> bool:
    """Whether an error may come from writing to a record that was not read before, so that reading it may help."""
    may_be_closed = isinstance(error, Refused) and bool(work.mapping.status.final)
    return isinstance(error, Gone) or error.code == CONFLICT or may_be_closed


def write_nextcap(engine: Engine, work: Work) -> None:
    """Write what the plan asks of one Next Cap ticket: fields, assignee, department, then the walk."""
    assert work.plan is not None  # noqa: S101 - planned by the caller
    pairs = {name: (work.plan.decision(name).crm, value) for name, value in work.plan.to_nextcap.items()}
    walks = bool(work.plan.walk) and Side.NEXTCAP not in work.waits_for
    if not (pairs or walks) or not fuses.admitted(engine, Side.NEXTCAP, [work]):
        return
    if pairs:
        _intend(engine, UPDATE_NEXTCAP, Side.NEXTCAP, [(work, pairs)])
        _write_values(engine, work, pairs)
    if work.is_live and walks:
        walk(engine, work, work.plan.decision(STATUS))


def _write_values(engine: Engine, work: Work, pairs: Pairs) -> None:
    natives = {native_of(work.mapping, name, Side.NEXTCAP): (name, pair) for name, pair in pairs.items()}
    plain = {native: pair[1] for native, (_, pair) in natives.items() if native not in (ASSIGNEE, DEPARTMENT)}
    groups: list[tuple[ChangeKind, dict[str, Value]]] = [(ChangeKind.UPDATE, plain)] if plain else []
    # The department goes before the assignee: a transfer may drop the assignee on the way.
    for kind, native in ((ChangeKind.TRANSFER, DEPARTMENT), (ChangeKind.ASSIGN, ASSIGNEE)):
        if native in natives:
            groups.append((kind, {native: natives[native][1][1]}))
    for kind, values in groups:
        change = Change(kind, key=f"{work.link.id}", record_id=work.nextcap_id, values=values)
        written = one_outcome(engine, work, change)
        at(Point.APPLIED, UPDATE_NEXTCAP)
        part = {natives[native][0]: natives[native][1] for native in values}
        _take_answer(engine, work, written)
        _keep_values(engine, work, Side.NEXTCAP, part, written)
        if not work.is_live:
            return


def one_outcome(engine: Engine, work: Work, change: Change) -> Written:
    """Carry out one change in Next Cap; whatever went wrong is in the outcome, a connection's trouble is raised."""
    written = next(iter(attempt(engine, engine.nextcap, [work], [change])), None)
    if written is None:
        return Written(change.key, error=unreported())
    raise_waits([written])
    return written


def _take_answer(engine: Engine, work: Work, written: Written) -> None:
    """The answer to our own write is the newest reading there is."""
    if written.error is None and written.record is not None:
        record = written.record
        before = dict(work.nextcap.fields) if work.nextcap else {}
        if record.fields.get(DEPARTMENT) != before.get(DEPARTMENT):
            before.pop(DEPARTMENT_NAME, None)  # The name of the one that the ticket has left.
        whole = Record(
            id=record.id or str(work.nextcap_id),
            fields={**before, **record.fields},
            version=record.version,
            number=record.number or work.link.ticket.number,
            requester=record.requester if record.requester.email else _requester(work, record),
        )
        was_current = work.timeline_is_current
        take_nextcap(engine, work, whole)
        work.ticket_changes["own_version"] = record.version
        if was_current and work.was_read:
            # A note made between that reading and this write is hidden by it, so the rotation owes it a look.
            work.ticket_changes |= {"timeline_version": record.version, "owed_at": engine.now()}


def _requester(work: Work, record: Record) -> Any:
    return work.nextcap.requester if work.nextcap else record.requester


def walk(engine: Engine, work: Work, decision: Decision) -> None:
    """Make the moves one by one. Each hop commits Next Cap's shadow; the CRM's is not known before the last.

    So wherever the CRM stands when an interrupted walk is taken up counts as news, be it where it was before.
    """
    path = [str(step) for step in decision.path]
    payload = {"path": path, "crm": to_json(decision.crm)}
    _intend(engine, WALK, Side.NEXTCAP, [(work, {})], **payload)
    for place, step in enumerate(path, start=1):
        change = Change(ChangeKind.MOVE, key=f"{work.link.id}", record_id=work.nextcap_id, values={"status": step})
        written = one_outcome(engine, work, change)
        at(Point.APPLIED, WALK)
        if written.error is not None:
            _walk_broke(work, decision, step, written.error)
            return
        _take_answer(engine, work, written)
        work.wrote = True
        work.shadows[STATUS] = Shadow(step, decision.crm if place == len(path) else None)
        if place < len(path):
            _commit_hop(engine, work)
            at(Point.HOP, WALK)
    work.carried.append((STATUS, Side.NEXTCAP))
    fuses.remember(work, STATUS, Side.NEXTCAP, path[-1], engine.now())
    if decision.substituted:
        work.substitutes.add((path[-1], decision.crm))
    work.dropped += [one.id for one in work.open_effects if one.kind == WALK]


def close_orphan(engine: Engine, work: Work) -> None:
    """Close the Next Cap ticket whose CRM record was deleted, where the mapping says so."""
    present = parse_status(work.values(Side.NEXTCAP).get(STATUS)) or Status.CLOSED
    path = shortest_path(present, Status.CLOSED)
    if not path or not fuses.admitted(engine, Side.NEXTCAP, [work], what="close it", kind=fuses.CLOSED):
        return
    for step in path:
        change = Change(ChangeKind.MOVE, str(work.link.id), {"status": str(step)}, record_id=work.nextcap_id)
        written = next(iter(attempt(engine, engine.nextcap, [work], [change])), None)
        error = written.error if written else None
        if isinstance(error, RetryLater | UnknownOutcome):
            work.ended = False
            work.fail(error)
            return
        if error is not None:
            work.parkings.append(Parking(STATUS, error.code, f"the ticket could not be closed: {error}"))
            return
        work.say("closed", f"moved to {step}: the record was deleted, and the mapping says on_delete: close")


def _commit_hop(engine: Engine, work: Work) -> None:
    with engine.db.write() as connection:
        fence.check(engine, connection, [work])
        links.set_shadows(connection, work.link, work.shadows)
        at(Point.KEEPING, WALK)


def _walk_broke(work: Work, decision: Decision, step: str, error: ConnectorError) -> None:
    """Read the ticket and plan anew; a move that the table allows but the vendor refuses twice is a person's."""
    if isinstance(error, UnknownOutcome):
        work.fail(error)
        return
    work.dropped += [one.id for one in work.open_effects if one.kind == WALK]
    if not isinstance(error, Refused):
        work.fail(error)
        return
    if causes.failure_of(work.link.cause_code) == WALK_REFUSED:
        text = f"Next Cap refused the status {step}, although its rules allow it from here: {error}"
        work.parkings.append(Parking(STATUS, WALK_REFUSED, text, decision.nextcap, decision.crm))
        return
    work.fail(RetryLater(f"Next Cap refused the status {step}", code=WALK_REFUSED, scope="record", system=NEXTCAP))


def keep_decisions(work: Work) -> None:
    """Move the shadows of what was settled without a write, and leave to a person what needs one."""
    assert work.plan is not None  # noqa: S101 - planned by the caller
    for decision in work.plan.decisions:
        if decision.outcome in SETTLED:
            work.shadows[decision.name] = Shadow(decision.nextcap, decision.crm)
            if decision.substituted:
                work.substitutes.add((decision.nextcap, decision.crm))
