"""The linter's proofs, held against a simulation that drives the real planner through every move."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from connector.domain.decision import STATUS, LinkState, Outcome, Shadow
from connector.domain.lifecycle import Status
from connector.domain.plan import plan_sync
from connector.domain.rules import Rule, TicketMapping, Untranslatable
from connector.domain.status import status_agrees
from connector.domain.ticket import Value
from connector.mapping.compile import bind
from connector.mapping.lint import check
from connector.mapping.load import parse
from tests.mapping.helpers import FILE, NOBODY, mapping

NOON = datetime(2026, 1, 1, tzinfo=UTC)
STAGES = ("A", "B", "C")
STATUSES = [status.value for status in Status]
Settled = tuple[str, str, bool]
"""A status, a stage, and whether a substitute made them a pair."""


def moved(
    mapping: TicketMapping, at: Settled, *, status: str | None = None, stage: str | None = None
) -> Settled | None:
    """Where a settled ticket comes to rest after one side moved; None where the move is refused."""
    link = LinkState(
        shadows={STATUS: Shadow(at[0], at[1])}, substitutes=frozenset({(at[0], at[1])} if at[2] else set())
    )
    ours, theirs = status or at[0], stage or at[1]
    if (ours, theirs) == at[:2]:
        return at
    plan = plan_sync(mapping, link, nextcap={STATUS: ours}, crm={STATUS: theirs}, people=NOBODY, now=NOON)
    decision = plan.decision(STATUS)
    if decision.outcome is Outcome.REFUSED:
        return None
    if decision.writes_crm:
        theirs = str(decision.write_crm)
    return (decision.path[-1].value if decision.path else ours, theirs, decision.substituted)


def is_at_rest(mapping: TicketMapping, at: Settled) -> bool:
    """Whether a link that had forgotten everything would leave the ticket alone, and a new record would look the same.

    A stage that Next Cap's statuses are never written as has no such test: it is the CRM's own refinement.
    """
    rule = mapping.status
    status, stage, substituted = at
    pair: tuple[Value, Value] = (status, stage)
    if not status_agrees(rule, status, stage, frozenset({pair} if substituted else set())):
        return False
    fresh = plan_sync(mapping, LinkState(), nextcap={STATUS: status}, crm={STATUS: None}, people=NOBODY, now=NOON)
    is_written = stage in rule.to_crm.values()
    return substituted or not is_written or fresh.to_crm[STATUS] == stage


def simulate(mapping: TicketMapping) -> tuple[bool, bool]:
    """Whether any ticket can get stuck, and whether any can bounce, over every pair that can be reached."""
    waiting: list[Settled] = [(status.value, stage, False) for status, stage in mapping.status.to_crm.items()]
    seen: set[Settled] = set()
    stuck = bounced = False
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        moves = [moved(mapping, at, stage=stage) for stage in STAGES]
        stuck = stuck or None in moves
        bounced = bounced or any(after is not None and not is_at_rest(mapping, after) for after in moves)
        moves += [moved(mapping, at, status=status) for status in STATUSES]
        waiting += [after for after in moves if after is not None]
    return stuck, bounced


@st.composite
def status_blocks(draw: st.DrawFn) -> str:
    """A small status block: total both ways; half of them are sound but for one or two rows."""
    status, stage = st.sampled_from(STATUSES), st.sampled_from(STAGES)
    is_wild = draw(st.booleans())
    to_crm = {name: draw(stage) for name in STATUSES}
    lines = ["status:", "  field: stage", "  to_crm:", *(f"    {name}: {one}" for name, one in to_crm.items())]
    lines.append("  to_nextcap:")
    for name in STAGES:
        sound = [one for one, written in to_crm.items() if written == name and one != "new"] or STATUSES[1:]
        wanted = draw(status if is_wild else st.sampled_from(sound))
        when = draw(st.dictionaries(status, status, max_size=2 if is_wild else 1))
        rows = ", ".join(f"{present}: {other}" for present, other in when.items())
        lines.append(f"    {name}: {{to: {wanted}, when: {{{rows}}}}}")
    substitutes = draw(st.dictionaries(status, st.lists(status, min_size=1, max_size=2), max_size=2))
    stand = ", ".join(f"{one}: [{', '.join(others)}]" for one, others in substitutes.items())
    forbidden = draw(st.lists(status, max_size=2, unique=True)) if is_wild else []
    most = draw(st.integers(1, 4)) if is_wild else 4
    lines += [f"  substitute: {{{stand}}}", f"  walk: {{forbid: [{', '.join(forbidden)}], max_hops: {most}}}"]
    return "\n".join(lines) + "\n"


@given(block=status_blocks())
def test_the_status_proofs_say_what_a_simulation_finds(block: str) -> None:
    document = parse(f"crm: acme\n{block}", name=FILE)

    codes = {problem.code for problem in check(document)}

    assert ("M304" in codes, "M305" in codes) == simulate(bind(document, None))


WORDS = ("a", "b", "c")


def returns(rule: Rule, word: str) -> tuple[str | None, str | None]:
    """What a Next Cap word is written as, and what it is written as after it has come back.

    Where it is refused on the way, a person is asked and nothing bounces.
    """
    written = crossed(rule, word, to_crm=True)
    again = crossed(rule, crossed(rule, written, to_crm=False), to_crm=True)
    return written, written if again is None else again


def crossed(rule: Rule, word: str | None, *, to_crm: bool) -> str | None:
    if word is None:
        return None
    try:
        return str((rule.to_crm if to_crm else rule.to_nextcap)(word, NOBODY))
    except Untranslatable:
        return None


@given(
    there=st.dictionaries(st.sampled_from(WORDS), st.sampled_from("XYZ"), min_size=1),
    back=st.dictionaries(st.sampled_from("XYZ"), st.sampled_from(WORDS), min_size=1),
)
def test_two_tables_are_accepted_only_where_every_word_comes_to_rest(
    there: dict[str, str], back: dict[str, str]
) -> None:
    blocks = f"fields: {{category: {{crm: a, to_crm: {rows(there)}, to_nextcap: {rows(back)}, otherwise: stop}}}}"
    rule = mapping(blocks).rules[0]
    unstable = [word for word in there if len(set(returns(rule, word))) > 1]
    for theirs in back:
        once = crossed(rule, theirs, to_crm=False)
        written = crossed(rule, once, to_crm=True)
        if crossed(rule, written, to_crm=False) not in (once, None):
            unstable.append(theirs)

    codes = {problem.code for problem in check(parse(f"crm: acme\n{STATUS_BLOCK}{blocks}", name=FILE))}

    assert ("M404" in codes) == bool(unstable)


def rows(table: dict[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in table.items()) + "}"


STATUS_BLOCK = """\
status: {field: stage, direction: to_crm, to_crm: {new: N, open: O, in_progress: O, waiting_internal: O, reopened: O,
  waiting_customer: W, resolved: R, closed: R}}
"""
