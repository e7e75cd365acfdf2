"""Making the missing half of a link: a CRM record for a Next Cap ticket, or a Next Cap ticket for a CRM record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from connector.adapters.base import Change, ChangeKind, Written
from connector.domain.decision import STATUS, Shadow
from connector.domain.errors import ConnectorError, NeedsReview, NotSupported, Refused, RetryLater, UnknownOutcome
from connector.domain.lifecycle import Status
from connector.domain.rules import Direction, Directories, Rule, Untranslatable
from connector.domain.status import parse_status
from connector.domain.ticket import MISSING, Record, Requester, Side, Value, normal
from connector.engine import announcing, fuses
from connector.engine.context import NEXTCAP, Engine
from connector.engine.doubts import intend, keep_doubt, settle_doubt
from connector.engine.effects import attempt, raise_waits, unreported
from connector.engine.halves import ours_of, shadows_after_create, shadows_of_new_ticket
from connector.engine.points import Point, at
from connector.engine.reading import fields_of, read_nextcap, take_crm, take_nextcap
from connector.engine.sharing import attach
from connector.engine.work import Parking, Work, each, name_of, observe
from connector.store import effects, links
from connector.store.effects import Effect
from connector.store.links import Look

CREATE_CRM, CREATE_NEXTCAP = "create_crm", "create_nextcap"
TWIN_WAIT = timedelta(seconds=1)
NOTHING_SENT: Mapping[str, Value] = MappingProxyType({})


def create_in_crm(engine: Engine, name: str, works: Sequence[Work], people: Directories) -> None:
    """Give every carried Next Cap ticket its record: found by the mapping's rules, else made."""
    ready = [work for work in works if work.is_live and work.nextcap is not None and not _is_twin(engine, name, work)]
    if not ready:
        return
    _find_existing(engine, name, ready)
    each(ready, lambda work: _adopt_lost(engine, name, work, people))
    fresh = [work for work in ready if work.is_live and work.record_id is None]
    fresh = fuses.admitted(engine, Side.CRM, fresh, what="the record") if fresh else []
    if not fresh:
        return
    changes = [new_record(work, people) for work in fresh]
    before = [_sent_before(work, CREATE_CRM) for work in fresh]
    # What it was first made from stays the base, whichever of several tries it was that made the record.
    was = [_as_json(sent or ours_of(work)) for work, sent in zip(fresh, before, strict=True)]
    jobs = [(work, CREATE_CRM, {"was": one}) for work, one in zip(fresh, was, strict=True)]
    intend(engine, CREATE_CRM, Side.CRM, jobs)
    outcomes = {one.key: one for one in attempt(engine, engine.crms[name], fresh, changes)}
    at(Point.APPLIED, CREATE_CRM)
    outcomes |= _seen(engine, name, fresh[0], outcomes.values())
    for work, change, sent in zip(fresh, changes, before, strict=True):
        written = outcomes.get(str(work.link.id)) or Written("", error=unreported())
        stage = change.values.get(work.mapping.status.crm) if written.created else None
        keep_record(engine, work, written, people, sent={} if written.created else sent, stage=stage)
    raise_waits(outcomes.values())


def _seen(engine: Engine, name: str, work: Work, outcomes: Iterable[Written]) -> dict[str, Written]:
    """Those made whose answers did not show them, as they are read: what somebody changed meanwhile is then seen."""
    unseen = {one.id: one for one in outcomes if one.error is None and one.record is None}
    if not unseen:
        return {}
    adapter = engine.crms[name]
    try:
        read = adapter.read(list(unseen), fields_of(work.mapping, adapter))
    except ConnectorError as error:
        work.say("unseen", f"what was made could not be read at once: {error}")
        return {}
    return {unseen[found].key: replace(unseen[found], record=record) for found, record in read.items()}


def _adopt_lost(engine: Engine, name: str, work: Work, people: Directories) -> None:
    """Where a create cannot be repeated, look whether an interrupted one was carried out before another is sent."""
    adapter = engine.crms[name]
    effect = next((one for one in work.open_effects if one.kind == CREATE_CRM), None)
    if adapter.capabilities.idempotent_create or effect is None or not work.is_live or work.record_id is not None:
        return
    assert work.nextcap is not None  # noqa: S101 - filtered by the caller
    change = Change(ChangeKind.CREATE, key=str(work.link.id), values={}, external_id=work.nextcap.id)
    found = settle_doubt(engine, name, work, effect, change)
    if found is not None:
        whole = adapter.read([found.id], fields_of(work.mapping, adapter)).get(found.id, found)
        written = Written(change.key, whole.id, whole, created=False)
        keep_record(engine, work, written, people, sent=_sent_before(work, CREATE_CRM))


