"""Whatever reacts to our writes ends in quarantine after a few of them; people and our own repeats never do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from connector.domain.decision import LinkState, Outcome, Shadow
from connector.domain.loops import MOMENTS, RETURNS, UNSETTLED, UNTOLD, Cause, Trail, follow, loop_in
from connector.domain.ticket import Side, Value
from tests.domain import helpers
from tests.domain.helpers import NOON, mapping, plan

F = helpers.field("f")
LONG = 60
"""So many passes would be a loop in anybody's eyes."""
BOUND = 1 + max(UNSETTLED, RETURNS)
"""So many writes are the most that a loop may cost before it is broken."""

Automation = Callable[[Value], Value]
"""What stands in a field a moment after this was written there; the same value: it leaves it."""


@dataclass
class Link:
    """One field on both sides, the planner between them, and what may react to its writes."""

    automations: dict[Side, Automation]
    delays: Callable[[], float] = lambda: 5.0
    was_told: bool = True
    stores: dict[Side, Value] = field(default_factory=lambda: {Side.NEXTCAP: "A", Side.CRM: "A"})
    shadow: Shadow = field(default_factory=lambda: Shadow("A", "A"))
    trail: Trail = ()
    now: datetime = NOON
    seen_at: datetime = NOON
    writes: int = 0
    loop: str = ""

    def edit(self, side: Side, value: Value) -> None:
        """Somebody sets the field, and we hear of it at once."""
        self.stores[side] = value
        self.seen_at = self.now

    def work(self) -> bool:
        """One pass; whether it wrote."""
        link = LinkState(shadows={"status": helpers.SETTLED_STATUS, "f": self.shadow})
        ours, theirs = self.stores[Side.NEXTCAP], self.stores[Side.CRM]
        decision = plan(mapping(F), link, nextcap={"f": ours}, crm={"f": theirs}).decision("f")
        if decision.outcome is Outcome.AGREED:
            self.shadow = Shadow(ours, theirs)
        if not (decision.writes_crm or decision.writes_nextcap):
            return False
        side = Side.CRM if decision.writes_crm else Side.NEXTCAP
        value = decision.write_crm if decision.writes_crm else decision.write_nextcap
        cause = Cause(self.seen_at, was_told=self.was_told)
        trail = follow(self.trail, side, value, cause=cause, now=self.now)
        self.loop = loop_in(trail)
        if self.loop:
            return False
        self.trail = trail
        self.writes += 1
        self.shadow = Shadow(value, value)
        self.stores[side] = value
        self._react(side, value)
        return True

    def _react(self, side: Side, value: Value) -> None:
        made = self.automations.get(side, lambda given: given)(value)
        self.now += timedelta(seconds=self.delays())
        if made != value:
            self.edit(side, made)

    def run(self) -> None:
        """Until it comes to rest, or is broken."""
        for _ in range(LONG):
            if not self.work():
                return


def resets(wanted: str) -> Automation:
    return lambda _: wanted


def toggles(value: Value) -> Value:
    return "B" if value == "A" else "A"


def grows(value: Value) -> Value:
    return f"{value}."


def shouts(value: Value) -> Value:
    return f"{str(value).swapcase()}!"


automations = st.sampled_from([resets("A"), resets("B"), resets("C"), toggles, grows, shouts])
moments = st.floats(0.0, MOMENTS.total_seconds())


@given(
    hostile=st.dictionaries(st.sampled_from(Side), automations, min_size=1),
    first=st.sampled_from(Side),
    value=st.sampled_from("ABCD"),
    data=st.data(),
)
def test_what_reacts_to_our_writes_is_broken_or_comes_to_rest(
    hostile: dict[Side, Automation], first: Side, value: str, data: st.DataObject
) -> None:
    """On either side or on both: it never goes on, and costs a few writes at most."""
    link = Link(hostile, delays=lambda: data.draw(moments))
    link.edit(first, value)

    link.run()

    assert link.writes <= BOUND
    assert link.loop or link.stores[Side.NEXTCAP] == link.stores[Side.CRM]


