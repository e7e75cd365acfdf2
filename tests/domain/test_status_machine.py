"""Two people, two systems and a poor line: the statuses end up agreeing, by legal moves alone.

Next Cap's side refuses every move that its table does not have. The CRM's side takes any stage at any time. Writes
fail, or are applied without anybody learning of it; walks break off half-way and people move on meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from connector.domain.decision import QUIET, SETTLED, STATUS, Decision, LinkState, Outcome, Shadow, Signals
from connector.domain.lifecycle import FINAL, PathPolicy, Status, is_legal
from connector.domain.rules import Direction, First, Owner, StatusRule
from connector.domain.status import status_agrees
from connector.domain.ticket import Side, Value
from tests.domain.helpers import NOON, mapping, plan, shipped
from tests.domain.world import Fate, always

STAGES = ("A", "B", "C", "ignored", "unheard of")
statuses = st.sampled_from(Status)
fates = st.lists(st.sampled_from(Fate), max_size=4)
pauses = st.sampled_from([0.0, 1.0, 60.0])


@st.composite
def status_rules(draw: st.DrawFn) -> StatusRule:
    """Any status table; all that is asked of it is that a status which a stage asks for is one that it leaves alone."""
    stage = st.sampled_from("ABC")
    to_nextcap = draw(st.dictionaries(stage, statuses))
    when = draw(st.dictionaries(st.tuples(stage, statuses), statuses, max_size=4))
    when |= {(asked, wanted): wanted for (asked, _), wanted in list(when.items())}
    when |= {(asked, wanted): wanted for asked, wanted in to_nextcap.items()}
    return StatusRule(
        crm="stage",
        to_crm=draw(st.dictionaries(statuses, stage, min_size=4)),
        to_nextcap=to_nextcap,
        when=when,
        ignore=frozenset({"ignored"}),
        substitutes=draw(st.dictionaries(statuses, st.lists(statuses, max_size=2).map(tuple), max_size=3)),
        policy=PathPolicy(draw(st.frozensets(statuses, max_size=2)), draw(st.integers(1, 4))),
        direction=draw(st.sampled_from([*Direction, Direction.BOTH])),
        owner=draw(st.sampled_from(Owner)),
        first=draw(st.sampled_from(First)),
        close_race=draw(st.sampled_from(["reopen", "ask"])),
    )


class Statuses(RuleBasedStateMachine):
    """One link's two statuses, with what the connector keeps of them."""

    stages: tuple[str, ...] = STAGES

    def begin(self, table: StatusRule, status: Status, stage: str, *, is_linked: bool) -> None:
        self.table = table
        self.status, self.stage = status, stage
        self.shadow = Shadow(status.value, stage) if is_linked else None
        self.held: tuple[Value, Value] | None = None
        self.substitutes: set[tuple[Value, Value]] = set()
        self.moments: dict[Side, dict[str, datetime]] = {side: {} for side in Side}
        self.now = NOON
        self.unseen_reply = False
        self.left = is_linked and not status_agrees(table, status.value, stage, frozenset())
        self.open_walk: Decision | None = None
        self.writes = self.mishaps = 0

    def touched(self, side: Side) -> None:
        self.moments[side][STATUS] = self.now
        self.writes = self.mishaps = 0

    def move(self, step: Status) -> None:
        assert is_legal(self.status, step), f"Next Cap answers 400 to {self.status} → {step}"
        self.status = step

    @rule(seconds=pauses)
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(status=statuses)
    def somebody_moves_the_ticket(self, status: Status) -> None:
        if is_legal(self.status, status):
            self.move(status)
            self.touched(Side.NEXTCAP)

    @rule(data=st.data())
    def somebody_moves_the_record(self, data: st.DataObject) -> None:
        self.stage = data.draw(st.sampled_from(self.stages))
        self.touched(Side.CRM)

    @rule(moves=st.booleans())
    def the_customer_writes(self, moves: bool) -> None:
        """The system may take the ticket up again of itself."""
        self.unseen_reply = True
        for step in (Status.OPEN, Status.REOPENED):
            if moves and is_legal(self.status, step):
                self.move(step)
                self.touched(Side.NEXTCAP)
                return

    @rule(moves=st.booleans(), fates=fates)
    def our_reply_crosses(self, moves: bool, fates: list[Fate]) -> None:
        """The system may move the ticket on right after the reply; the same pass goes on from there."""
        if self.unread():
            return
        crm_moved = self.shadow is not None and self.stage != self.shadow.crm
        if moves and is_legal(self.status, Status.WAITING_CUSTOMER):
            self.move(Status.WAITING_CUSTOMER)
            self.touched(Side.NEXTCAP)
        decision = self.work(iter([*fates, *[Fate.DONE] * 20]), moved_by_our_reply=True)

        if crm_moved and self.table.direction is Direction.BOTH:
            assert decision.code != "conflict"
            assert not (decision.writes_crm and decision.code == "carried"), "our own reply won over a person"

    @rule(fates=fates)
    def a_bell_rings(self, fates: list[Fate]) -> None:
        self.work(iter([*fates, *[Fate.DONE] * 20]))

    @rule()
    def all_is_quiet(self) -> None:
        """One sweep settles it, the next decides nothing, and the two sides agree by the one function for that."""
        self.work(always(Fate.DONE))
        decision = self.work(always(Fate.DONE))

        assert decision.outcome in (Outcome.UNCHANGED, Outcome.HELD)
        agree = status_agrees(self.table, self.status.value, self.stage, frozenset(self.substitutes))
        assert agree or self.left or self.held is not None

    def unread(self) -> bool:
        """Whether Next Cap moved without our having heard of it."""
        return self.shadow is None or self.status.value != self.shadow.nextcap

    def work(self, course: Iterator[Fate], *, moved_by_our_reply: bool = False) -> Decision:
        """One pass, as the engine makes it."""
        self.settle_walk()
        signals = Signals(self.unseen_reply, moved_by_our_reply) if self.unseen_reply or moved_by_our_reply else QUIET
        link = LinkState(
            shadows={STATUS: self.shadow} if self.shadow else {},
            held={STATUS: self.held} if self.held else {},
            substitutes=frozenset(self.substitutes),
            moments=self.moments,
        )
        shown: dict[str, Any] = {"nextcap": {STATUS: self.status.value}, "crm": {STATUS: self.stage}}
        decision = plan(mapping(status=self.table), link, **shown, now=self.now, signals=signals).decision(STATUS)
        self.check(decision)
        self.keep(decision)
        if decision.writes_crm:
            self.write_stage(decision, next(course))
        elif decision.path:
            self.walk(decision, course)
        self.unseen_reply = False
        assert self.writes <= self.mishaps + 1, "the statuses bounce"
        return decision

    def check(self, decision: Decision) -> None:
        """What holds of every decision, whatever came before it."""
        assert decision.reason
        assert not (decision.writes_crm and decision.path)
        assert not (decision.path and self.table.direction is Direction.TO_CRM)
        assert not (decision.writes_crm and self.table.direction is Direction.TO_NEXTCAP)
        assert len(decision.path) <= self.table.policy.max_hops
        assert not self.table.policy.forbid & set(decision.path[:-1])
        if self.unseen_reply and self.status not in FINAL and decision.path:
            wanted = self.table.status_for(self.stage, present=self.status)
            assert wanted not in FINAL, "closed without having seen the customer's reply"

    def keep(self, decision: Decision) -> None:
        """Shadows move at once only where nothing is to be written."""
        is_parked = decision.outcome in (Outcome.HELD, Outcome.REFUSED)
        self.held = (decision.nextcap, decision.crm) if is_parked else None
        if decision.outcome in SETTLED:
            self.shadow = Shadow(decision.nextcap, decision.crm)
            self.left = decision.outcome is Outcome.LEFT
            if decision.substituted:
                self.substitutes.add((decision.nextcap, decision.crm))

    def write_stage(self, decision: Decision, fate: Fate) -> None:
        self.writes += fate is not Fate.FAILED
        self.mishaps += fate is not Fate.DONE
        if fate is not Fate.FAILED:
            self.stage = str(decision.write_crm)
        if fate is Fate.DONE:
            self.shadow, self.left = Shadow(decision.nextcap, decision.write_crm), False

    def walk(self, decision: Decision, course: Iterator[Fate]) -> None:
        """Each hop commits Next Cap's shadow, the last one the CRM's too. The path is stored before the first."""
        self.writes += 1
        self.open_walk = decision
        for step in decision.path:
            fate = next(course)
            if fate is not Fate.FAILED:
                self.move(step)
            if fate is not Fate.DONE:
                self.mishaps += 1
                self.open_walk = decision if fate is Fate.LOST else None
                return
            self.hop(decision, step)
        self.open_walk = None

    def hop(self, decision: Decision, step: Status) -> None:
        """Until the walk has ended no stage equals the CRM's shadow: one that goes back meanwhile is a change too."""
        is_last = step is decision.path[-1]
        self.shadow = Shadow(step.value, decision.crm if is_last else None)
        if is_last:
            self.left = False
            if decision.substituted:
                self.substitutes.add((step.value, decision.crm))

    def settle_walk(self) -> None:
        """A status on an unfinished walk is ours; one that does not lie on it is a person's."""
        decision, self.open_walk = self.open_walk, None
        if decision is not None and self.status in decision.path:
            self.hop(decision, self.status)


