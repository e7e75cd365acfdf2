"""Replies and notes: each is carried once, in the order in which they were made.

Neither side takes an idempotency key for a comment. So an effect is stored before each is sent, and where the outcome
is unknown, the target's timeline is read before anything is sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from connector.adapters.base import Adapter, NewComment, Written
from connector.adapters.lanes import Lane, lane
from connector.domain.conversation import Crossing, Stays, plan_comments
from connector.domain.decision import COMMENTS
from connector.domain.errors import ConnectorError, Gone, NotSupported, Refused, RetryLater, UnknownOutcome
from connector.domain.rules import Directories
from connector.domain.ticket import Comment, CommentKind, Side, storable
from connector.engine import announcing, fence, fuses, reading
from connector.engine.context import NEXTCAP, Engine
from connector.engine.points import Point, at
from connector.engine.work import Parking, Work, each
from connector.store import effects, links
from connector.store.effects import COMMENT, INTENDED, SENDING, UNKNOWN, Effect, comment_key
from connector.store.links import Look


@lane(Lane.REPLIES)
def look_at_timelines(engine: Engine, name: str, works: Sequence[Work], people: Directories) -> None:
    """Read the timelines that have to be looked at, and name an effect for every entry that crosses."""
    ours = [work for work in works if work.look & Look.NEXTCAP_COMMENTS and work.nextcap_id]
    each(ours, lambda work: _look_at_nextcap(engine, work, people))
    theirs = [work for work in works if work.is_live and work.look & Look.CRM_COMMENTS and work.record_id]
    if theirs:
        _look_at_crm(engine, name, theirs, people)


def _look_at_crm(engine: Engine, name: str, works: Sequence[Work], people: Directories) -> None:
    try:
        found = engine.crms[name].comments([str(work.record_id) for work in works])
    except (Refused, NotSupported) as problem:
        for work in works:
            work.parkings.append(Parking(COMMENTS, problem.code, f"comments cannot be read: {problem}"))
        return
    except RetryLater as problem:
        if problem.scope == "connection" or len(works) > 1:
            raise RetryLater(str(problem), code=problem.code, after=problem.after, system=problem.system) from problem
        works[0].fail(problem)
        return
    for work in works:
        work.look &= ~Look.CRM_COMMENTS
        _name_effects(engine, work, Side.CRM, found.get(str(work.record_id), ()), people)


def _look_at_nextcap(engine: Engine, work: Work, people: Directories) -> None:
    nextcap_id = str(work.nextcap_id)
    try:
        found = engine.nextcap.comments([nextcap_id])
    except Gone:
        reading.hide(engine, work)
        return
    work.look &= ~Look.NEXTCAP_COMMENTS
    version = work.nextcap.version if work.nextcap else work.link.ticket.version
    work.ticket_changes |= {"timeline_version": version, "owed_at": None}
    _name_effects(engine, work, Side.NEXTCAP, found.get(nextcap_id, ()), people)


def _name_effects(engine: Engine, work: Work, source: Side, timeline: Sequence[Comment], people: Directories) -> None:
    """Store an `intended` effect for each entry that crosses; entries of ours whose outcome is open are left out."""
    now = engine.now()
    with engine.db.write() as connection:
        links.check_fence(connection, work.link)
        known = effects.known_entries(connection, work.link.id, source)
        doubtful = _possible_echoes(engine, work, source, timeline, known)
        crossings, stays = plan_comments(
            work.mapping.comments, source, timeline, known=known | doubtful, linked_at=work.link.linked_at or now
        )
        if source is Side.CRM and crossings:
            crossings, brought = _not_again(connection, work, crossings)
            stays += brought
        if any(one.comment.kind is CommentKind.CUSTOMER_REPLY for one in crossings):
            fuses.somebody_moves_it(work)
        position = effects.last_position(connection, work.link.id)
        rows = [_row(work, crossing, people, position + place) for place, crossing in enumerate(crossings, start=1)]
        effects.intend(connection, rows, now)
        turned_down = [
            {"link_id": work.link.id, "key": comment_key(source, one.comment_id), "kind": COMMENT, "side": source.other}
            | {"state": effects.DONE, "payload": {}, "position": 0}
            for one in stays
        ]
        effects.intend(connection, turned_down, now)
        entries = [*(one.comment.id for one in crossings), *(one.comment_id for one in stays)]
        if source is Side.NEXTCAP and len(engine.crms) > 1 and _is_news(connection, work, entries):
            work.news |= Look.NEXTCAP_COMMENTS
        announcing.comments(engine, connection, work, source, (timeline, crossings, stays), now)
        work.open_effects = effects.open_of(connection, [work.link.id]).get(work.link.id, [])
    for crossing in crossings:
        at(Point.INTENDED, _kind(crossing.kind, source.other))
    for one in stays:
        work.say(one.code, one.reason, entry=one.comment_id, side=str(source))


def _not_again(
    connection: sa.Connection, work: Work, crossings: Sequence[Crossing]
) -> tuple[list[Crossing], list[Stays]]:
    """What a merge brought here from another ticket's record: nothing of ours comes back, no customer is mailed twice.

    A note that a person wrote there crosses: it is part of this record's conversation now, and shows it to nobody new.
    """
    name = work.link.connection
    ours = effects.made_by_us(connection, name, [one.comment.id for one in crossings])
    replies = [one.comment.id for one in crossings if one.kind is not CommentKind.NOTE]
    sent = effects.sent_elsewhere(connection, name, work.link.id, replies)
    stays = [
        Stays(Side.CRM, one.comment.id, "ours", "the connector made it, for another ticket: it comes from Next Cap")
        if one.comment.id in ours
        else Stays(Side.CRM, one.comment.id, "sent_already", "it was sent with another ticket, and is not sent twice")
        for one in crossings
        if one.comment.id in ours | sent
    ]
    left = {one.comment_id for one in stays}
    return [one for one in crossings if one.comment.id not in left], stays


def _is_news(connection: sa.Connection, work: Work, entries: Sequence[str]) -> bool:
    """Whether another link of the ticket has not seen all of these entries: nobody may have told it of them."""
    others = [id_ for _, id_ in links.ids_of_ticket(connection, work.link.ticket.id) if id_ != work.link.id]
    seen = effects.settled_among(connection, others, Side.NEXTCAP, entries)
    return len(seen) < len(others) * len(entries)


def _possible_echoes(
    engine: Engine, work: Work, source: Side, timeline: Sequence[Comment], known: frozenset[str]
) -> frozenset[str]:
    """Entries that a write of ours with an open outcome may have made: they wait for the probe."""
    adapter = engine.nextcap if source is Side.NEXTCAP else engine.crms[work.link.connection]
    found: set[str] = set()
    for effect in work.open_effects:
        if effect.kind == COMMENT and effect.side is source and effect.state in (SENDING, UNKNOWN):
            entry = adapter.recognise(
                _comment(work, effect), timeline, sent_at=effect.sent_at or effect.created_at, taken=known | found
            )
            if entry is not None:
                found.add(entry)
    return frozenset(found)


def _row(work: Work, crossing: Crossing, people: Directories, position: int) -> dict[str, Any]:
    comment = crossing.comment
    directory = people.nextcap if crossing.source is Side.NEXTCAP else people.crm
    known = directory.get(comment.author_id or "")
    payload = {
        "kind": str(crossing.kind),
        "text": storable(crossing.text),
        "html": storable(comment.html) if comment.html and crossing.text == comment.text else None,
        "author": storable(comment.author_name or (known.name if known else "")),
        "at": comment.created_at.isoformat(),
        "files": [storable(one.name) for one in comment.attachments],
        "by_customer": comment.kind is CommentKind.CUSTOMER_REPLY,
    }
    if form := work.mapping.comments.written_as.get(crossing.kind) if crossing.source is Side.NEXTCAP else None:
        payload["form"] = form
    key = comment_key(crossing.source, comment.id)
    return {
        "link_id": work.link.id,
        "key": key,
        "kind": COMMENT,
        "side": crossing.source.other,
        "payload": payload,
        "position": position,
    }


def open_comments(work: Work, side: Side | None = None) -> list[Effect]:
    """This link's comments that are not settled yet, in order; those towards one side, if named."""
    mine = (one for one in work.open_effects if one.kind == COMMENT and side in (None, one.side))
    return [one for one in mine if one.id not in work.refused]