def _sent_before(work: Work, kind: str) -> Mapping[str, Value]:
    """What a create that was interrupted had been made from; nothing where there was none."""
    effect = next((one for one in work.open_effects if one.kind == kind), None)
    was = effect.payload.get("was", {}) if effect else {}
    return {field: links.from_json(value) for field, value in was.items()}


def _is_twin(engine: Engine, name: str, work: Work) -> bool:
    """Whether this ticket may be one that we are making for a CRM record right now; then it waits.

    It names its record, which a link holds that has no ticket yet. A ticket that names one although no link knows it
    was made by an earlier store, and is joined to it; one that names another ticket's record is a copy.
    """
    record = work.nextcap
    assert record is not None  # noqa: S101 - filtered by the caller
    named = record.get(f"metadata.{name}")
    with engine.db.read() as connection:
        creating = effects.has_open_creates(connection, name, CREATE_NEXTCAP)
        row = links.by_record(connection, name, [named]).get(named) if isinstance(named, str) else None
        holder = links.get(connection, row.id) if row else None
    if creating if named is MISSING else holder is not None and holder.ticket.nextcap_id is None:
        work.wait(engine.now() + TWIN_WAIT)
        work.end(
            "may_be_ours", "a ticket is being created in Next Cap, and this may be it; looked at again in a second"
        )
        return True
    if isinstance(named, str) and holder is None:
        work.changes["record_id"] = named
        _join(engine, work, named, {})
    return False


def _find_existing(engine: Engine, name: str, works: Sequence[Work]) -> None:
    """Join tickets to records that are there already, by the mapping's ranked rules. Ambiguity is a person's."""
    adapter = engine.crms[name]
    for rank, _ in enumerate(works[0].mapping.find):
        wanted: dict[str, Work] = {}
        for work in works:
            if work.is_live and work.record_id is None and work.nextcap is not None:
                value = work.mapping.find[rank].observe_nextcap(work.nextcap)
                if isinstance(value, str):
                    wanted[value] = work
        if not wanted:
            continue
        rule = works[0].mapping.find[rank]
        try:
            found = adapter.find(rule.crm, list(wanted), fields_of(works[0].mapping, adapter))
        except (Refused, NotSupported) as problem:
            for work in wanted.values():
                work.fail(problem)
            return
        for value, work in wanted.items():
            _join_found(engine, name, work, found.get(value, ()), rule.crm)


def _join_found(engine: Engine, name: str, work: Work, found: Sequence[Record], field: str) -> None:
    with engine.db.read() as connection:
        taken = links.by_record(connection, name, [record.id for record in found])
    free = [record for record in found if record.id not in taken]
    if len(free) > 1:
        ids = tuple(record.id for record in free)
        work.fail(
            NeedsReview(
                f"{len(ids)} records match by {field}; a person chooses one (`connector parked relink`)",
                code="ambiguous",
                candidates=ids,
            )
        )
    elif free:
        take_crm(engine, work, free[0])
        _join(engine, work, free[0].id, {})
        work.say("found", f"linked to an existing record, found by {field}", record=free[0].id)


def _join(engine: Engine, work: Work, record_id: str, shadows: dict[str, Shadow], *, kind: str = CREATE_CRM) -> None:
    """Commit the join at once; a record that another link holds is a person's to settle."""
    try:
        with engine.db.write() as connection:
            links.check_fence(connection, work.link)
            attach(engine, connection, work.link, record_id, shadows=links.shadows_to_json(shadows))
            _made(connection, work, kind, record_id)
            announcing.linked(engine, connection, work, engine.now(), record_id=record_id)
    except NeedsReview as problem:
        work.fail(problem)
        return
    work.changes |= {"record_id": record_id, "state": links.ACTIVE, "linked_at": engine.now()}
    work.open_effects = _without(work, kind)
    work.look |= Look.CRM_COMMENTS


