"""Zendesk tickets that are merged, in an account that two connections share: what the survivor carries from then on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from connector.store import tables

from .world import Sections, eventually
from .zendesk_world import ZendeskWorld

SERVICE = "service"


class Shared(ZendeskWorld):
    """Tickets with the tag `service` have a connection of their own. Nobody's Zendesk tickets are made in Next Cap."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        text = self.mapping.read_text().replace("create: both", "create: to_crm", 1)
        for path, rule in ((self.mapping, "not_in"), (folder / "service.yaml", "in")):
            path.write_text(
                text.replace("carry:\n", f"carry:\n  when:\n    - {{field: tags, {rule}: [{SERVICE}]}}\n", 1)
            )

    def sections(self) -> Sections:
        told = super().sections()
        service = {**told["connections.zendesk"], "mapping": str(self.folder / "service.yaml")}
        return {**told, f"connections.{SERVICE}": service}

    def listen(self) -> None:
        super().listen()
        self.runtime.engine.crms[SERVICE].subscribe(f"{self.url}/webhooks/{SERVICE}", dry_run=False)

    def opened(self, subject: str, *tags: str) -> tuple[str, str]:
        """A ticket and its record."""
        told = {"subject": subject, "description": "It", "customer_email": "cus@home.example"}
        ticket = str(self.nextcap.create_ticket(**told, tags=list(tags))["id"])
        eventually(lambda: bool(self.zendesk.tickets_of(ticket)), what="the Zendesk ticket")
        eventually(self.is_idle)
        return ticket, str(self.record(ticket)["id"])

    def holders(self, record: str) -> list[tuple[str, str]]:
        """Which connections hold this record, for which tickets."""
        query = (
            sa.select(tables.links.c.connection, tables.tickets.c.nextcap_id)
            .join(tables.tickets, tables.tickets.c.id == tables.links.c.ticket_id)
            .where(tables.links.c.record_id == record)
        )
        with self.runtime.db.read() as connection:
            return [(row.connection, row.nextcap_id) for row in connection.execute(query)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    made = Shared(tmp_path_factory.mktemp("merged"))
    made.start()
    yield made
    made.stop()


def test_a_link_leads_to_a_survivor_that_no_ticket_has(world: Shared) -> None:
    """What is said there is said on the ticket, and what Next Cap says goes there, once."""
    ticket, record = world.opened("Merged away")
    survivor = world.zendesk.create_ticket("The survivor", "It too", "cus@home.example")
    world.zendesk.reply(survivor, "Known for long")

    world.zendesk.merge_tickets(record, survivor)
    eventually(lambda: world.holders(survivor) == [("zendesk", ticket)], what="the link at the survivor")
    eventually(lambda: "Known for long" in str(world.nextcap.timeline(ticket)))
    world.nextcap.customer_reply(ticket, "Thank you")
    eventually(lambda: "Thank you" in str(seen(world, survivor)["comments"]))
    eventually(world.is_idle)

    assert world.nextcap.ticket(ticket)["subject"] == "The survivor"
    assert [one["id"] for one in world.zendesk.tickets_of(ticket) if one["status"] != "closed"] == [survivor]
    assert [one["body"] for one in seen(world, survivor)["comments"]].count("Thank you") == 1
    assert str(world.nextcap.timeline(ticket)).count("Known for long") == 1
    assert "Thank you" not in str(seen(world, record)["comments"])
    assert "merged_into_another" not in {code for _, code in world.parked()}


def test_a_survivor_that_another_connection_of_the_account_holds_is_left_to_a_person(world: Shared) -> None:
    """Two tickets in one record would each take the other's words for a person's."""
    ticket, record = world.opened("Merged into theirs")
    theirs, survivor = world.opened("Theirs", SERVICE)

    world.zendesk.merge_tickets(record, survivor)
    eventually(lambda: ("", "merged_into_another") in world.parked(), what="a person is asked")
    world.zendesk.reply(survivor, "We come")
    world.nextcap.agent_note(ticket, "For nobody there")
    eventually(lambda: "We come" in str(world.nextcap.timeline(theirs)))
    eventually(world.is_idle)

    assert world.holders(survivor) == [(SERVICE, theirs)]
    assert "For nobody there" not in str(seen(world, survivor)["comments"])
    assert "We come" not in str(world.nextcap.timeline(ticket))


def seen(world: Shared, record: str) -> dict[str, object]:
    """A Zendesk ticket as people see it."""
    return next(one for one in world.zendesk.state()["tickets"] if str(one["id"]) == record)
