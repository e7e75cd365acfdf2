"""Nobody knows whether a write was applied: it is looked for, and in the end it stands once, within a minute.

Each write of each adapter that must not be sent twice, in one world a CRM; every case has tickets of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from connector.engine.points import Point, passed
from tests.engine.losses import LOST

from .crms import CrmWorld
from .desks import DESKS
from .writes import WRITES, Write

SWEEP, IN_DOUBT = 5, 60
DEATHS = {"before": Point.SENDING, "after": Point.APPLIED, "while it was kept": Point.KEEPING}
ALONE = ("applied, silent", "after")
"""Where the probe's own trouble is tried in every run; a soak tries it everywhere."""

TROUBLES = (*LOST, *DEATHS)
CASES = [
    (write, trouble, probe)
    for write in WRITES
    for trouble in TROUBLES
    for probe in ("answers", "fails once")
    if (write.kind or trouble != "while it was kept")
    and (probe == "answers" or trouble in ALONE or os.environ.get("FAULT_SEEDS"))
]
_numbers = count(1)


@pytest.mark.parametrize(("write", "trouble", "probe"), CASES, ids=lambda one: str(one))
def test_it_stands_once(worlds: Callable[..., CrmWorld], write: Write, trouble: str, probe: str) -> None:
    """An answer lost, told or silent; a process that died before, after or while it kept the outcome."""
    world, words = worlds(write.crm), f"Word {next(_numbers)} of many"
    ticket, record = world.linked(subject=f"For {words}")
    for side in world.sides.values():
        side.faults.clear()
    if trouble in LOST:
        lost: dict[str, Any] = {**LOST[trouble]}
        method, path = write.call
        world.sides[write.system].faults.add(method=method, path=path, **lost)
    write.ask(world, ticket, record, words)
    world.deliver()
    if trouble in LOST:
        hinder(world, write, probe)  # Where the vendor did answer, the probe follows at once.
        world.drain()
    else:
        die(world, write, trouble)
        hinder(world, write, probe)

    assert seconds_until_it_stands(world, write, ticket, record, words) <= IN_DOUBT
    assert [one for one in world.parked() if one["link_id"] == world.link(ticket).id] == []
    for side in world.sides.values():
        assert [one for one in side.faults.view() if not one["fired"]] == []


@pytest.mark.parametrize("crm", DESKS)
def test_what_people_change_on_a_record_before_its_maker_knows_of_it(worlds: Callable[..., CrmWorld], crm: str) -> None:
    """The answer to our create was lost. What the record shows otherwise when it is found again is a change."""
    world, words = worlds(crm), f"Word {next(_numbers)} of many"
    method, path = next(one.call for one in WRITES if (one.crm, one.kind) == (crm, "create_crm"))
    world.account.faults.add("lost_answer", method=method, path=path)
    ticket = world.ticket(subject=words)
    world.deliver()
    world.drain()

    world.desk.edit(world.record_id(ticket), "subject", f"{words}, edited")
    rest(world)

    assert world.nextcap.ticket(ticket)["subject"] == f"{words}, edited"
    assert [one.subject for one in world.desk.of(ticket)] == [f"{words}, edited"]


def test_a_create_that_is_sent_again_unseen_takes_nothing_back(worlds: Callable[..., CrmWorld]) -> None:
    """A declared CRM without `find` answers a repeat as it did the first time: what was changed since is read."""
    world, words = worlds("example"), f"Word {next(_numbers)} of many"
    file = world.site.mapping_file
    with_find = file.read_text()
    file.write_text(with_find[: with_find.index("  find:\n")] + with_find[with_find.index("  create:\n") :])
    take_over(world)
    world.account.configure(replays=True)
    world.account.faults.add("lost_answer", method="POST", path="/api/tickets$")
    ticket = world.ticket(subject=words, priority="low")
    world.deliver()
    world.drain()

    world.desk.edit(world.record_id(ticket), "subject", f"{words}, edited")
    world.mail("example")
    world.nextcap.set_fields(ticket, {"priority": "urgent"})
    rest(world)
    world.account.configure(replays=False)
    file.write_text(with_find)
    take_over(world)

    assert world.nextcap.ticket(ticket)["subject"] == f"{words}, edited"
    assert world.nextcap.ticket(ticket)["priority"] == "urgent"
    assert [(one.subject, one.priority) for one in world.desk.of(ticket)] == [(f"{words}, edited", "urgent")]


def test_what_people_change_on_a_ticket_before_its_maker_knows_of_it(worlds: Callable[..., CrmWorld]) -> None:
    """The same in Next Cap, while the record that it was made from is changed too."""
    world, words = worlds("hubspot"), f"Word {next(_numbers)} of many"
    world.nextcap.faults.add("lost_answer", method="POST", path="/crm/tickets$")
    record = world.account.create_ticket(words, contact="jo@home.example")
    world.desk.edit(record, "priority", "LOW")
    world.deliver()
    world.drain()

    (ticket,) = [one["id"] for one in world.nextcap.state()["tickets"] if one["subject"] == words]
    world.nextcap.set_fields(ticket, {"subject": f"{words}, edited"})
    world.desk.edit(record, "priority", "HIGH")
    rest(world)

    assert world.record_id(ticket) == record
    assert world.desk.record(record).subject == world.nextcap.ticket(ticket)["subject"] == f"{words}, edited"
    assert world.desk.record(record).priority == "HIGH"
    assert world.nextcap.ticket(ticket)["priority"] == "high"


def take_over(world: CrmWorld) -> None:
    """Activate the mapping file, and go on in a process that knows no other."""
    world.process.runtime.import_mappings()
    world.restart()


def rest(world: CrmWorld) -> None:
    """Let the sweep ring until nothing is left to do."""
    for _ in range(40):
        world.settle()
        if world.is_at_rest():
            break
        world.until_something_is_due(SWEEP)
    assert world.is_at_rest()


def hinder(world: CrmWorld, write: Write, probe: str) -> None:
    """Have the next look for this write fail, if the case is about that."""
    if probe == "fails once":
        method, path = write.probe
        world.sides[write.system].faults.add("status", method=method, path=path, status=500)


def die(world: CrmWorld, write: Write, moment: str) -> None:
    """End the present process when this write passes that moment; another one takes its place."""
    process = world.process
    if write.kind is None:
        call = f"{write.call[0]} {write.call[1].rstrip('$')}"
        tap = process.taps[write.system]
        (tap.before if moment == "before" else tap.after)(call, process.life.end)

    def end(where: Point, *, kind: str) -> None:
        if (where, kind) == (DEATHS[moment], write.kind):
            process.life.end()

    with passed.connected_to(end):
        process.die(world.drain)
    world.restart()


def seconds_until_it_stands(world: CrmWorld, write: Write, ticket: str, record: str, words: str) -> int:
    """Let the sweep ring until nothing is due; how long it took until the write stood. It may stand once only."""
    stood, passed_by = None, 0
    while passed_by < 180:
        world.settle()
        if stood is None and write.stands(world, ticket, record, words):
            stood = passed_by
        if stood is not None and world.is_at_rest():
            break
        passed_by += world.until_something_is_due(SWEEP)
    assert write.stands(world, ticket, record, words) == 1
    assert stood is not None
    assert world.is_at_rest()
    return stood
