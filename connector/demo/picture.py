"""One look at everything at once: both imitations' states, and what the connector says it is doing and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from connector.demo import figures
from connector.demo.sides import Pair, State, pairs
from connector.demo.world import CRM, World
from connector.store import connections, tables

SENTENCES = 12
CARRIED = ("to_crm", "to_nextcap", "merged")


@dataclass(frozen=True, slots=True)
class Picture:
    """What both sides hold at one moment, and what the connector says of it.

    journal    its newest sentences by number, oldest first; those that found nothing to do are left out
    waits_for  why HubSpot is not called just now, after `failures` tries in a row; empty where it is
    late       events that said what was newer known already; `repeats` webhooks that came more than once
    """

    nextcap: State
    hubspot: State
    journal: Mapping[int, str]
    waits_for: str
    failures: int
    late: int
    repeats: int

    @property
    def newest_sentence(self) -> str:
        """Why the last thing was done that was done."""
        return list(self.journal.values())[-1] if self.journal else ""

    def pair(self, ticket_id: str) -> Pair:
        """A ticket of Next Cap with its HubSpot ticket. Raises LookupError while there is not exactly one."""
        pair = next(one for one in pairs(self.nextcap, self.hubspot) if one.ticket["id"] == ticket_id)
        if len(pair.records) != 1:
            raise LookupError(f"{len(pair.records)} HubSpot tickets")
        return pair

    def moves(self, ticket_id: str) -> list[str]:
        """Every status that a ticket was moved to, from Next Cap's own history."""
        timeline = self.nextcap["timelines"][ticket_id]
        return [entry["new_value"] for entry in timeline if entry["type"] == "status_changed"]


def look(world: World) -> Picture:
    """The present moment. Reads the imitations themselves: HubSpot can be seen while it does not answer."""
    hubspot, nextcap = world.sandbox.hubspot, world.sandbox.nextcap
    with hubspot.lock:
        theirs = hubspot.state()
    with world.runtime.db.read() as connection:
        state = connections.state(connection, CRM)
    return Picture(
        nextcap=nextcap.state(),
        hubspot=theirs,
        journal=_journal(world),
        waits_for=str(state.cause or "") if state.failures else "",
        failures=state.failures,
        late=figures.taken(world).late,
        repeats=figures.repeats(world),
    )


def is_quiet(world: World) -> bool:
    """No webhook is under way, nothing is due, and nobody is at work."""
    if not all(one.deliveries.wait_idle(0) for one in world.sandbox.imitations.values()):
        return False
    links, unplaced = tables.links, tables.unplaced
    now = world.runtime.engine.now()
    with world.runtime.db.read() as connection:
        due = connection.execute(sa.select(links.c.id).where(links.c.due_at.is_not(None)).limit(1)).first()
        soon = connection.execute(sa.select(unplaced.c.id).where(unplaced.c.due_at <= now).limit(1)).first()
        lease = connections.state(connection, CRM).lease_until
    return due is None and soon is None and (lease is None or lease <= now)


def _journal(world: World) -> dict[int, str]:
    journal, links, tickets = tables.journal, tables.links, tables.tickets
    query = (
        sa.select(journal.c.id, journal.c.text, journal.c.details, tickets.c.number)
        .join(links, links.c.id == journal.c.link_id)
        .join(tickets, tickets.c.id == links.c.ticket_id)
        .where(journal.c.code != "nothing")
        .order_by(journal.c.id.desc())
        .limit(SENTENCES)
    )
    with world.runtime.db.read() as connection:
        newest = list(connection.execute(query))
    return {row.id: f"#{row.number} {_sentence(row.text, row.details or {})}" for row in reversed(newest)}


def _sentence(text: str, details: Mapping[str, Sequence[Mapping[str, str]]]) -> str:
    """What a pass did, and why."""
    reasons = dict.fromkeys(one["text"] for one in details.get("fields", ()) if one["outcome"] in CARRIED)
    return f"{text} ({'; '.join(reasons)})" if reasons else text
