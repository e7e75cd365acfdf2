"""Every write that must not be sent twice, adapter by adapter. A new adapter adds a line for each of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connector.engine.context import NEXTCAP
from tests.engine.harness import World
from tests.engine.process import HUBSPOT


@dataclass(frozen=True, slots=True)
class Write:
    """How people bring a write about, how often its result stands, and which calls it and its probe make.

    `kind` is what the engine's points call it; `system` is whose call it is; `call` and `probe` are a method and a
    pattern of the path as sent. `world` names the fixture in which the adapter runs.
    """

    name: str
    kind: str
    system: str
    ask: Callable[[World, str, str], object]
    stands: Callable[[World, str, str], int]
    call: tuple[str, str]
    probe: tuple[str, str]
    world: str = "world"

    def __str__(self) -> str:
        return self.name


def _made_in_nextcap(world: World, *_: str) -> int:
    return [one["subject"] for one in world.nextcap.state()["tickets"]].count("Made by a person")


WRITES = (
    Write(
        "Next Cap: a ticket",
        "create_nextcap",
        NEXTCAP,
        lambda world, *_: world.hubspot.create_ticket("Made by a person"),
        _made_in_nextcap,
        ("POST", "/crm/tickets$"),
        ("GET", "/crm/tickets$"),
    ),
    Write(
        "Next Cap: a reply",
        "reply_nextcap",
        NEXTCAP,
        lambda world, _, record: world.hubspot.write_note(record, "<p>#reply Yes</p>"),
        lambda world, ticket, _: world.said(ticket, "reply").count("Yes"),
        ("POST", "/reply$"),
        ("GET", "/events$"),
    ),
    Write(
        "Next Cap: a note",
        "note_nextcap",
        NEXTCAP,
        lambda world, _, record: world.hubspot.write_note(record, "<p>Yes</p>"),
        lambda world, ticket, _: world.said(ticket, "note").count("Yes"),
        ("POST", "/notes$"),
        ("GET", "/events$"),
    ),
    Write(
        "HubSpot: a ticket",
        "create_crm",
        HUBSPOT,
        lambda world, *_: world.ticket(subject="Of a customer"),
        lambda world, *_: [one["properties"]["subject"] for one in world.hubspot.state()["tickets"]].count(
            "Of a customer"
        ),
        ("POST", "tickets/batch/upsert$"),
        ("POST", "tickets/batch/read$"),
    ),
    Write(
        "HubSpot: a note",
        "reply_crm",
        HUBSPOT,
        lambda world, ticket, _: world.nextcap.agent_reply(ticket, "Yes"),
        lambda world, _, record: world.notes(record).count("Yes"),
        ("POST", "objects/[0-9-]+/notes$"),
        ("POST", "tickets/notes/batch/read$"),
    ),
)