def new_record(work: Work, people: Directories) -> Change:
    """Every value that the mapping gives for a new record. A value without a counterpart parks its field alone."""
    record = work.nextcap
    assert record is not None  # noqa: S101 - filtered by the caller
    mapping = work.mapping
    values: dict[str, Value] = {**mapping.constants, **mapping.scope}
    status = parse_status(normal(record.get("status")))
    if status is not None and status in mapping.status.to_crm:
        values[mapping.status.crm] = mapping.status.to_crm[status]
    ours = observe(mapping, Side.NEXTCAP, record)
    for rule in mapping.rules:
        if rule.crm and rule.direction is not Direction.TO_NEXTCAP and _is_open(work, rule, ours.get(rule.name)):
            _put(work, values, rule, rule.crm, lambda rule=rule: rule.to_crm(ours.get(rule.name), people))
    values = {field: value for field, value in values.items() if value is not None}
    stage = str(values.get(mapping.status.crm))
    if any(stage in rule.required_on and rule.crm not in values for rule in mapping.rules):
        # As an update would withhold it: the record begins as a new one, and the plan that follows says why.
        values[mapping.status.crm] = mapping.status.to_crm.get(Status.NEW)
    return Change(
        ChangeKind.CREATE,
        key=str(work.link.id),
        values=values,
        external_id=record.id,
        requester=record.requester if mapping.requester else Requester(),
        repeated=any(one.kind == CREATE_CRM for one in work.open_effects),
    )


def _is_open(work: Work, rule: Rule, value: Value) -> bool:
    """Whether this field is not left to a person at just this value."""
    held = work.held.get(rule.name)
    return held is None or held[0] != value


def _put(work: Work, values: dict[str, Value], rule: Rule, field: str, translate: Any) -> None:
    try:
        values[field] = normal(translate())
    except Untranslatable as problem:
        work.parkings.append(Parking(rule.name, problem.code, str(problem)))


def keep_record(
    engine: Engine,
    work: Work,
    written: Written,
    people: Directories,
    *,
    sent: Mapping[str, Value] = NOTHING_SENT,
    stage: Value = None,
    kind: str = CREATE_CRM,
) -> None:
    """The record is made: link it in its own transaction, with the shadows that its answer shows.

    `sent` is what an earlier try was made from, where that one made it, and `stage` the status in which this one did;
    `kind` is that of its effect.
    """
    for warning in written.warnings:
        work.say("warning", warning)
    if written.error is not None:
        _not_kept(engine, work, written.error, kind)
        return
    shadows = shadows_after_create(work, written, people, sent, stage)
    _join(engine, work, written.id, shadows, kind=kind)
    if not work.is_live:
        return
    work.shadows = shadows
    work.wrote = True
    work.look &= ~Look.CRM_COMMENTS if written.created else Look.ALL
    if written.record is not None:
        take_crm(engine, work, Record(written.id, written.record.fields, written.record.version))
    if not written.created:
        work.look_again("made_before", "it was there already: the record is read whole")
    work.say("created", f"created in {engine.label(work.link.connection)}", record=written.id, new=written.created)


def _not_kept(engine: Engine, work: Work, error: ConnectorError, kind: str) -> None:
    """No record is made, as far as anybody knows: look for it, try again, or leave to a person what is refused."""
    name = work.link.connection
    repeats = engine.crms[name].capabilities.idempotent_create
    if not repeats and isinstance(error, UnknownOutcome):
        keep_doubt(engine, name, work, error, kind)
        return
    _drop_unless_unknown(work, kind, error, keeps_waiting=repeats)
    named = name_of(work.mapping, error.field or "", Side.CRM) if isinstance(error, Refused) else None
    if named and work.nextcap is not None and named != STATUS:
        ours = observe(work.mapping, Side.NEXTCAP, work.nextcap).get(named)
        work.parkings.append(Parking(named, error.code, str(error), ours, None))
        work.again = True
    elif not (isinstance(error, RetryLater) and error.scope == "connection"):
        work.fail(error)


def _as_json(values: Mapping[str, Value]) -> dict[str, Any]:
    return {name: links.to_json(value) for name, value in values.items()}


def create_in_nextcap(engine: Engine, name: str, works: Sequence[Work], people: Directories) -> None:
    """Give every record that a person made in the CRM its Next Cap ticket, where the mapping says so."""
    wanted = [work for work in works if work.is_live and work.crm is not None]
    wanted = [work for work in wanted if work.open_effects or work.may_write(Side.NEXTCAP, "the ticket")]
    if not wanted:
        return
    try:
        requesters = engine.crms[name].requesters([str(work.record_id) for work in wanted])
    except (Refused, NotSupported) as problem:
        for work in wanted:
            work.fail(problem)
        return
    each(wanted, lambda work: _make_ticket(engine, name, work, requesters.get(str(work.record_id)), people))


