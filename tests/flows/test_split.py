"""Tickets split over connections by filters: sales in one CRM, service in another, or both in one account."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connector.domain.text import fingerprint
from connector.store import tables

from .two_crms import EXAMPLE, HUBSPOT, TwoCrms
from .world import Sections, World, eventually


def carrying(mapping: Path, tag: str, folder: Path) -> Path:
    """A shipped mapping that carries only tickets with this tag; its examples know nothing of tags."""
    text, _, _ = mapping.read_text().partition("\nexamples:")
    block = f"carry:\n  when:\n    - {{field: tags, in: [{tag}]}}\n"
    changed, times = re.subn(r"^carry:\n", block, text, count=1, flags=re.MULTILINE)
    assert times == 1
    path = folder / f"{tag}.yaml"
    path.write_text(changed)
    return path


def links(world: World, ticket: str) -> dict[str, str]:
    """The records of a ticket by connection."""
    query = (
        sa.select(tables.links.c.connection, tables.links.c.record_id)
        .join(tables.tickets, tables.tickets.c.id == tables.links.c.ticket_id)
        .where(tables.tickets.c.nextcap_id == ticket, tables.links.c.record_id.is_not(None))
    )
    with world.runtime.db.read() as connection:
        return {row.connection: row.record_id for row in connection.execute(query)}


def ticket(world: World, subject: str, *tags: str) -> str:
    made = world.nextcap.create_ticket(subject=subject, customer_email="jo@home.example", tags=list(tags))
    return str(made["id"])


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoCrms]:
    """Sales in HubSpot, service in the example CRM."""
    folder = tmp_path_factory.mktemp("split")
    sales, service = carrying(HUBSPOT, "sales", folder), carrying(EXAMPLE, "service", folder)
    made = TwoCrms(folder, mapping=sales, example_mapping=service)
    made.start()
    yield made
    made.stop()


def test_each_ticket_goes_where_its_filter_says(split: TwoCrms) -> None:
    sales, service, both, neither = (
        ticket(split, subject, *tags)
        for subject, tags in (("A", ["sales"]), ("B", ["service"]), ("C", ["sales", "service"]), ("D", ["other"]))
    )

    eventually(lambda: bool(split.hubspot.tickets_of(sales) and split.example.tickets_of(service)))
    eventually(lambda: bool(split.hubspot.tickets_of(both) and split.example.tickets_of(both)))
    eventually(split.is_idle)

    found = [
        (len(split.hubspot.tickets_of(one)), len(split.example.tickets_of(one)))
        for one in (sales, service, both, neither)
    ]
    assert found == [(1, 0), (0, 1), (1, 1), (0, 0)]


def test_a_ticket_that_is_given_to_the_other_team_too_takes_its_story_along(split: TwoCrms) -> None:
    """And from then on a change of either reaches the other, once."""
    one = ticket(split, "Asks for an offer", "sales")
    eventually(lambda: bool(split.hubspot.tickets_of(one)))
    split.nextcap.agent_note(one, "Wants ten of them")
    eventually(lambda: any("ten of them" in str(note["body"]) for note in split.record(one)["notes"]))

    split.nextcap.set_fields(one, {"tags": ["sales", "service"]})
    eventually(lambda: bool(split.example.tickets_of(one)))
    eventually(lambda: any("ten of them" in text for text in split.notes(one)))
    split.example.write_note(str(split.case(one)["id"]), "Delivered today")
    split.example.edit(str(split.case(one)["id"]), {"subject": "Delivered"})

    eventually(lambda: split.record(one)["properties"]["subject"] == "Delivered")
    eventually(lambda: any("Delivered today" in text for text in split.hubspot_notes(one)))
    eventually(split.is_idle)
    assert split.nextcap.ticket(one)["subject"] == "Delivered"
    assert [fingerprint("Delivered today") in fingerprint(text) for text in split.hubspot_notes(one)].count(True) == 1
    assert len(split.notes(one)) == len(split.hubspot_notes(one)) == 2


class OneAccount(World):
    """Two connections that share one HubSpot account and its token; webhooks come to the first of them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, mapping=carrying(HUBSPOT, "sales", folder), sweep=10.0)
        self.service = carrying(HUBSPOT, "service", folder)

    def sections(self) -> Sections:
        told = super().sections()
        return {**told, "connections.service": {**told["connections.hubspot"], "mapping": str(self.service)}}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneAccount]:
    made = OneAccount(tmp_path_factory.mktemp("account"))
    made.start()
    yield made
    made.stop()


def test_two_connections_of_one_account_keep_to_their_tickets(account: OneAccount) -> None:
    sales, service = ticket(account, "A", "sales"), ticket(account, "B", "service")
    eventually(lambda: bool(account.hubspot.tickets_of(sales) and account.hubspot.tickets_of(service)))

    records: dict[str, Any] = {one: account.record(one) for one in (sales, service)}
    account.hubspot.write_note(records[sales]["id"], "<p>Called about the offer</p>")
    account.nextcap.set_fields(service, {"subject": "Renamed"})

    eventually(lambda: account.record(service)["properties"]["subject"] == "Renamed")
    eventually(lambda: any("the offer" in str(one) for one in account.nextcap.timeline(sales)))
    eventually(account.is_idle)
    assert links(account, sales) == {"hubspot": records[sales]["id"]}
    assert links(account, service) == {"service": records[service]["id"]}
    assert len(account.nextcap.state()["tickets"]) == len(account.hubspot.state()["tickets"]) == 2
    assert sum("the offer" in str(one) for one in account.nextcap.timeline(sales)) == 1


def test_a_ticket_that_both_carry_stays_with_the_first(account: OneAccount) -> None:
    """Its record would have two masters, and each would take the other's notes for a person's, without end."""
    one = ticket(account, "C", "sales", "service")
    eventually(lambda: "record_shared" in parked(account))

    account.hubspot.write_note(account.record(one)["id"], "<p>Called about both</p>")
    account.nextcap.agent_note(one, "Knows them both")

    eventually(lambda: any("Knows them both" in str(note["body"]) for note in account.record(one)["notes"]))
    eventually(lambda: any("about both" in str(entry) for entry in account.nextcap.timeline(one)))
    assert len(links(account, one)) == 1
    assert len(account.record(one)["notes"]) == 2
    assert [entry["type"] for entry in account.nextcap.timeline(one)].count("note") == 2


def parked(world: World) -> set[str]:
    """The codes of what waits for a person."""
    with world.runtime.db.read() as connection:
        return {row.code for row in connection.execute(sa.select(tables.parked.c.code))}