def has_unseen_customer_reply(work: Work) -> bool:
    """Whether the CRM has not been shown everything that the customer wrote."""
    return any(one.payload.get("by_customer") for one in open_comments(work, Side.CRM))


@lane(Lane.REPLIES)
def settle_doubts(engine: Engine, name: str, works: Sequence[Work]) -> None:
    """Look for the outcome of comments whose sending was interrupted, before anything else goes that way."""
    each([work for work in works if open_comments(work)], lambda work: _settle_doubts(engine, name, work))


def _settle_doubts(engine: Engine, name: str, work: Work) -> None:
    for side in Side:
        doubtful = [one for one in open_comments(work, side) if one.state in (SENDING, UNKNOWN)]
        if not doubtful:
            continue
        not_before = max(one.sending_until or one.created_at for one in doubtful)
        if engine.now() < not_before:
            _hold_back(work, side, not_before)
        else:
            _settle(engine, name, work, side, doubtful)


def _settle(engine: Engine, name: str, work: Work, side: Side, doubtful: Sequence[Effect]) -> None:
    """Look at the target's timeline once for all of them: what is there is adopted, what is absent twice goes again."""
    adapter = engine.nextcap if side is Side.NEXTCAP else engine.crms[name]
    target = _comment(work, doubtful[0]).ticket_id
    timeline = adapter.comments([target]).get(target, ())
    now = engine.now()
    with engine.db.write() as connection:
        links.check_fence(connection, work.link)
        for effect in doubtful:
            taken = effects.known_entries(connection, work.link.id, side)
            sent_at = effect.sent_at or effect.created_at
            found = adapter.recognise(_comment(work, effect), timeline, sent_at=sent_at, taken=taken)
            if found is not None:
                effects.done(connection, effect.id, found)
                _note_what_it_made(work, effect)
                told = f"the answer to a write was lost, but the {effect.words} had arrived: it is not sent again"
                work.say("adopted", told, entry=found)
            elif effect.absent == 0:
                until = engine.timing.second_look(answered=effect.answered, over=effect.sending_until or now, now=now)
                effects.set_state(connection, effect.id, UNKNOWN, absent=1, sending_until=until)
                _hold_back(work, side, until)
                seconds = (until - now).total_seconds()
                told = f"the answer to a write was lost and the {effect.words} is not there"
                work.say("absent_once", f"{told}; one more look in {seconds:.0f} s")
            else:
                effects.set_state(connection, effect.id, INTENDED)
                work.say("absent_twice", f"the {effect.words} is still not there, so it is sent again")
        work.open_effects = effects.open_of(connection, [work.link.id]).get(work.link.id, [])


