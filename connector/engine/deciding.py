"""Deciding what a pass writes: plan, read the side that is about to be written, and plan again by what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connector.domain.lifecycle import FINAL
from connector.domain.plan import plan_sync
from connector.domain.rules import Directories
from connector.domain.ticket import Side
from connector.engine import closed, comments, effects, fuses, reading
from connector.engine.context import Engine
from connector.engine.work import Work
from connector.store import links
from connector.store.links import Look


def decide(engine: Engine, name: str, works: Sequence[Work], people: Directories) -> None:
    """Plan; read the CRM where it is about to be written, unless it was read just now; and plan again."""
    _plan(engine, works, people)
    _plan_with_crm(engine, name, works, people)
    decided = [work for work in works if not is_for_nextcap(work)]
    closed.settle_late(engine, name, decided, people)
    _keep(decided)


def decide_afresh(engine: Engine, name: str, works: Sequence[Work], people: Directories) -> None:
    """Read Next Cap where it is about to be written, unless it was read just now, and decide again by what it shows.

    So is the CRM, where it is to be written too and was read a while ago. What comes of that is to be sent on.
    """
    for work in works:
        work.crm_fresh = work.crm_fresh and _crm_was_read_lately(engine, work)
    live = [work for work in works if work.is_live and work.plan]
    unread = [work for work in live if _must_see_nextcap(work) and not work.nextcap_fresh]
    reading.read_nextcap(engine, unread)
    _plan(engine, unread, people)
    _plan_with_crm(engine, name, works, people)
    _look_before_closing(engine, name, works, people)
    closed.settle_late(engine, name, works, people)
    _keep(works)


def _plan(engine: Engine, works: Sequence[Work], people: Directories) -> None:
    for work in works:
        if work.is_live:
            plan(engine, work, people)


def _plan_with_crm(engine: Engine, name: str, works: Sequence[Work], people: Directories) -> None:
    live = [work for work in works if work.is_live and work.plan]
    stale = [work for work in live if _wants_crm(work) and not _crm_is_fresh(engine, work)]
    reading.read_crm(engine, name, stale)
    _plan(engine, stale, people)


def _keep(works: Sequence[Work]) -> None:
    for work in works:
        if work.is_live and work.plan:
            effects.keep_decisions(work)


def _look_before_closing(engine: Engine, name: str, works: Sequence[Work], people: Directories) -> None:
    """A ticket that moved since its timeline was looked at may hold a customer's reply that nobody told of yet."""
    closing = [work for work in works if work.is_live and work.plan and FINAL.intersection(work.plan.walk)]
    closing = [work for work in closing if not work.timeline_is_current]
    for work in closing:
        work.look |= Look.NEXTCAP_COMMENTS
    comments.look_at_timelines(engine, name, closing, people)
    for work in closing:
        work.note_unseen_reply(comments.has_unseen_customer_reply(work))
        if work.is_live:
            plan(engine, work, people)
    send_to_crm(engine, name, closing, people)


def plan(engine: Engine, work: Work, people: Directories) -> None:
    """Decide every field by what has been read so far. Where a reading showed nothing new, the plan is what it was."""
    work.planned_at = engine.now()
    nextcap, crm = work.values(Side.NEXTCAP), work.values(Side.CRM)
    basis = (nextcap, crm, work.signals, dict(work.shadows))
    if work.plan is not None and work.basis == basis:
        return
    work.basis = basis
    made = plan_sync(
        work.mapping,
        work.state(),
        nextcap=nextcap,
        crm=crm,
        people=people,
        now=engine.now(),
        signals=work.signals,
    )
    work.plan = fuses.without_loops(work, made, work.planned_at)


def _wants_crm(work: Work) -> bool:
    return bool(work.plan and work.plan.to_crm) and work.may_write(Side.CRM)


def _wants_nextcap(work: Work) -> bool:
    return asks_for_nextcap(work) and work.may_write(Side.NEXTCAP)


def _must_see_nextcap(work: Work) -> bool:
    """Whether Next Cap is written to, or was moved by our reply: a later pass would take that for a person's move."""
    return _wants_nextcap(work) or work.signals.moved_by_our_reply


def is_for_nextcap(work: Work) -> bool:
    """Whether Next Cap is to be read once more before this is decided: it is written to, or was moved by our reply."""
    return asks_for_nextcap(work) or work.signals.moved_by_our_reply


def asks_for_nextcap(work: Work) -> bool:
    """Whether the plan writes to Next Cap, be it now or when that direction is open."""
    return bool(work.plan and (work.plan.to_nextcap or work.plan.walk))


def _is_checked(engine: Engine, work: Work) -> bool:
    """Whether the CRM itself turns the write down if the record is not as it is known, so that it need not be read.

    A value that is replaced whole is read all the same: what is lost of it would not be missed.
    """
    can = engine.crms[work.link.connection].capabilities
    if not can.checks_versions or work.crm_version is None or work.look & Look.CRM or work.link.state != links.ACTIVE:
        return False
    assert work.plan is not None  # noqa: S101 - planned by the caller
    return not any(rule.is_set and rule.name in work.plan.to_crm for rule in work.mapping.rules)


def is_untold(work: Work) -> bool:
    """Whether our last write moved the record, and nobody told in time to which version."""
    return work.link.moved_from is not None and work.crm_version is None


def _crm_is_fresh(engine: Engine, work: Work) -> bool:
    """Read in this pass, or read or written within two seconds."""
    if work.crm_fresh or _is_checked(engine, work):
        return True
    return _crm_was_read_lately(engine, work) and not work.look & Look.CRM


def _crm_was_read_lately(engine: Engine, work: Work) -> bool:
    read_at: datetime | None = work.changes.get("crm_read_at", work.link.crm_read_at)
    age = (engine.now() - read_at).total_seconds() if read_at else engine.timing.fresh
    return 0 <= age < engine.timing.fresh


def send_to_crm(engine: Engine, name: str, works: Sequence[Work], people: Directories) -> None:
    """What was said in Next Cap; where the record is closed for good, what the mapping says of that comes first."""
    closed.settle(engine, name, works, people)
    comments.send_to_crm(engine, name, works)
