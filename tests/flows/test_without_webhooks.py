"""The whole in one process, with every webhook lost: looking alone keeps both sides the same."""

from __future__ import annotations

from pathlib import Path

from .world import World, eventually


def test_both_sides_converge_without_a_single_webhook(tmp_path: Path) -> None:
    world = World(tmp_path, sweep=10.0)
    world.start()
    try:
        for side in (world.nextcap, world.hubspot):
            side.deliveries.pause()
        ticket = world.nextcap.create_ticket(subject="Nobody told", customer_email="jo@home.example")
        eventually(lambda: world.record(ticket["id"])["properties"]["subject"] == "Nobody told", within=60)
        record = world.record(ticket["id"])["id"]

        world.hubspot.set_properties(record, {"subject": "Nobody told either"})
        world.hubspot.write_note(record, "<p>Seen</p>")

        eventually(lambda: world.nextcap.ticket(ticket["id"])["subject"] == "Nobody told either", within=60)
        eventually(
            lambda: any("Seen" in str(one["content"]) for one in world.nextcap.timeline(ticket["id"])), within=60
        )
    finally:
        world.stop()