def _hold_back(work: Work, side: Side, until: datetime) -> None:
    work.waits_for.add(side)
    work.wait(until)


@lane(Lane.REPLIES)
def send_to_crm(engine: Engine, name: str, works: Sequence[Work]) -> None:
    """Add everything that crosses to the CRM, one entry a ticket and call where order must hold."""
    adapter = engine.crms[name]
    sendable = [work for work in works if work.is_live and work.record_id and Side.CRM not in work.waits_for]
    sendable = _admitted(engine, Side.CRM, sendable)
    pairs = [(work, effect) for work in sendable for effect in open_comments(work, Side.CRM)]
    if pairs:
        _send(engine, adapter, Side.CRM, pairs)


@lane(Lane.REPLIES)
def send_to_nextcap(engine: Engine, works: Sequence[Work]) -> None:
    """Add everything that crosses to Next Cap, ticket by ticket. A reply may have moved its ticket."""
    ready = [work for work in works if work.nextcap_id and Side.NEXTCAP not in work.waits_for]
    ready = _admitted(engine, Side.NEXTCAP, ready)
    each(ready, lambda work: _send_to_ticket(engine, work))


def _send_to_ticket(engine: Engine, work: Work) -> None:
    pairs = [(work, effect) for effect in open_comments(work, Side.NEXTCAP)]
    if pairs:
        _send(engine, engine.nextcap, Side.NEXTCAP, pairs)


def _admitted(engine: Engine, side: Side, works: Sequence[Work]) -> list[Work]:
    speaking = [work for work in works if open_comments(work, side)]
    return fuses.admitted(engine, side, speaking, what="comments") if speaking else []


def _note_what_it_made(work: Work, effect: Effect) -> None:
    """An entry in Next Cap is news to other links; a reply may have moved its ticket, and there a walk begins."""
    if effect.side is not Side.NEXTCAP:
        return
    work.news |= Look.NEXTCAP_COMMENTS
    if effect.payload["kind"] == CommentKind.REPLY:
        work.signals = replace(work.signals, moved_by_our_reply=True)
        work.nextcap_fresh = False


