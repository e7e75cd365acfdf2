"""Capsule as some set it up: opportunities stand for tickets, and a personal token, which has no hooks, must do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .capsule_world import MAPPING, CapsuleWorld
from .world import eventually

STATUS = """  field: milestone
  to_crm:
    new: New
    open: Working
    in_progress: Working
    waiting_internal: Working
    reopened: Working
    waiting_customer: Working
    resolved: Won
    closed: Lost
  to_nextcap:
    New: new
    Working: {to: open, when: {resolved: reopened, closed: reopened}}
    Won: resolved
    Lost: closed
"""


def of_opportunities(folder: Path) -> Path:
    """The shipped mapping with another target, and so with a pipeline and milestones; its examples are of stages."""
    text = MAPPING.read_text()
    text = text[: text.index("\nexamples:")]
    start, end = text.index("  field: stage"), text.index("  ignore: []")
    text = text[:start] + STATUS + text[end:]
    text = text.replace("target: projects ", "target: opportunities ").replace(
        "pipeline: Support ", "pipeline: Support deals "
    )
    path = folder / "capsule.yaml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CapsuleWorld]:
    folder = tmp_path_factory.mktemp("world")
    made = CapsuleWorld(folder, target="opportunities", mapping=of_opportunities(folder), personal=True)
    made.start()
    yield made
    made.stop()


def test_a_ticket_is_an_opportunity_and_moves_with_it_without_a_hook(world: CapsuleWorld) -> None:
    ticket = world.nextcap.create_ticket(
        subject="A bigger printer", description="Ours burnt.", customer_email="cus@home.example", priority="high"
    )["id"]
    eventually(lambda: bool(world.capsule.records_of(ticket, world.kind)), what="the opportunity")
    record = world.record(ticket)
    assert (record["name"], record["board"], record["stage"]) == ("A bigger printer", "Support deals", "New")
    assert record["fields"]["Next Cap priority"] == "High"

    world.nextcap.move(ticket, "open")
    eventually(lambda: world.record(ticket)["stage"] == "Working")
    world.capsule.move(record["id"], "Won", kind=world.kind)
    world.capsule.write_note(record["id"], "#reply It is on its way.", kind=world.kind)

    eventually(lambda: world.nextcap.ticket(ticket)["status"] == "resolved", within=40)
    eventually(lambda: "It is on its way." in str(world.nextcap.timeline(ticket)), within=40)
    assert world.capsule.state()["hooks"] == []
    assert not world.nextcap.state()["illegal_moves"]