@given(data=st.data())
def test_two_sides_that_each_insist_are_broken_before_the_fifth_write(data: st.DataObject) -> None:
    """A here, B there: each of our writes is undone, and the same values return."""
    link = Link({Side.NEXTCAP: resets("A"), Side.CRM: resets("B")}, delays=lambda: data.draw(moments))
    link.edit(Side.CRM, "B")

    link.run()

    assert link.loop
    assert link.writes == 4


def test_a_form_that_never_settles_is_broken() -> None:
    """Each side changes a little what it is given, so that no value ever returns."""
    link = Link({Side.NEXTCAP: grows, Side.CRM: grows})
    link.edit(Side.CRM, "text")

    link.run()

    assert "never settles" in link.loop
    assert link.writes <= BOUND


def test_a_side_that_flaps_by_itself_is_broken() -> None:
    """Nothing reacts to us: one side alone flips a field back and forth every few seconds."""
    link = Link({})
    for turn in range(LONG):
        link.edit(Side.CRM, "AB"[turn % 2])
        link.work()
        if link.loop:
            break

    assert "returned" in link.loop
    assert link.writes <= BOUND


def test_a_loop_that_only_regular_looks_show_is_broken_too() -> None:
    """With all webhooks off, a change is seen minutes after it was made."""
    sides = {Side.NEXTCAP: resets("A"), Side.CRM: resets("B")}
    link = Link(sides, delays=lambda: UNTOLD.total_seconds() / 2, was_told=False)
    link.edit(Side.CRM, "B")

    link.run()

    assert link.loop
    assert link.writes <= BOUND


edits = st.tuples(st.sampled_from(Side), st.sampled_from("ABC"))
slow = st.floats(MOMENTS.total_seconds() + 10, 7200.0)


@given(made=st.lists(st.tuples(edits, slow), max_size=60))
def test_people_who_change_a_field_back_and_forth_slowly_are_carried_for_ever(
    made: list[tuple[tuple[Side, str], float]],
) -> None:
    """On one side or on both, the same two values over and over."""
    link = Link({})
    for (side, value), pause in made:
        link.edit(side, value)
        link.run()
        assert not link.loop
        link.now += timedelta(seconds=pause)

    assert link.stores[Side.NEXTCAP] == link.stores[Side.CRM]


@given(bursts=st.lists(st.tuples(st.lists(edits, max_size=4), slow), max_size=12))
def test_a_few_quick_changes_of_mind_are_no_loop(bursts: list[tuple[list[tuple[Side, str]], float]]) -> None:
    """Four in a row within seconds, even on alternate sides; then a moment's thought."""
    link = Link({})
    for burst, pause in bursts:
        for side, value in burst:
            link.edit(side, value)
            link.run()
            assert not link.loop
        link.now += timedelta(seconds=pause)


@given(texts=st.lists(st.text("abcdef ", min_size=1, max_size=30), max_size=80, unique=True))
def test_somebody_who_types_is_no_loop(texts: list[str]) -> None:
    """A description that is saved every few seconds is written as often."""
    link = Link({})
    for text in texts:
        link.edit(Side.NEXTCAP, text)
        link.run()
        link.now += timedelta(seconds=3)
        assert not link.loop


@given(failures=st.lists(st.integers(0, 20), max_size=10))
def test_our_own_repeats_are_no_loop(failures: list[int]) -> None:
    """A write that was not applied is none: however often it is tried, it counts when it succeeds."""
    link = Link({})
    for turn, failed in enumerate(failures):
        link.edit(Side.NEXTCAP, f"value {turn}")
        for _ in range(failed):
            trail = follow(link.trail, Side.CRM, f"value {turn}", cause=Cause(link.seen_at), now=link.now)
            assert not loop_in(trail)
            link.now += timedelta(seconds=1)
        link.run()
        assert not link.loop


def test_one_automation_that_has_its_way_is_no_loop() -> None:
    """It resets what we wrote, we carry that back, and both sides say the same."""
    link = Link({Side.CRM: resets("B")})
    link.edit(Side.NEXTCAP, "C")

    link.run()

    assert not link.loop
    assert set(link.stores.values()) == {"B"}
    assert link.writes == 2
