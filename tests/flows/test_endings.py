"""Records that are deleted, restored or merged, and what becomes of their tickets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .test_story import opened
from .world import MAPPING, World, eventually


@pytest.fixture(scope="module")
def closing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world whose mapping closes the ticket of a deleted record."""
    folder: Path = tmp_path_factory.mktemp("closing")
    mapping = folder / "hubspot.yaml"
    mapping.write_text(MAPPING.read_text().replace("on_delete: keep", "on_delete: close"))
    world = World(folder, mapping=mapping)
    world.start()
    yield world
    world.stop()


def test_a_deleted_record_closes_its_ticket_where_the_mapping_says_so(closing: World) -> None:
    ticket, record = opened(closing)

    closing.hubspot.archive_ticket(record["id"])

    eventually(lambda: closing.nextcap.ticket(ticket)["status"] == "closed")


def test_a_deleted_record_is_never_made_again_and_a_restored_one_goes_on(world: World) -> None:
    ticket, record = opened(world)

    world.hubspot.archive_ticket(record["id"])
    eventually(world.is_idle)
    world.nextcap.set_fields(ticket, {"subject": "Meanwhile"})
    eventually(world.is_idle)
    assert world.hubspot.tickets_of(ticket) == []
    world.hubspot.restore_ticket(record["id"])

    eventually(lambda: world.record(ticket)["properties"]["subject"] == "Meanwhile")


def test_the_link_follows_a_merge(world: World) -> None:
    ticket, record = opened(world)
    other = world.hubspot.create_ticket("The same again")
    eventually(lambda: bool(world.hubspot.ticket(other)["properties"].get("nextcap_ticket_id")))
    twin = world.hubspot.ticket(other)["properties"]["nextcap_ticket_id"]

    world.hubspot.merge_tickets(record["id"], other)
    eventually(world.is_idle)
    world.nextcap.set_fields(ticket, {"subject": "Merged"})

    eventually(lambda: world.hubspot.ticket(record["id"])["properties"]["subject"] == "Merged")
    assert world.nextcap.ticket(twin)["subject"] == "The same again"
