"""Whatever people do and whatever fails: the two sides come to rest, and nothing bounces.

Tables are drawn without any regard to sense: many-to-one, one-to-many, at odds with each other, with holes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from connector.domain.decision import Outcome, Shadow
from connector.domain.plan import agrees
from connector.domain.rules import Direction, First, Owner, Rule, TicketMapping
from connector.domain.ticket import Side, Value, normal
from tests.domain.helpers import NOBODY, field, mapping, table, union, words
from tests.domain.world import Fate, World, always

OURS, THEIRS = "abcd", "WXYZ"
NAMES = ("f", "g", "h")
QUIET = {Outcome.UNCHANGED, Outcome.HELD}


@dataclass(frozen=True)
class Edit:
    side: Side
    name: str
    value: Value


@dataclass(frozen=True)
class Pass:
    """A doorbell was heard: of one side, of both, or of none (a repeated or stale one)."""

    look: frozenset[Side]
    fates: tuple[Fate, ...]


@dataclass(frozen=True)
class Wait:
    seconds: float


Step = Edit | Pass | Wait


@st.composite
def rules(draw: st.DrawFn, name: str, *, total: bool = False) -> Rule:
    """Any rule at all, with any tables; `total` ones have no holes."""
    least = 4 if total else 1
    return field(
        name,
        table(draw(st.dictionaries(st.sampled_from(OURS), st.sampled_from(THEIRS), min_size=least))),
        table(draw(st.dictionaries(st.sampled_from(THEIRS), st.sampled_from(OURS), min_size=least))),
        direction=draw(st.sampled_from(Direction)),
        owner=draw(st.sampled_from(Owner)),
        first=draw(st.sampled_from(First)),
        is_set=draw(st.booleans()),
        only_on_create=draw(st.sampled_from([False, False, False, True])),
    )


def mappings(*, total: bool = False) -> st.SearchStrategy[TicketMapping]:
    return st.builds(mapping, *(rules(name, total=total) for name in NAMES))


def values(side: Side, rule: Rule) -> st.SearchStrategy[Value]:
    letter = st.sampled_from(OURS if side is Side.NEXTCAP else THEIRS)
    return st.lists(letter, max_size=3).map(normal) if rule.is_set else st.none() | letter


@st.composite
def edits(draw: st.DrawFn, made: TicketMapping) -> Edit:
    side, rule = draw(st.sampled_from(Side)), draw(st.sampled_from(made.rules))
    return Edit(side, rule.name, draw(values(side, rule)))


passes = st.builds(Pass, st.frozensets(st.sampled_from(Side)), st.tuples(*[st.sampled_from(Fate)] * 2))
waits = st.builds(Wait, st.sampled_from([0.5, 1.9, 2.0, 60.0]))


@st.composite
def worlds(draw: st.DrawFn, *, total: bool = False) -> World:
    made = draw(mappings(total=total))
    rule = {one.name: one for one in made.rules}
    return World.of(made, lambda side, name: draw(values(side, rule[name])))


@st.composite
def lives(draw: st.DrawFn) -> World:
    """A world after any number of edits, doorbells and failures."""
    world = draw(worlds())
    for step in draw(st.lists(edits(world.mapping) | passes | waits, max_size=25)):
        play(world, step)
    return world


def play(world: World, step: Step) -> None:
    match step:
        case Edit(side, name, value):
            world.edit(side, name, value)
        case Pass(look, fates):
            world.work(look, iter(fates))
        case Wait(seconds):
            world.wait(seconds)


def settled(world: World) -> World:
    """The world after a sweep that reads both sides and whose writes succeed."""
    world.work()
    return world


@given(world=lives())
def test_one_sweep_brings_both_sides_to_rest_and_the_next_plans_nothing(world: World) -> None:
    """Converges and is idempotent: after quiet, one pass makes every write and the next decides nothing at all."""
    settled(world)

    second = world.work()

    assert second.writes_nothing
    assert {item.outcome for item in second.decisions} <= QUIET
    for rule in world.mapping.rules:
        assert world.is_settled(rule.name) is (rule.name not in world.held)


@given(world=lives())
def test_what_comes_to_rest_says_the_same_unless_somebody_wanted_it_otherwise(world: World) -> None:
    """Both sides agree by the table, or the field waits for a person, or it was left on purpose."""
    settled(world)

    for rule in world.mapping.rules:
        ours, theirs = world.stores[Side.NEXTCAP][rule.name], world.stores[Side.CRM][rule.name]
        assert rule.name in world.held or rule.name in world.left or agrees(rule, ours, theirs, NOBODY)


@given(world=lives(), fates=st.lists(st.sampled_from(Fate), max_size=8))
def test_failures_cost_a_repeat_each_and_nothing_bounces(world: World, fates: list[Fate]) -> None:
    """Never A → B → A without an edit (the world asserts it), and never more writes than failures and one more."""
    world.written.clear()
    course = chain(fates, always(Fate.DONE))

    for _ in range(len(fates) + 2):
        world.work(fates=course)

    mishaps = sum(fate is not Fate.DONE for fate in fates)
    assert all(count <= mishaps + 1 for count in Counter(world.written).values())
    assert world.work().writes_nothing


@given(world=lives(), others=mappings(), data=st.data())
def test_an_edited_mapping_is_no_change(world: World, others: TicketMapping, data: st.DataObject) -> None:
    """An edited mapping alone writes nothing: both sides still say what they last said."""
    settled(world)
    known = [rule for rule in others.rules if rule.name not in world.held]
    world.mapping = replace(others, rules=tuple(known), version="2")

    made = world.work(data.draw(st.frozensets(st.sampled_from(Side))))

    assert made.writes_nothing
    assert all(item.outcome is Outcome.UNCHANGED for item in made.decisions)


@given(world=lives())
def test_our_own_writes_coming_back_are_no_change(world: World) -> None:
    """An echo equals its shadow: however often a doorbell is repeated, nothing is written and nothing decided."""
    settled(world)
    before = {side: dict(store) for side, store in world.stores.items()}

    echoes = [world.work(look) for look in ({Side.NEXTCAP}, {Side.CRM}, set(Side), {Side.CRM}) for _ in range(2)]

    assert all(echo.writes_nothing for echo in echoes)
    assert world.stores == before


@given(world=lives(), data=st.data(), fates=st.lists(st.sampled_from(Fate), max_size=4))
def test_edits_of_different_fields_are_both_kept(world: World, data: st.DataObject, fates: list[Fate]) -> None:
    """Disjoint edits merge: whoever alone changed a field finds it as it was left, and the other side has it too."""
    settled(world)
    made: dict[str, Edit] = {}
    for rule in world.mapping.rules:
        if rule.name not in world.held and data.draw(st.booleans()):
            side = data.draw(st.sampled_from(Side))
            made[rule.name] = Edit(side, rule.name, data.draw(values(side, rule)))
    before = {side: dict(store) for side, store in world.stores.items()}
    for edit in made.values():
        play(world, edit)

    for fate in fates:
        world.work(fates=always(fate))
    settled(world)

    for name, edit in made.items():
        assert world.stores[edit.side][name] == edit.value
    for name in set(NAMES) - made.keys():
        assert all(world.stores[side][name] == before[side][name] for side in Side)


@given(world=lives(), data=st.data())
def test_what_asks_stays_as_people_left_it(world: World, data: st.DataObject) -> None:
    """`ask`: both candidates stay, and no pass writes or decides anything until one of them changes."""
    settled(world)
    rule = data.draw(st.sampled_from(world.mapping.rules))
    ask = replace(rule, owner=Owner.ASK, direction=Direction.BOTH, is_set=False, only_on_create=False)
    world.mapping = replace(world.mapping, rules=(ask,))
    world.shadows[ask.name] = Shadow("a", "W")
    world.held.clear()
    ours = data.draw(st.sampled_from("bcd"))
    theirs = data.draw(st.sampled_from([x for x in "XYZ" if not agrees(ask, ours, x, NOBODY)] or ["?"]))
    world.edit(Side.NEXTCAP, ask.name, ours)
    world.edit(Side.CRM, ask.name, theirs)

    first, *later = [world.work() for _ in range(4)]

    assert first.decision(ask.name).code == "conflict"
    assert {one.decision(ask.name).code for one in later} == {"waits"}
    assert (world.stores[Side.NEXTCAP][ask.name], world.stores[Side.CRM][ask.name]) == (ours, theirs)
    assert world.shadows[ask.name] == Shadow("a", "W")

    world.edit(Side.CRM, ask.name, "W")
    assert world.work().decision(ask.name).code in ("carried", "agreed", "value_not_mapped")


@given(data=st.data(), side=st.sampled_from(Side), failures=st.integers(1, 3), is_lost=st.booleans())
def test_a_failed_write_leaves_both_shadows(data: st.DataObject, side: Side, failures: int, is_lost: bool) -> None:
    """Shadows move together and only when the field is settled: a write that failed is decided again as it was."""
    rule = replace(data.draw(rules("f", total=True)), direction=Direction.BOTH, is_set=False, only_on_create=False)
    before = Shadow("a", "W")
    world = edited(rule, before, *(("d", "W") if side is Side.NEXTCAP else ("a", "Z")))

    failed = [world.work(fates=always(Fate.FAILED)) for _ in range(failures)]

    if failed[0].writes_nothing:  # the table calls the new value the same
        assert world.is_settled("f")
        return
    assert all(one == failed[0] for one in failed)
    assert world.shadows["f"] == before
    if is_lost:
        world.work(fates=always(Fate.LOST))
        assert world.shadows["f"] == before
        assert world.work().writes_nothing
    else:
        world.work()
    assert world.is_settled("f")


Elements = frozenset[str]
elements = st.frozensets(st.sampled_from("pqrst"))


def edited(rule: Rule, was: Shadow, ours: Value, theirs: Value) -> World:
    """A world at rest in which people then set this on the two sides."""
    world = World.of(mapping(rule), lambda side, _: was.nextcap if side is Side.NEXTCAP else was.crm)
    world.shadows[rule.name] = was
    world.edit(Side.NEXTCAP, rule.name, ours)
    world.edit(Side.CRM, rule.name, theirs)
    return world


def items(value: Value) -> set[str]:
    return set(value) if isinstance(value, tuple) else set()


def joined(value: Value) -> Value:
    return "; ".join(value) if isinstance(value, tuple) else value


def parted(value: Value) -> Value:
    return normal(str(value).split("; ")) if value is not None else None


FORMS: dict[str, tuple[Callable[[Value], Value], Callable[[Value], Value]]] = {
    "multiple choice": (lambda value: value, lambda value: value),
    "one text": (joined, parted),
}


@given(was=elements, ours=elements, theirs=elements, form=st.sampled_from(sorted(FORMS)), fate=st.sampled_from(Fate))
def test_sets_merge_element_by_element(was: Elements, ours: Elements, theirs: Elements, form: str, fate: Fate) -> None:
    """Tags and multi-selects merge element by element against the shadow: all additions, all removals."""
    there, back = FORMS[form]
    tags = field("f", lambda value, _: there(value), lambda value, _: back(value), is_set=True)
    world = edited(tags, Shadow(normal(was), there(normal(was))), normal(ours), there(normal(theirs)))

    world.work(fates=iter([fate, Fate.DONE]))
    world.work()

    merged = normal((ours | theirs) - (was - ours) - (was - theirs))
    assert (world.stores[Side.NEXTCAP]["f"], world.stores[Side.CRM]["f"]) == (merged, there(merged))


@given(
    images=st.fixed_dictionaries({letter: st.sampled_from("XYZ") for letter in OURS}),
    was=st.frozensets(st.sampled_from(OURS)),
    ours=st.frozensets(st.sampled_from(OURS)),
    theirs=st.frozensets(st.sampled_from("XYZ")),
)
def test_sets_merge_through_a_lossy_table(
    images: dict[str, str], was: Elements, ours: Elements, theirs: Elements
) -> None:
    """What neither side touched stays as it was, although the CRM cannot tell the elements apart."""
    first = {image: letter for letter, image in sorted(images.items(), reverse=True)}
    tags = field("f", table(images), table(first), is_set=True)
    there = union(images[letter] for letter in was)
    made = set(theirs) & first.keys()
    world = edited(tags, Shadow(normal(was), normal(there)), normal(ours), normal(made))

    decision = world.work().decision("f")

    if decision.outcome is not Outcome.MERGED:
        return
    merged = items(world.stores[Side.NEXTCAP]["f"])
    assert merged <= ours | {first[image] for image in made}
    assert {letter for letter in ours if letter not in was or images[letter] in made} <= merged
    assert not {letter for letter in was & ours if images[letter] in there - made} & merged
    assert {images[letter] for letter in merged} >= made - there
    assert world.stores[Side.CRM]["f"] == normal({images[letter] for letter in merged})


def test_a_removal_on_one_side_and_an_addition_on_the_other_meet() -> None:
    was = Shadow(words("login", "old"), words("login", "old"))
    world = edited(field("f", is_set=True), was, words("login", "vip"), words("emea", "login", "old"))

    decision = world.work().decision("f")

    assert decision.outcome is Outcome.MERGED
    assert decision.write_nextcap == decision.write_crm == words("emea", "login", "vip")
