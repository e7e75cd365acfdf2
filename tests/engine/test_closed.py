"""A record that the CRM has closed for good: an internal note, or a person, as the mapping says."""

from __future__ import annotations

from typing import Any

import pytest

from .harness import World
from .process import everywhere

pytestmark = everywhere

FINAL = "closed_for_good"


def closed(world: World, policy: str) -> tuple[str, str]:
    """A resolved ticket whose record shows a value that the mapping calls final."""
    world.write_mapping(status={"final": ["Closed"], "after_final": policy})
    ticket, record = world.linked()
    world.nextcap.move(ticket, "open")
    world.nextcap.move(ticket, "resolved")
    world.settle()
    world.forget_calls()
    return ticket, record


def notes(world: World, ticket: str) -> list[dict[str, Any]]:
    return [one for one in world.nextcap.timeline(ticket) if "for good" in str(one.get("content"))]


def test_one_internal_note_tells_that_nothing_crosses_any_more(world: World) -> None:
    ticket, record = closed(world, "note")

    world.nextcap.agent_reply(ticket, "It burns again")
    world.settle()
    world.nextcap.move(ticket, "reopened")
    world.nextcap.agent_reply(ticket, "Hello?")
    world.nextcap.set_fields(ticket, {"subject": "Still burning"})
    world.pass_time(5)

    assert [one["type"] for one in notes(world, ticket)] == ["note"]
    assert record in notes(world, ticket)[0]["content"]
    assert not [mail for mail in world.nextcap.state()["emails"] if "for good" in str(mail)]
    assert world.sent("hubspot", "POST /tickets/batch/update") == 0
    assert world.parked() == []
    assert world.codes(ticket).count(FINAL) == 2


def test_a_lost_answer_makes_no_second_note(world: World) -> None:
    ticket, _ = closed(world, "note")
    world.nextcap.faults.add("lost_answer", method="POST", path=r"/tickets/[^/]+/notes$")

    world.nextcap.move(ticket, "reopened")
    world.pass_time(60)

    assert len(notes(world, ticket)) == 1


def test_a_person_is_asked_about_each_reply_and_the_status(world: World) -> None:
    ticket, _ = closed(world, "park")

    world.nextcap.agent_reply(ticket, "It burns again")
    world.nextcap.move(ticket, "reopened")
    world.settle()

    assert sorted(one["code"] for one in world.parked()) == [FINAL, FINAL]
    assert world.sent("hubspot", "POST /objects/notes") == 0
    assert notes(world, ticket) == []


@pytest.mark.parametrize("policy", ["note", "park"])
def test_a_ticket_that_ends_too_asks_for_nothing(world: World, policy: str) -> None:
    ticket, _ = closed(world, policy)

    world.nextcap.move(ticket, "closed")
    world.settle()

    assert world.parked() == []
    assert notes(world, ticket) == []