class AnyTable(Statuses):
    @initialize(table=status_rules(), status=statuses, stage=st.sampled_from(STAGES), is_linked=st.booleans())
    def two_records_are_linked(self, table: StatusRule, status: Status, stage: str, is_linked: bool) -> None:
        self.begin(table, status, stage, is_linked=is_linked)


class ShippedTable(Statuses):
    """HubSpot's stock pipeline through the mapping that is delivered: nothing is ever refused or held."""

    stages = tuple(shipped().status.to_nextcap)

    @initialize(status=statuses)
    def a_record_was_made(self, status: Status) -> None:
        table = shipped().status
        self.begin(table, status, table.to_crm[status], is_linked=True)

    def keep(self, decision: Decision) -> None:
        assert decision.outcome not in (Outcome.HELD, Outcome.REFUSED, Outcome.LEFT)
        super().keep(decision)

    @precondition(lambda self: not self.unread() and self.shadow.crm == self.stage and self.open_walk is None)
    @rule()
    def somebody_begins_to_work_and_nobody_else_moves(self) -> None:
        """`in_progress` is kept through "Waiting on us", there and back."""
        if not is_legal(self.status, Status.IN_PROGRESS):
            return
        self.move(Status.IN_PROGRESS)
        self.touched(Side.NEXTCAP)
        self.work(always(Fate.DONE))
        self.work(always(Fate.DONE))

        assert (self.status, self.stage) == (Status.IN_PROGRESS, "Waiting on us")


TestAnyTable = AnyTable.TestCase
TestShippedTable = ShippedTable.TestCase
TestAnyTable.settings = TestShippedTable.settings = settings(stateful_step_count=25)
