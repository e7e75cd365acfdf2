"""What Zendesk has closed for good is followed by a ticket of its own, once, as the shipped mapping says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from connector.store import tables

from .world import eventually
from .zendesk_world import ZendeskWorld


class Archive:
    """A world with tickets that were resolved and whose Zendesk tickets are closed for good; all made at once."""

    def __init__(self, world: ZendeskWorld, number: int) -> None:
        self.world, self.nextcap, self.zendesk = world, world.nextcap, world.zendesk
        made = [world.nextcap.create_ticket(subject=f"T{n}", customer_email="a@home.example") for n in range(number)]
        self.tickets = [one["id"] for one in made]
        eventually(lambda: all(self.all_of(one) for one in self.tickets), what="the Zendesk tickets")
        for ticket in self.tickets:
            self.zendesk.change(self.all_of(ticket)[0]["id"], {"assignee_id": 9003, "status": "solved"})
        eventually(lambda: all(world.nextcap.ticket(one)["status"] == "resolved" for one in self.tickets))
        eventually(world.is_idle)
        for ticket in self.tickets[1:]:
            self.zendesk.close_ticket(self.all_of(ticket)[0]["id"])
        eventually(world.is_idle)

    def all_of(self, ticket: str) -> list[dict[str, Any]]:
        """Every Zendesk ticket that carries this ticket's id, in the order of their making."""
        return sorted(self.zendesk.tickets_of(ticket), key=lambda one: int(one["id"]))

    def rests_with(self, ticket: str, number: int) -> bool:
        return len(self.all_of(ticket)) == number and self.world.is_idle()

    def lines(self, code: str) -> list[str]:
        with self.world.runtime.db.read() as connection:
            rows = connection.execute(sa.select(tables.journal.c.details)).scalars()
            return [line["text"] for one in rows for line in (one or {}).get("lines", ()) if line["code"] == code]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    world = ZendeskWorld(tmp_path_factory.mktemp("archive"))
    world.start()
    yield Archive(world, 5)
    world.stop()


def words(record: dict[str, Any]) -> list[str]:
    return [one["body"] for one in record["comments"][1:]]


def test_a_reply_to_a_ticket_that_was_closed_unheard_gets_a_follow_up(archive: Archive) -> None:
    """Zendesk refuses it, the ticket is read, and it says why."""
    ticket = archive.tickets[0]
    record = archive.all_of(ticket)[0]["id"]
    archive.zendesk.account.tickets[int(record)].values["status"] = "closed"

    archive.nextcap.customer_reply(ticket, "It burns again")
    eventually(lambda: archive.rests_with(ticket, 2))
    old, new = archive.all_of(ticket)

    assert (words(old), words(new)) == ([], ["It burns again"])
    assert (str(new["follows"]), new["status"], new["requester"]) == (record, "open", "a@home.example")
    assert any(f"follow-up {new['id']}" in one for one in archive.lines("followed_up"))


def test_a_follow_up_is_carried_both_ways_and_may_be_followed_too(archive: Archive) -> None:
    ticket = archive.tickets[1]
    archive.nextcap.move(ticket, "reopened")
    eventually(lambda: archive.rests_with(ticket, 2))
    first, second = (one["id"] for one in archive.all_of(ticket))

    archive.zendesk.reply(second, "We come again")
    archive.zendesk.change(second, {"assignee_id": 9003, "status": "solved"})
    eventually(lambda: archive.nextcap.ticket(ticket)["status"] == "resolved" and archive.world.is_idle())
    archive.zendesk.close_ticket(second)
    archive.nextcap.customer_reply(ticket, "Third time")
    eventually(lambda: archive.rests_with(ticket, 3))

    assert "We come again" in str(archive.nextcap.timeline(ticket))
    assert [str(one["follows"]) for one in archive.all_of(ticket)[1:]] == [first, second]
    assert words(archive.all_of(ticket)[2]) == ["Third time"]


@pytest.mark.parametrize("kind", ["lost_answer", "drop_before"])
def test_a_follow_up_whose_answer_is_lost_is_made_once(archive: Archive, kind: str) -> None:
    ticket = archive.tickets[2 if kind == "lost_answer" else 3]
    archive.zendesk.faults.add(kind, method="POST", path="/api/v2/tickets$")

    archive.nextcap.customer_reply(ticket, "Once")
    eventually(lambda: len(archive.all_of(ticket)) > 1 and archive.world.is_idle(), within=60)

    assert [words(one) for one in archive.all_of(ticket)] == [[], ["Once"]]


def test_a_note_alone_waits_for_a_follow_up(archive: Archive) -> None:
    ticket = archive.tickets[4]

    archive.nextcap.agent_note(ticket, "He called to say thanks")
    archive.nextcap.set_fields(ticket, {"priority": "high"})
    eventually(lambda: bool(archive.lines("kept_for_follow_up")) and archive.rests_with(ticket, 1))
    archive.nextcap.customer_reply(ticket, "One more thing")
    eventually(lambda: archive.rests_with(ticket, 2))
    new = archive.all_of(ticket)[1]

    assert ["thanks" in one for one in words(new)] == [True, False]
    assert new["priority"] == "high"
    assert "closed_for_good" not in {code for _, code in archive.world.parked()}
