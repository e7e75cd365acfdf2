"""A synthetic ticket that makes the round trip, so that silence is never mistaken for health. Off unless configured.

One ticket a connection is made in Next Cap and used for ever. It has no customer, so nobody is ever mailed; it says
what it is in its subject, description and tags; it is resolved, so that no list of open work shows it. A beat changes
its subject in Next Cap, waits until ordinary work has carried that to the CRM, changes it there as a person would, and
waits until that has come back. Switched off, the ticket is closed; Next Cap has no way to delete one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from connector.adapters.base import Adapter, Change, ChangeKind, Written
from connector.domain.errors import ConnectorError, UnknownOutcome
from connector.domain.lifecycle import Status, shortest_path
from connector.domain.rules import Direction, Rule, TicketMapping, Untranslatable
from connector.domain.status import parse_status
from connector.domain.ticket import Record, Value, normal
from connector.engine.context import Engine
from connector.engine.drain import closed_until
from connector.engine.people import kept_directories
from connector.engine.sync import heartbeat_tag
from connector.engine.work import HEARTBEAT
from connector.store import cursors, links, pauses
from connector.store.links import LinkRow

CURSOR = "heartbeat"
TICK = timedelta(seconds=4)
"""No two looks at one connection are nearer together, whoever looks."""
BUSY = timedelta(seconds=90)
"""So long a look may take before another process takes over."""
REST = timedelta(minutes=2)
"""Between the end of a beat and the next, so that no beat looks like an answer to the last."""
AGAIN = timedelta(minutes=5)
ENDING = "ending"
LEGS = (Direction.TO_CRM, Direction.TO_NEXTCAP)
SUBJECT = "Connector heartbeat, do not answer"
ABOUT = (
    "The connector made this ticket to see, every few minutes, that changes cross in both directions. Nobody needs to "
    "do anything with it. It is used again and again, and closed when the heartbeat is switched off."
)


@dataclass(frozen=True, slots=True)
class Beat:
    """How the heartbeat of one connection stands. Moments are ISO texts, or empty.

    `leg` is where the present beat is: towards the CRM, back towards Next Cap, or (empty) between two beats. `seconds`
    is how long the last whole round took, `problem` what keeps it from going on.
    """

    ticket_id: str = ""
    creating_at: str = ""
    leg: str = ""
    text: str = ""
    started_at: str = ""
    finished_at: str = ""
    since: str = ""
    seconds: float = 0.0
    problem: str = ""
    next_at: str = ""

    def age(self, now: datetime) -> float | None:
        """Seconds since a change last made the whole round, or since the first was begun; None before that."""
        return (now - datetime.fromisoformat(self.since)).total_seconds() if self.since else None


def beats(engine: Engine) -> dict[str, Beat]:
    """The heartbeats that there are, by connection."""
    with engine.db.read() as connection:
        rows = cursors.named(connection, CURSOR)
    return {name: Beat(**json.loads(value or "{}")) for name, value in rows.items()}


def tick(engine: Engine, every: timedelta | None) -> None:
    """Bring each connection's heartbeat one step on; with None, end those that there are. Cheap where none is."""
    wanted = set(engine.names) if every else set()
    for name in sorted(wanted | beats(engine).keys()):
        now = engine.now()
        with engine.db.write() as connection:
            mine = cursors.reserve(connection, name, CURSOR, before=now - TICK, until=now + BUSY)
        if not mine:
            continue
        beat = beats(engine)[name]
        left = _advanced(engine, name, beat, every) if every and name in wanted else _ended(engine, name, beat)
        with engine.db.write() as connection:
            if left is None:
                cursors.drop(connection, name, CURSOR)
            else:
                cursors.put(connection, name, CURSOR, json.dumps(asdict(left)), engine.now())


def _advanced(engine: Engine, name: str, beat: Beat, every: timedelta) -> Beat:
    """One step; whatever is in the way is kept in words, and tried again a little later."""
    now = engine.now()
    if _is_held_up(engine, name) or (beat.next_at and now < datetime.fromisoformat(beat.next_at)):
        return beat
    try:
        with engine.db.read() as connection:
            mapping = engine.mappings.active(connection, name)
        rule = _rule(mapping)
        if rule is None:
            return _later(beat, now, "the mapping carries no subject, so nothing can make the round")
        if not beat.ticket_id:
            return _made(engine, name, beat)
        return _step(engine, name, beat, rule, every)
    except (ConnectorError, Untranslatable) as problem:
        return _later(beat, now, str(problem))


def _later(beat: Beat, now: datetime, problem: str) -> Beat:
    return replace(beat, problem=problem, next_at=(now + AGAIN).isoformat())


def _is_held_up(engine: Engine, name: str) -> bool:
    """Whether a pause or a vendor that is not called keeps a beat from going round."""
    with engine.db.read() as connection:
        is_paused = bool(pauses.closed(connection, name))
    return is_paused or closed_until(engine, name) is not None


def _rule(mapping: TicketMapping) -> Rule | None:
    return next((rule for rule in mapping.rules if rule.nextcap == "subject" and rule.crm), None)


