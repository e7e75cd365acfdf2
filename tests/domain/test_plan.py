"""One field's three-way decision: what has changed since each side last spoke, and what follows from it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.decision import SETTLED, STATUS, LinkState, Outcome, Shadow
from connector.domain.plan import agrees
from connector.domain.rules import Direction, First, Owner
from connector.domain.ticket import Side, Value
from tests.domain.helpers import NOBODY, NOON, SETTLED_STATUS, decide, field, mapping, plan, seconds, table

LOSSY = field("f", table({"a": "X", "b": "X", "c": "Z"}), table({"X": "a", "Y": "a", "Z": "c"}))
PLAIN = field("f")
TO_CRM = field("f", direction=Direction.TO_CRM)
TO_NEXTCAP = field("f", direction=Direction.TO_NEXTCAP)
EMPTY = Shadow(None, None)


def test_what_equals_its_shadow_is_no_change() -> None:
    """An echo, a repeated doorbell and an edited table change nothing: only a value off its shadow is translated."""
    decision = decide(LOSSY, "b", "Z", shadow=Shadow("b", "Z"))

    assert decision.outcome is Outcome.UNCHANGED


@pytest.mark.parametrize(("nextcap", "crm"), [("b", "X"), ("a", "Y"), ("a", "X")])
def test_a_value_that_the_table_gives_for_the_other_side_is_agreement(nextcap: str, crm: str) -> None:
    """A lossy table never rewrites the finer value: one for the other, in either direction, is agreement."""
    decision = decide(LOSSY, nextcap, crm, shadow=Shadow("c", "Z"))

    assert (decision.outcome, decision.writes_crm, decision.writes_nextcap) == (Outcome.AGREED, False, False)


def test_agreement_counts_only_in_a_direction_that_the_field_travels() -> None:
    crossed = {"to_crm": table({"a": "X", "b": "Y"}), "to_nextcap": table({"X": "a", "Y": "a"})}

    assert agrees(field("f", **crossed), "a", "Y", NOBODY)
    assert not agrees(field("f", **crossed, direction=Direction.TO_CRM), "a", "Y", NOBODY)
    assert not agrees(field("f", **crossed, direction=Direction.TO_NEXTCAP), "b", "Y", NOBODY)


@pytest.mark.parametrize("side", Side)
def test_one_sides_change_is_carried_to_the_other(side: Side) -> None:
    ours, theirs = ("c", "X") if side is Side.NEXTCAP else ("b", "Z")

    decision = decide(LOSSY, ours, theirs, shadow=Shadow("b", "X"))

    assert (decision.write_crm, decision.write_nextcap) == (("Z", None) if side is Side.NEXTCAP else (None, "c"))
    assert decision.code == "carried"


def test_what_was_emptied_is_emptied_on_the_other_side() -> None:
    decision = decide(PLAIN, None, "x", shadow=Shadow("x", "x"))

    assert decision.writes_crm
    assert decision.write_crm is None


def test_a_decision_that_writes_is_not_settled() -> None:
    """Shadows move at once only where nothing is to be written; a write moves them when it is done."""
    assert frozenset({Outcome.AGREED, Outcome.LEFT}) == SETTLED


@pytest.mark.parametrize(
    ("first", "nextcap", "crm", "outcome"),
    [
        (First.FILL_EMPTY, "x", None, Outcome.TO_CRM),
        (First.FILL_EMPTY, None, "y", Outcome.TO_NEXTCAP),
        (First.FILL_EMPTY, "x", "y", Outcome.LEFT),
        (First.FILL_EMPTY, None, None, Outcome.AGREED),
        (First.NEXTCAP, "x", "y", Outcome.TO_CRM),
        (First.NEXTCAP, None, "y", Outcome.TO_CRM),
        (First.CRM, "x", "y", Outcome.TO_NEXTCAP),
        (First.CRM, "x", None, Outcome.TO_NEXTCAP),
        (First.ASK, "x", "y", Outcome.HELD),
        (First.ASK, "x", "x", Outcome.AGREED),
        (First.NEXTCAP, "x", "x", Outcome.AGREED),
    ],
)
def test_a_first_contact_is_settled_as_the_mapping_says(
    first: First, nextcap: Value, crm: Value, outcome: Outcome
) -> None:
    """A field without a shadow is first contact, not a conflict: `first:` settles it."""
    decision = decide(field("f", first=first, owner=Owner.ASK), nextcap, crm)

    assert decision.outcome is outcome


def test_a_first_contact_fills_what_the_table_would_call_equal() -> None:
    """An empty side is filled even where empty means just that value to the other side."""
    priority = field("f", to_nextcap=lambda value, _: value or "normal")

    assert decide(priority, "normal", None).write_crm == "normal"
    assert decide(priority, "normal", None, shadow=Shadow("high", None)).outcome is Outcome.AGREED


def test_a_first_contact_with_nothing_to_write_is_settled() -> None:
    """An agent whom the CRM does not know is nobody there: the field is settled, so the next change is carried."""
    assignee = field("f", lambda *_: None)

    decision = decide(assignee, "agent-1", None)

    assert (decision.outcome, decision.nextcap, decision.crm) == (Outcome.AGREED, "agent-1", None)


@pytest.mark.parametrize("first", First)
@pytest.mark.parametrize("unread", Side)
def test_a_first_contact_takes_nothing_from_a_side_that_was_not_read(first: First, unread: Side) -> None:
    """What was not read is not empty: it is neither carried, nor agreed with, nor held against the other side."""
    values = {Side.NEXTCAP: {"f": "x"}, Side.CRM: {"f": "y"}} | {unread: {}}

    decision = plan(
        mapping(field("f", first=first)),
        LinkState(shadows={STATUS: SETTLED_STATUS}),
        nextcap=values[Side.NEXTCAP],
        crm=values[Side.CRM],
    ).decision("f")

    # The side to be written may be unread: it is read before the write, and then it is decided anew.
    assert not (decision.writes_crm if unread is Side.NEXTCAP else decision.writes_nextcap)
    assert decision.outcome in (Outcome.UNCHANGED, Outcome.TO_CRM if unread is Side.CRM else Outcome.TO_NEXTCAP)


@pytest.mark.parametrize("unread", Side)
def test_a_side_that_was_not_read_counts_as_unchanged(unread: Side) -> None:
    values = {Side.NEXTCAP: {"f": "new"}, Side.CRM: {"f": "new"}} | {unread: {}}
    link = LinkState(shadows={STATUS: SETTLED_STATUS, "f": Shadow("x", "x")})

    made = plan(mapping(PLAIN), link, nextcap=values[Side.NEXTCAP], crm=values[Side.CRM])

    assert made.decision("f").outcome is (Outcome.TO_CRM if unread is Side.CRM else Outcome.TO_NEXTCAP)


@pytest.mark.parametrize(
    ("owner", "winner"),
    [(Owner.NEXTCAP, Side.NEXTCAP), (Owner.CRM, Side.CRM), (Owner.NEWEST, Side.CRM)],
)
def test_where_both_changed_the_owner_decides(owner: Owner, winner: Side) -> None:
    decision = decide(field("f", owner=owner), "x", "y", shadow=EMPTY, moments=(NOON, seconds(60)))

    assert (decision.write_crm, decision.write_nextcap) == (("x", None) if winner is Side.NEXTCAP else (None, "y"))


def test_ask_holds_the_field_with_both_candidates() -> None:
    """`ask` holds the one field and keeps both candidates; the fields beside it go on."""
    link = LinkState(shadows={STATUS: SETTLED_STATUS, "f": EMPTY, "g": EMPTY})

    made = plan(
        mapping(field("f", owner=Owner.ASK), field("g")),
        link,
        nextcap={"f": "x", "g": "carried"},
        crm={"f": "y", "g": None},
    )

    held = made.decision("f")
    assert (held.outcome, held.nextcap, held.crm) == (Outcome.HELD, "x", "y")
    assert (made.to_crm, made.to_nextcap) == ({"g": "carried"}, {})


def test_what_is_held_costs_nothing_until_something_changes() -> None:
    """The same pair is not decided again, whoever rings; any other pair is."""
    rule = field("f", owner=Owner.ASK)

    assert decide(rule, "x", "y", shadow=EMPTY, held=("x", "y")).code == "waits"
    assert decide(rule, "x", "z", shadow=EMPTY, held=("x", "y")).code == "conflict"
    assert decide(rule, "y", "y", shadow=EMPTY, held=("x", "y")).outcome is Outcome.AGREED
    assert decide(rule, None, "y", shadow=EMPTY, held=("x", "y")).write_nextcap == "y"


def test_a_value_without_a_counterpart_parks_its_field_alone() -> None:
    """A refusal that names a field parks that field; the others and the status go on."""
    link = LinkState(shadows={STATUS: SETTLED_STATUS, "f": Shadow("a", "X"), "g": EMPTY})

    made = plan(
        mapping(LOSSY, field("g")),
        link,
        nextcap={"f": "unheard of", "g": "carried", STATUS: "resolved"},
        crm={"f": "X", "g": None},
    )

    refused = made.decision("f")
    assert (refused.outcome, refused.code, refused.writes_crm) == (Outcome.REFUSED, "value_not_mapped", False)
    assert made.to_crm == {STATUS: "Closed", "g": "carried"}


@pytest.mark.parametrize("rule", [TO_CRM, TO_NEXTCAP])
@pytest.mark.parametrize("is_set", [False, True])
@given(shadow=st.none() | st.builds(Shadow, st.sampled_from("xyz"), st.sampled_from("xyz")), data=st.data())
def test_a_one_way_field_never_goes_the_other_way(
    rule: object, is_set: bool, shadow: Shadow | None, data: st.DataObject
) -> None:
    """One-way is one-way at first contact, in conflicts and for sets, whoever owns the field."""
    direction = Direction.TO_CRM if rule is TO_CRM else Direction.TO_NEXTCAP
    one_way = field(
        "f",
        direction=direction,
        is_set=is_set,
        owner=data.draw(st.sampled_from(Owner)),
        first=data.draw(st.sampled_from(First)),
    )
    letters = st.none() | st.sampled_from("xyz")

    decision = decide(one_way, data.draw(letters), data.draw(letters), shadow=shadow)

    assert not (decision.writes_nextcap if direction is Direction.TO_CRM else decision.writes_crm)


def test_a_one_way_field_that_changed_on_the_wrong_side_is_left_and_settled() -> None:
    assert decide(TO_CRM, "x", "changed", shadow=Shadow("x", "x")).outcome is Outcome.LEFT
    assert decide(TO_NEXTCAP, "changed", "x", shadow=Shadow("x", "x")).outcome is Outcome.LEFT
    assert decide(TO_CRM, "ours", "theirs", shadow=Shadow("x", "x")).write_crm == "ours"
    assert decide(TO_NEXTCAP, "ours", "theirs", shadow=Shadow("x", "x")).write_nextcap == "theirs"


def test_what_is_written_only_on_creation_is_left_afterwards() -> None:
    decision = decide(field("f", only_on_create=True), "x", "y", shadow=EMPTY)

    assert (decision.outcome, decision.code) == (Outcome.LEFT, "only_on_create")


@pytest.mark.parametrize(
    ("resolution", "crm", "is_written"),
    [(None, None, False), ("mended", None, True), (None, "was there", True)],
)
def test_a_stage_is_not_set_while_a_field_that_it_requires_is_empty(
    resolution: Value, crm: Value, is_written: bool
) -> None:
    required = field("f", required_on=frozenset({"Closed"}))
    shadows = {STATUS: SETTLED_STATUS, "f": Shadow(None, crm)}

    made = plan(
        mapping(required),
        LinkState(shadows=shadows),
        nextcap={STATUS: "resolved", "f": resolution},
        crm={"f": crm},
    )

    assert (STATUS in made.to_crm) is is_written
    assert made.decision(STATUS).code == ("carried" if is_written else "required_field_empty")


def test_a_stage_is_not_set_where_the_same_plan_empties_a_field_that_it_requires() -> None:
    required = field("f", required_on=frozenset({"Closed"}))
    link = LinkState(shadows={STATUS: SETTLED_STATUS, "f": Shadow("mended", "mended")})

    made = plan(mapping(required), link, nextcap={STATUS: "resolved", "f": None}, crm={"f": "mended"})

    assert made.to_crm == {"f": None}
    assert "f" in made.decision(STATUS).reason


def test_newest_asks_when_the_field_changed_on_each_side() -> None:
    """`newest` compares the moments at which each side's field left its shadow."""
    assert decide(PLAIN, "x", "y", shadow=EMPTY, moments=(seconds(-9), seconds(-10))).write_crm == "x"
    assert decide(PLAIN, "x", "y", shadow=EMPTY, moments=(seconds(-10), seconds(-9))).write_crm == "x"
    assert decide(PLAIN, "x", "y", shadow=EMPTY, moments=(seconds(-10), seconds(-7))).write_nextcap == "y"
    assert decide(PLAIN, "x", "y", shadow=EMPTY, moments=(seconds(-7), seconds(-10))).write_crm == "x"