def _send(engine: Engine, adapter: Adapter, side: Side, pairs: Sequence[tuple[Work, Effect]]) -> None:
    """Mark as sending under the fence, send, and store every outcome on its own."""
    now = engine.now()
    until = now + timedelta(seconds=engine.timing.call)
    comments = [_comment(work, effect) for work, effect in pairs]
    works = [work for work, _ in pairs]
    with engine.db.write() as connection:
        fence.check(engine, connection, works)
        effects.sending(connection, [effect.id for _, effect in pairs], now=now, until=until)
    _pass(Point.SENDING, pairs)
    try:
        with fence.sending(engine, works):
            outcomes = {one.key: one for one in adapter.add_comments(comments)}
    except UnknownOutcome as problem:
        outcomes = {one.key: Written(one.key, error=problem) for one in comments}
    except RetryLater:
        with engine.db.write() as connection:
            fence.check(engine, connection, works)
            for _, effect in pairs:
                effects.set_state(connection, effect.id, INTENDED)
        raise
    _pass(Point.APPLIED, pairs)
    for work, effect in pairs:
        _keep_outcome(engine, side, work, effect, outcomes.get(_mark(work, effect)), deadline=until)
    _judge_refusals(engine, side, [(*pair, outcomes[key].error) for pair in pairs if (key := _mark(*pair)) in outcomes])
    errors = [one.error for one in outcomes.values() if isinstance(one.error, RetryLater)]
    if any(error.scope == "connection" for error in errors):
        raise next(error for error in errors if error.scope == "connection")


def _keep_outcome(
    engine: Engine, side: Side, work: Work, effect: Effect, written: Written | None, *, deadline: datetime
) -> None:
    """One comment's outcome, in its own transaction. One that was not tried stays intended, behind the earlier."""
    with engine.db.write() as connection:
        links.check_fence(connection, work.link)
        error = written.error if written else None
        if written is None:
            effects.set_state(connection, effect.id, INTENDED)
            work.waits_for.add(side)
        elif error is None:
            effects.done(connection, effect.id, written.id or None)
            _note_what_it_made(work, effect)
            work.wrote = True
            target = engine.label(NEXTCAP if side is Side.NEXTCAP else work.link.connection)
            work.say("comment_carried", f"a {effect.words} was carried to {target}", entry=written.id)
        elif isinstance(error, UnknownOutcome):
            moment = engine.now() if error.answered else deadline
            effects.set_state(connection, effect.id, UNKNOWN, answered=error.answered, sending_until=moment)
            _hold_back(work, side, moment)
            work.say(
                "outcome_unknown",
                f"{error}; before anything is sent again, it is checked whether the {effect.words} arrived",
            )
        elif isinstance(error, RetryLater):
            effects.set_state(connection, effect.id, INTENDED)
            work.waits_for.add(side)
            if error.scope == "record":
                work.fail(error)
        else:
            effects.set_state(connection, effect.id, INTENDED)  # What becomes of it is judged when all are kept.
        _pass(Point.KEEPING, [(work, effect)])
        work.open_effects = effects.open_of(connection, [work.link.id]).get(work.link.id, [])


def _judge_refusals(engine: Engine, side: Side, outcomes: Sequence[tuple[Work, Effect, ConnectorError | None]]) -> None:
    """What was turned down is left to a person, unless its record was closed for good (or merged) since it was read.

    So the record is read after the refusal: a reading from before it, be it of this pass, cannot tell.
    """
    later = (UnknownOutcome, RetryLater, type(None))
    refused = [(work, effect, error) for work, effect, error in outcomes if not isinstance(error, later)]
    unsure = [work for work, _, _ in refused if side is Side.CRM and work.mapping.status.final]
    for work in unsure:
        work.crm_fresh = False
    if unsure:
        reading.read_crm(engine, unsure[0].link.connection, unsure)
    for work, effect, error in refused:
        if not work.is_live or (side is Side.CRM and work.is_closed):
            work.say("refused_since_read", f"a {effect.words} was refused, since the record is not what it was")
        else:
            work.leave(effect, error.code, f"a {effect.words} was refused: {error}")


def _pass(point: Point, pairs: Sequence[tuple[Work, Effect]]) -> None:
    for _, effect in pairs:
        at(point, _kind(effect.payload["kind"], effect.side))


def _kind(kind: str, side: Side) -> str:
    return f"{kind}_{side}"


def _mark(work: Work, effect: Effect) -> str:
    """What names this effect to the vendor: unique among all connections, short, and free of anybody's words."""
    return f"{work.link.id}-{effect.id}"


def _comment(work: Work, effect: Effect) -> NewComment:
    payload = effect.payload
    target = work.nextcap_id if effect.side is Side.NEXTCAP else work.record_id
    if target is None:
        raise NotSupported("a comment without a ticket to add it to", code="no_target")
    text = str(payload["text"])
    if payload.get("files"):
        text = f"{text}\n\nAttachments: {', '.join(payload['files'])}".strip()
    return NewComment(
        key=_mark(work, effect),
        ticket_id=target,
        kind=CommentKind(payload["kind"]),
        text=text,
        author=str(payload.get("author") or ""),
        created_at=datetime.fromisoformat(payload["at"]),
        html=payload.get("html"),
        ticket_number=work.ticket_changes.get("number", work.link.ticket.number),
        form=str(payload.get("form") or ""),
    )
