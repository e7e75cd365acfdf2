"""Every write that must not be sent twice, adapter by adapter. A new adapter adds its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connector.domain.text import fingerprint

from .crms import CrmWorld
from .desks import DESKS

Call = tuple[str, str]
"""A method and a pattern of the path as sent."""


@dataclass(frozen=True, slots=True)
class Write:
    """How people bring a write about, how often its result stands, and which calls it and its probe make.

    `kind` is what the engine's points call it; None where it is a part of another write. `crm` names the world,
    `system` whose call it is. `ask` and `stands` are given the world, a linked ticket, its record and the words.
    """

    name: str
    kind: str | None
    crm: str
    system: str
    ask: Callable[[CrmWorld, str, str, str], object]
    stands: Callable[[CrmWorld, str, str, str], int]
    call: Call
    probe: Call

    def __str__(self) -> str:
        return self.name


def _address(words: str) -> str:
    return f"{words.replace(' ', '-').lower()}@home.example"


def _in_nextcap(world: CrmWorld, words: str) -> int:
    return [one["subject"] for one in world.nextcap.state()["tickets"]].count(words)


def _to_nextcap() -> list[Write]:
    """Next Cap's own, brought about by HubSpot's people."""
    said = ("GET", "/events$")
    return [
        Write(
            "Next Cap: a ticket",
            "create_nextcap",
            "hubspot",
            "nextcap",
            lambda world, ticket, record, words: world.account.create_ticket(words),
            lambda world, ticket, record, words: _in_nextcap(world, words),
            ("POST", "/crm/tickets$"),
            ("GET", "/crm/tickets$"),
        ),
        Write(
            "Next Cap: a reply",
            "reply_nextcap",
            "hubspot",
            "nextcap",
            lambda world, ticket, record, words: world.account.write_note(record, f"<p>#reply {words}</p>"),
            lambda world, ticket, record, words: world.said(ticket, "reply").count(words),
            ("POST", "/reply$"),
            said,
        ),
        Write(
            "Next Cap: a note",
            "note_nextcap",
            "hubspot",
            "nextcap",
            lambda world, ticket, record, words: world.account.write_note(record, f"<p>{words}</p>"),
            lambda world, ticket, record, words: sum(words in one for one in world.said(ticket, "note")),
            ("POST", "/notes$"),
            said,
        ),
    ]


def _to_crm(crm: str, *, ticket: tuple[Call, Call], comment: tuple[Call, Call]) -> list[Write]:
    return [
        Write(
            f"{crm}: a ticket",
            "create_crm",
            crm,
            crm,
            lambda world, ticket, record, words: world.ticket(subject=words),
            lambda world, ticket, record, words: world.made(words),
            *ticket,
        ),
        Write(
            f"{crm}: a comment",
            "reply_crm",
            crm,
            crm,
            lambda world, ticket, record, words: world.nextcap.agent_reply(ticket, words),
            lambda world, ticket, record, words: world.written(record, words),
            *comment,
        ),
    ]


def _customer(crm: str, call: Call, probe: Call) -> Write:
    """Where a customer is made by a call before that of the ticket."""
    return Write(
        f"{crm}: a customer",
        None,
        crm,
        crm,
        lambda world, ticket, record, words: world.ticket(subject=words, customer_email=_address(words)),
        lambda world, ticket, record, words: max(world.made(words), world.known(_address(words)) - 1),
        call,
        probe,
    )


def _follow_up(crm: str, call: Call, probe: Call) -> Write:
    """Where a record that is closed for good is followed by another."""

    def ask(world: CrmWorld, ticket: str, record: str, words: str) -> None:
        world.desk.close_for_good(record)
        world.nextcap.customer_reply(ticket, words)

    def stands(world: CrmWorld, ticket: str, record: str, words: str) -> int:
        said = [one for one in world.desk.of(ticket) if one.id != record]
        return max(len(said), sum(fingerprint(words) in fingerprint(entry) for one in said for entry in one.entries))

    return Write(f"{crm}: a follow-up", "follow_up", crm, crm, ask, stands, call, probe)


UPSERT, COLLECTION = ("PATCH", "sobjects/Case/NextCap_Ticket_Id__c$"), ("POST", "composite/sobjects$")
TICKETS, QUERY = ("POST", "/tickets$"), ("GET", "/query$")
WRITES = (
    *_to_nextcap(),
    *_to_crm(
        "hubspot",
        ticket=(("POST", "tickets/batch/upsert$"), ("POST", "/tickets/batch/read$")),
        comment=(("POST", "objects/[0-9-]+/notes$"), ("POST", "tickets/notes/batch/read$")),
    ),
    _customer("hubspot", ("POST", "contacts/batch/upsert$"), ("POST", "contacts/batch/read$")),
    *_to_crm("salesforce", ticket=(UPSERT, QUERY), comment=(COLLECTION, ("POST", "/composite$"))),
    _customer("salesforce", COLLECTION, QUERY),
    *_to_crm(
        "zendesk",
        ticket=(TICKETS, ("GET", "/tickets$")),
        comment=(("PUT", r"/tickets/\d+$"), ("GET", r"/tickets/\d+/comments$")),
    ),
    _follow_up("zendesk", TICKETS, ("GET", r"/tickets/\d+$")),
    *_to_crm(
        "capsule",
        ticket=(("POST", "/kases$"), ("GET", "/kases$")),
        comment=(("POST", "/entries$"), ("GET", r"/kases/\d+/entries$")),
    ),
    _customer("capsule", ("POST", "/parties$"), ("POST", "/parties/filters/results$")),
    *_to_crm("example", ticket=(TICKETS, ("GET", "/tickets$")), comment=(("POST", "/notes$"), ("GET", "/notes$"))),
)
assert {write.crm for write in WRITES} == set(DESKS)