def _make_ticket(engine: Engine, name: str, work: Work, requester: Requester | None, people: Directories) -> None:
    change = _ticket_change(work, name, requester or Requester(), people)
    effect = next((one for one in work.open_effects if one.kind == CREATE_NEXTCAP), None)
    found = settle_doubt(engine, NEXTCAP, work, effect, change) if effect else None
    if not work.is_live:
        return
    adopted = found is not None
    if found is None:
        if not fuses.admitted(engine, Side.NEXTCAP, [work], what="the ticket", kind=fuses.CREATED):
            return
        was = _as_json(observe(work.mapping, Side.CRM, work.crm)) if work.crm else {}
        intend(engine, CREATE_NEXTCAP, Side.NEXTCAP, [(work, CREATE_NEXTCAP, {"was": was})])
        written = next(iter(attempt(engine, engine.nextcap, [work], [change])))
        at(Point.APPLIED, CREATE_NEXTCAP)
        if written.error is not None:
            _not_made(engine, work, written.error)
            raise_waits([written])
            return
        found = written.record or Record(written.id, {})
    _keep_ticket(engine, work, found, people, adopted=adopted)


def _ticket_change(work: Work, name: str, requester: Requester, people: Directories) -> Change:
    assert work.crm is not None  # noqa: S101 - filtered by the caller
    theirs = observe(work.mapping, Side.CRM, work.crm)
    values: dict[str, Value] = {}
    for rule in work.mapping.rules:
        if rule.nextcap and rule.direction is not Direction.TO_CRM:
            _put(work, values, rule, rule.nextcap, lambda rule=rule: rule.to_nextcap(theirs.get(rule.name), people))
    return Change(
        ChangeKind.CREATE,
        key=str(work.link.id),
        values={field: value for field, value in values.items() if value is not None},
        external_id=work.record_id,
        requester=requester,
        metadata={name: str(work.record_id)},
    )


def _not_made(engine: Engine, work: Work, error: ConnectorError) -> None:
    if isinstance(error, UnknownOutcome):
        keep_doubt(engine, NEXTCAP, work, error, CREATE_NEXTCAP)
        return
    work.dropped += [one.id for one in work.open_effects if one.kind == CREATE_NEXTCAP]
    if isinstance(error, NotSupported):
        work.end("not_supported", str(error))
    elif not (isinstance(error, RetryLater) and error.scope == "connection"):
        work.fail(error)


def _keep_ticket(engine: Engine, work: Work, record: Record, people: Directories, *, adopted: bool) -> None:
    """The ticket is made: see what it shows, and link it with its shadows in one transaction."""
    if record.get("status") is MISSING:
        record = engine.nextcap.read([record.id], ()).get(record.id, record)
    sent = _sent_before(work, CREATE_NEXTCAP) if adopted else NOTHING_SENT
    shadows = shadows_of_new_ticket(work, record, people, sent)
    kept = links.shadows_to_json(shadows)
    with engine.db.write() as connection:
        links.check_fence(connection, work.link)
        was_told_of = links.attach_ticket(connection, work.link, record, engine.now(), shadows=kept)
        links.ensure(connection, [record.id], engine.names)
        _made(connection, work, CREATE_NEXTCAP, record.id)
        announcing.linked(engine, connection, work, engine.now(), nextcap_id=record.id)
    work.open_effects = _without(work, CREATE_NEXTCAP)
    work.ticket_changes["nextcap_id"] = record.id
    work.changes |= {"state": links.ACTIVE, "linked_at": engine.now()}
    work.wrote = True
    work.say("created", "created in Next Cap", ticket=record.id)
    if was_told_of or adopted:
        work.look |= Look.NEXTCAP_COMMENTS
    work.shadows = shadows
    if STATUS in shadows and not was_told_of:
        take_nextcap(engine, work, record)
        if not adopted:
            work.ticket_changes["timeline_version"] = record.version  # Nobody has said anything on it yet.
    else:
        read_nextcap(engine, [work])  # It has moved since, or it is not shown to us: that is for the pass to say.


def _made(connection: sa.Connection, work: Work, kind: str, remote_id: str) -> None:
    """The create that was under way, if any, is done: whoever takes over must not find it open beside its result."""
    for effect in work.open_effects:
        if effect.kind == kind:
            effects.done(connection, effect.id, f"record:{remote_id}")  # A comment may have the same id.
            at(Point.KEEPING, kind)


def _without(work: Work, kind: str) -> list[Effect]:
    return [one for one in work.open_effects if one.kind != kind]


def _drop_unless_unknown(work: Work, kind: str, error: Exception, *, keeps_waiting: bool) -> None:
    if not isinstance(error, UnknownOutcome | RetryLater if keeps_waiting else UnknownOutcome):
        work.dropped += [one.id for one in work.open_effects if one.kind == kind]
