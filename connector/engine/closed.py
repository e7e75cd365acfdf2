"""Records that the CRM has closed for good, and what becomes of replies and changes in Next Cap after that.

The mapping chooses: a follow-up record, an internal note in Next Cap, or a person decides (`status: after_final`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from connector.adapters.base import Written
from connector.domain.decision import Outcome
from connector.domain.final import CLOSED, NOTED
from connector.domain.rules import AfterFinal, Directories
from connector.domain.status import decide_status
from connector.domain.ticket import CommentKind, Side
from connector.engine import creating, fuses, reading
from connector.engine.comments import open_comments
from connector.engine.context import Engine
from connector.engine.doubts import intend
from connector.engine.effects import attempt, raise_waits, unreported
from connector.engine.points import Point, at
from connector.engine.work import Work
from connector.store import effects, links
from connector.store.effects import COMMENT, Effect

FOLLOW_UP = "follow_up"


def settle(engine: Engine, name: str, works: Sequence[Work], people: Directories) -> None:
    """Make follow-ups, write notes or park, as the mapping says. Called before anything is sent to the CRM."""
    closed = [work for work in works if work.is_live and work.is_closed and Side.CRM not in work.waits_for]
    asking = [work for work in closed if _asks(engine, work)]
    reading.read_crm(engine, name, asking)  # Meanwhile it may have been merged or deleted.
    asking = [work for work in asking if work.is_live and work.is_closed]
    ways: dict[AfterFinal, list[Work]] = {}
    for work in asking:
        work.over = True
        ways.setdefault(work.mapping.status.after_final, []).append(work)
    for work in ways.get(AfterFinal.PARK, ()):
        _park(engine, work)
    for work in ways.get(AfterFinal.NOTE, ()):
        _note(engine, work)
    following = ways.get(AfterFinal.FOLLOW_UP, [])
    _follow_up(engine, name, [work for work in following if _wants_follow_up(engine, work)], people)
    for work in following:
        if work.is_live and work.is_closed:
            _keep(work)


def settle_late(engine: Engine, name: str, works: Sequence[Work], people: Directories) -> None:
    """The same, of records that only a reading of this pass has shown to be closed, after the comments had gone."""
    settle(engine, name, [work for work in works if not work.over], people)


def _asks(engine: Engine, work: Work) -> bool:
    """Whether Next Cap has something new that a closed record does not accept."""
    return bool(open_comments(work, Side.CRM)) or _wants_follow_up(engine, work) or _code(engine, work) == NOTED


def _wants_follow_up(engine: Engine, work: Work) -> bool:
    return _begun(work) is not None or _code(engine, work) == FOLLOW_UP


def _begun(work: Work) -> Effect | None:
    """The effect of a follow-up whose outcome is not known yet."""
    return next((one for one in work.open_effects if one.kind == FOLLOW_UP), None)


def _code(engine: Engine, work: Work) -> str:
    """What is decided about the status, and with it about the replies that are still to cross."""
    replies = [one for one in open_comments(work, Side.CRM) if one.payload["kind"] != CommentKind.NOTE]
    work.signals = replace(work.signals, unseen_reply=bool(replies))
    nextcap, crm = work.values(Side.NEXTCAP), work.values(Side.CRM)
    made = decide_status(
        work.mapping.status, work.state(), nextcap=nextcap, crm=crm, now=engine.now(), signals=work.signals
    )
    return FOLLOW_UP if made.outcome is Outcome.FOLLOW_UP else made.code


def _follow_up(engine: Engine, name: str, works: Sequence[Work], people: Directories) -> None:
    """Make a record that follows each closed one, once, and link the ticket to it."""
    works = fuses.admitted(engine, Side.CRM, works, what="the follow-up") if works else []
    if not works:
        return
    olds = {id(work): str(work.record_id) for work in works}
    changes = [
        replace(creating.new_record(work, people), follows=olds[id(work)], repeated=_begun(work) is not None)
        for work in works
    ]
    jobs = [(work, f"{FOLLOW_UP}:{olds[id(work)]}", {"follows": olds[id(work)]}) for work in works]
    intend(engine, FOLLOW_UP, Side.CRM, jobs)
    outcomes = {one.key: one for one in attempt(engine, engine.crms[name], works, changes)}
    at(Point.APPLIED, FOLLOW_UP)
    for work, change in zip(works, changes, strict=True):
        written = outcomes.get(change.key) or Written(change.key, error=unreported())
        work.again = work.again or work.plan is not None
        creating.keep_record(engine, work, written, people, kind=FOLLOW_UP)
        if written.error is None and work.is_live:
            label, old = engine.label(name), olds[id(work)]
            told = f"{label} has closed record {old} for good; the ticket is now linked to its follow-up {written.id}"
            work.say("followed_up", told, record=written.id, follows=old)
            work.plan = None  # It was made for the record that is over; another pass follows.
    raise_waits(outcomes.values())


def _note(engine: Engine, work: Work) -> None:
    """One internal note in Next Cap for each closed record; what was to cross stays where it is."""
    label = engine.label(work.link.connection)
    text = (
        f"{label} has closed record {work.record_id} for good. Replies and changes made here do not reach it any more."
    )
    row: dict[str, Any] = {"kind": COMMENT, "link_id": work.link.id, "side": Side.NEXTCAP}
    row["key"] = f"{COMMENT}:closed:{work.record_id}"
    row["payload"] = {"kind": str(CommentKind.NOTE), "text": text, "at": engine.now().isoformat()}
    with engine.db.write() as connection:
        links.check_fence(connection, work.link)
        position = effects.last_position(connection, work.link.id) + 1
        effects.intend(connection, [{**row, "position": position}], engine.now())
        for effect in open_comments(work, Side.CRM):
            effects.done(connection, effect.id, None)
            told = f"a {effect.words} was not carried: {label} has closed record {work.record_id} for good"
            work.say(CLOSED, told)
        work.open_effects = effects.open_of(connection, [work.link.id]).get(work.link.id, [])
    at(Point.INTENDED, "note_nextcap")


def _park(engine: Engine, work: Work) -> None:
    """A person decides about each entry that was to cross."""
    label = engine.label(work.link.connection)
    for effect in open_comments(work, Side.CRM):
        told = f"a {effect.words} cannot be carried: {label} has closed record {work.record_id} for good"
        work.leave(effect, CLOSED, told)


def _keep(work: Work) -> None:
    """Notes alone make no follow-up: they wait for the next one, without making the link due."""
    notes = open_comments(work, Side.CRM)
    if notes:
        work.waits_for.add(Side.CRM)
        work.kept |= {one.id for one in notes}
        work.say("kept_for_follow_up", f"{len(notes)} note(s) wait for a follow-up: the record is closed for good")
