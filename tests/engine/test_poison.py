"""What kills its holder, or cannot be read: it is left to a person with the reason, and everybody else goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from connector.adapters.base import Adapter
from connector.domain.ticket import Record
from connector.engine.context import NEXTCAP
from connector.engine.operators import retry
from connector.wiring import with_engine

from .harness import World
from .process import HUBSPOT, everywhere

pytestmark = everywhere

READ = "POST /tickets/batch/read"


def test_a_ticket_whose_holders_die_again_and_again_is_left_to_a_person(world: World) -> None:
    """It is worked alone from the second death on, and parked after the tenth, with what was seen of it."""
    deadly, record = world.linked(subject="Before")
    other, other_record = world.linked(subject="Before")
    world.nextcap.set_fields(deadly, {"subject": "Deadly"})
    world.deliver()
    for _ in range(10):
        process = world.new_process()
        process.taps[HUBSPOT].before(READ, process.life.end)
        process.die(lambda process=process: (process.drain(), process.work_alone()))
        world.advance(21)

    world.nextcap.set_fields(other, {"subject": "After"})
    world.settle()

    (item,) = world.parked()
    assert (item["code"], item["link_id"]) == ("kills", world.link(deadly).id)
    assert "10 processes" in item["reason"]
    assert world.due_in(deadly) is None
    assert world.record(other_record)["subject"] == "After"
    retry(world.engine, [int(item["id"])], by="ana")
    world.settle()
    assert world.record(record)["subject"] == "Deadly"


def test_an_error_of_ours_in_one_ticket_holds_up_the_others_for_two_leases_at_most(world: World) -> None:
    """A defect that shows with one ticket only ends its pass; from the second time on the others are worked without."""
    deadly, deadly_record = world.linked(subject="Before")
    other, record = world.linked(subject="Before")
    with_engine(world.process.runtime, nextcap=_Cracked(world.engine.nextcap, deadly))
    for one in (deadly_record, record):
        world.hubspot.set_properties(one, {"subject": "After"})
    world.deliver()

    for _ in range(10):
        for work in (world.drain, world.process.work_alone):
            with suppress(ZeroDivisionError):
                work()
        world.advance(5)

    assert world.nextcap.ticket(other)["subject"] == "After"
    assert world.nextcap.ticket(deadly)["subject"] == "Before"


class _Cracked:
    """An adapter with a defect that one ticket brings to light."""

    def __init__(self, adapter: Adapter, deadly: str) -> None:
        self._adapter = adapter
        self._deadly = deadly

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Record]:
        if self._deadly in ids:
            raise ZeroDivisionError
        return self._adapter.read(ids, fields)


def test_a_delivery_that_cannot_be_read_is_kept_for_a_person_and_holds_up_nobody(world: World) -> None:
    """Signed, and not what the vendor promises: answered as received."""
    ticket, record = world.linked(subject="Before")
    poison = world.forge("ticket.updated", ticket=["not", {"a": "ticket"}])
    world.nextcap.set_fields(ticket, {"subject": "After"})

    world.post(poison)
    world.settle()

    assert world.record(record)["subject"] == "After"
    assert world.connection(NEXTCAP).cause is None