@pytest.mark.parametrize(("apart", "winner"), [(1.999, Side.NEXTCAP), (2.0, Side.CRM)])
def test_under_two_seconds_apart_next_cap_wins_and_says_so(apart: float, winner: Side) -> None:
    """Under 2 s nobody can tell who was later: Next Cap wins and the journal says so."""
    decision = decide(PLAIN, "x", "y", shadow=EMPTY, moments=(NOON, NOON + timedelta(seconds=apart)))

    assert decision.writes_crm is (winner is Side.NEXTCAP)
    assert ("within 2 s" in decision.reason) is (winner is Side.NEXTCAP)


def test_a_change_whose_moment_nobody_told_counts_as_just_seen() -> None:
    """Else the first read that showed it: a change without a moment is as new as this pass."""
    link = LinkState(shadows={STATUS: SETTLED_STATUS, "f": EMPTY}, moments={Side.NEXTCAP: {"f": seconds(-60)}})

    made = plan(mapping(PLAIN), link, nextcap={"f": "x"}, crm={"f": "y"}, now=NOON)

    assert made.to_nextcap == {"f": "y"}


def test_every_field_has_a_decision_with_a_reason() -> None:
    """A reason for every field, the ones left alone included; the status comes first."""
    made = plan(mapping(field("f"), field("g")), LinkState(), nextcap={"f": "x"}, crm={"f": "x"})

    assert [item.name for item in made.decisions] == [STATUS, "f", "g"]
    assert all(item.reason for item in made.decisions)
    with pytest.raises(KeyError):
        made.decision("h")
