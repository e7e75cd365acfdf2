"""Next Cap keeps the adapter contract, against its imitation over real HTTP."""

from __future__ import annotations

from connector.adapters.testing import AdapterContract, Arena


class TestNextCapContract(AdapterContract):
    """The promises of every adapter."""

    def test_who_said_it_is_told(self, arena: Arena) -> None:
        """Here the engine tells it: in the first line of a note's text, and to customers not at all."""
        ticket = arena.new_ticket()

        written = arena.add(arena.note(ticket, "key-1", "Ben Builder in the CRM:\nCalled her"))["key-1"]

        assert next(one.text for one in arena.timeline(ticket) if one.id == written.id).startswith("Ben Builder")