def _made(engine: Engine, name: str, beat: Beat) -> Beat:
    """Make the ticket, once: where an answer was lost, it is looked for first."""
    now, change = engine.now(), _ticket(name)
    if beat.creating_at:
        sent_at = datetime.fromisoformat(beat.creating_at)
        found = engine.nextcap.probe_create(change, sent_at=sent_at)
        if found is not None:
            return _resolved(engine, name, beat, found)
        if now - sent_at < timedelta(seconds=engine.timing.absent_silent + engine.timing.call):
            return beat
    written = _outcome(engine.nextcap, change)
    if isinstance(written.error, UnknownOutcome):
        return replace(beat, creating_at=now.isoformat(), problem=str(written.error))
    _raise(written)
    return _resolved(engine, name, beat, written.record or Record(written.id, {}))


def _ticket(name: str) -> Change:
    """Without a customer: there is nobody whom Next Cap could mail."""
    values: dict[str, Value] = {"subject": SUBJECT, "description": ABOUT, "tags": (heartbeat_tag(name),)}
    return Change(ChangeKind.CREATE, f"heartbeat-{name}", {**values, "priority": "low"}, metadata={HEARTBEAT: name})


def _resolved(engine: Engine, name: str, beat: Beat, record: Record) -> Beat:
    """Out of the way of people who work on what is open."""
    problem = _move(engine, name, record, Status.RESOLVED)
    return replace(beat, ticket_id=record.id, creating_at="", problem=problem)


def _move(engine: Engine, name: str, record: Record, goal: Status) -> str:
    """Walk the ticket there; what refused it, in words."""
    present = parse_status(normal(record.get("status"))) or Status.NEW
    for step in shortest_path(present, goal) or ():
        change = Change(ChangeKind.MOVE, f"heartbeat-{name}", {"status": str(step)}, record_id=record.id)
        written = _outcome(engine.nextcap, change)
        if written.error is not None:
            return str(written.error)
    return ""


def _step(engine: Engine, name: str, beat: Beat, rule: Rule, every: timedelta) -> Beat:
    now = engine.now()
    if beat.leg not in LEGS or now - datetime.fromisoformat(beat.started_at) > 3 * every:
        return _begun(engine, beat, rule, now)
    with engine.db.read() as connection:
        link = next((one for one in links.of_ticket(connection, beat.ticket_id) if one.connection == name), None)
    if link is None or not _has_crossed(engine, name, beat, rule, link):
        return beat
    if beat.leg == Direction.TO_CRM and rule.direction is Direction.BOTH:
        return _turned(engine, name, beat, rule, str(link.record_id))
    seconds = (now - datetime.fromisoformat(beat.started_at)).total_seconds()
    following = max(datetime.fromisoformat(beat.started_at) + every, now + REST)
    return replace(
        beat,
        leg="",
        finished_at=now.isoformat(),
        since=now.isoformat(),
        seconds=seconds,
        problem="",
        next_at=following.isoformat(),
    )


def _begun(engine: Engine, beat: Beat, rule: Rule, now: datetime) -> Beat:
    """Change the subject in Next Cap, as somebody there would."""
    if rule.direction is Direction.TO_NEXTCAP:
        return _later(beat, now, "the mapping carries the subject only to Next Cap, so nothing can make the round")
    text = f"{SUBJECT} ({now:%Y-%m-%d %H:%M:%S} UTC)"
    _write(engine.nextcap, beat.ticket_id, "subject", text, f"heartbeat-{now.isoformat()}")
    since = beat.since or now.isoformat()
    begun = replace(beat, leg=str(Direction.TO_CRM), text=text, started_at=now.isoformat(), since=since)
    return replace(begun, problem="", next_at="")


def _turned(engine: Engine, name: str, beat: Beat, rule: Rule, record_id: str) -> Beat:
    """It has arrived in the CRM: change it there, so that it comes back."""
    text = f"{beat.text} and back"
    value = normal(rule.to_crm(text, kept_directories(engine, name)))
    _write(engine.crms[name], record_id, rule.crm, value, f"heartbeat-{beat.started_at}-back")
    return replace(beat, leg=str(Direction.TO_NEXTCAP), text=text)


def _has_crossed(engine: Engine, name: str, beat: Beat, rule: Rule, link: LinkRow) -> bool:
    """Whether both sides have last said what this leg carries."""
    pair = link.shadows.get(rule.name)
    if pair is None or link.record_id is None:
        return False
    if beat.leg == Direction.TO_CRM:
        return pair.nextcap == beat.text
    return pair.crm == normal(rule.to_crm(beat.text, kept_directories(engine, name)))


def _ended(engine: Engine, name: str, beat: Beat) -> Beat | None:
    """Close the ticket and forget it; None once that is done. One whose making lost its answer is looked for."""
    now = engine.now()
    if beat.leg == ENDING and now < datetime.fromisoformat(beat.next_at):
        return beat
    try:
        record = None
        if beat.ticket_id:
            record = engine.nextcap.read([beat.ticket_id], ()).get(beat.ticket_id)
        elif beat.creating_at:
            record = engine.nextcap.probe_create(_ticket(name), sent_at=datetime.fromisoformat(beat.creating_at))
        problem = _move(engine, name, record, Status.CLOSED) if record is not None else ""
    except ConnectorError as trouble:
        problem = str(trouble)
    return replace(_later(beat, now, problem), leg=ENDING) if problem else None


def _write(adapter: Adapter, record_id: str, field: str, value: Value, key: str) -> None:
    _raise(_outcome(adapter, Change(ChangeKind.UPDATE, key, {field: value}, record_id=record_id)))


def _outcome(adapter: Adapter, change: Change) -> Written:
    outcomes: Sequence[Written] = adapter.write([change])
    return next(iter(outcomes), Written(change.key))


def _raise(written: Written) -> None:
    if written.error is not None:
        raise written.error
