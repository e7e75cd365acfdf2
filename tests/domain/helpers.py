"""Small mappings, links and plans for the tests of the pure core."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connector.domain.decision import QUIET, STATUS, Decision, LinkState, Plan, Shadow, Signals
from connector.domain.lifecycle import Status
from connector.domain.plan import plan_sync
from connector.domain.rules import Directories, Rule, StatusRule, TicketMapping, Translate, Untranslatable, Verdict
from connector.domain.ticket import Comment, CommentKind, Side, Value
from connector.mapping.compile import bind
from connector.mapping.load import parse

ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOBODY = Directories()
US, CONTACT, CLOSED = "Waiting on us", "Waiting on contact", "Closed"
SETTLED_STATUS = Shadow(Status.OPEN.value, US)

STAGES = StatusRule(
    crm="stage",
    to_crm={
        Status.NEW: "New",
        Status.OPEN: US,
        Status.IN_PROGRESS: US,
        Status.WAITING_INTERNAL: US,
        Status.REOPENED: US,
        Status.WAITING_CUSTOMER: CONTACT,
        Status.RESOLVED: CLOSED,
        Status.CLOSED: CLOSED,
    },
    to_nextcap={"New": Status.NEW, US: Status.OPEN, CONTACT: Status.WAITING_CUSTOMER, CLOSED: Status.RESOLVED},
    when={(US, Status.RESOLVED): Status.REOPENED, (US, Status.CLOSED): Status.REOPENED},
    substitutes={Status.NEW: (Status.OPEN,)},
)
"""HubSpot's stock stages, as the shipped mapping translates them."""


def shipped() -> TicketMapping:
    """The mapping that is delivered, with labels for values."""
    return bind(parse((ROOT / "mappings" / "hubspot.yaml").read_text(), name="hubspot.yaml"), None)


def same(value: Value, _: Directories) -> Value:
    """What both sides write alike."""
    return value


def table(rows: Mapping[str, str]) -> Translate:
    """A value table: empty stays empty, lists element by element, an unknown word is refused."""

    def word(value: str) -> str:
        if value not in rows:
            raise Untranslatable("value_not_mapped", f"'{value}' is not in the table")
        return rows[value]

    def translate(value: Value, _: Directories) -> Value:
        if value is None:
            return None
        return tuple(word(item) for item in value) if isinstance(value, tuple) else word(str(value))

    return translate


def field(name: str, to_crm: Translate = same, to_nextcap: Translate = same, **options: Any) -> Rule:
    """A rule for the field of that name on both sides."""
    return Rule(
        name=name,
        nextcap=name,
        crm=name,
        observe_nextcap=lambda record: record.get(name),
        observe_crm=lambda record: record.get(name),
        to_crm=to_crm,
        to_nextcap=to_nextcap,
        **options,
    )


def mapping(*rules: Rule, status: StatusRule = STAGES) -> TicketMapping:
    return TicketMapping(version="1", rules=rules, status=status, carries=lambda _: Verdict(True, "all are"))


def decide(
    rule: Rule,
    nextcap: Value,
    crm: Value,
    *,
    shadow: Shadow | None = None,
    held: tuple[Value, Value] | None = None,
    moments: tuple[datetime, datetime] | None = None,
) -> Decision:
    """What becomes of one field whose sides say this now. `moments`: when Next Cap's and the CRM's changed."""
    link = LinkState(
        shadows={STATUS: SETTLED_STATUS} | ({rule.name: shadow} if shadow else {}),
        held={rule.name: held} if held else {},
        moments={side: {rule.name: at} for side, at in zip(Side, moments or (), strict=bool(moments))},
    )
    found = plan(mapping(rule), link, nextcap={rule.name: nextcap}, crm={rule.name: crm})
    return found.decision(rule.name)


def decide_status(
    nextcap: str | Status,
    crm: Value,
    *,
    shadow: Shadow | None = SETTLED_STATUS,
    rule: StatusRule = STAGES,
    signals: Signals = QUIET,
    **state: Any,
) -> Decision:
    """What becomes of the status when the sides show this. `state`: more of the link's state."""
    link = LinkState(shadows={STATUS: shadow} if shadow else {}, **state)
    found = plan(
        mapping(status=rule), link, nextcap={STATUS: str(nextcap)}, crm={STATUS: crm}, signals=signals, now=NOON
    )
    return found.decision(STATUS)


def plan(
    rules: TicketMapping,
    link: LinkState,
    *,
    nextcap: Mapping[str, Value],
    crm: Mapping[str, Value],
    now: datetime = NOON,
    signals: Signals = QUIET,
    people: Directories = NOBODY,
) -> Plan:
    return plan_sync(rules, link, nextcap=nextcap, crm=crm, people=people, now=now, signals=signals)


def words(*items: str) -> tuple[str, ...]:
    """A set in normal form."""
    return tuple(sorted(items))


def seconds(count: float) -> datetime:
    """That long after noon."""
    return NOON + timedelta(seconds=count)


def comment(
    text: str = "Hello", *, kind: CommentKind = CommentKind.NOTE, identifier: str = "c-1", at: datetime = NOON
) -> Comment:
    return Comment(id=identifier, kind=kind, text=text, created_at=at)


def union(parts: Iterable[Iterable[str]]) -> frozenset[str]:
    return frozenset(item for part in parts for item in part)
