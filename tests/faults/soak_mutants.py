"""What keeps everything once is broken on purpose, and the same run turns red: a probe, a constraint, the fence."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.flows.world import eventually

from .armed import blind
from .chaos import calm, wait_for_quiet
from .conftest import Sites
from .crms import CrmWorld
from .people import People
from .site import Site
from .verdict import Verdict
from .writes import WRITES, Write


def provoke(site: Site) -> Verdict:
    """One process dies when a reply was applied, one sleeps just before it sends a note."""
    people = People(site, 1)
    people.open_tickets(2, 0)
    eventually(lambda: all(site.desk.of(ticket) for ticket in people.tickets), within=30)
    dying, sleeping = (site.desk.of(ticket)[0].id for ticket in people.tickets)
    site.traps.set("applied.reply_nextcap")
    _write(site, people, dying, people.tickets[0], "Said by one who died", public=True)
    eventually(lambda: not site.traps.waiting(), within=30, what="the death")
    site.traps.set("sending.note_nextcap", order="SIGSTOP")
    _write(site, people, sleeping, people.tickets[1], "Said by one who slept")
    eventually(lambda: not site.traps.waiting(), within=30, what="the sleep")
    time.sleep(12)  # Its lease runs out; another one looks twice and sends.
    os.kill(site.traps.sprung()["sending.note_nextcap"][0], signal.SIGCONT)
    time.sleep(3)
    calm(site)
    return wait_for_quiet(people, within=15)[0]


def _write(site: Site, people: People, record: str, ticket: str, words: str, *, public: bool = False) -> None:
    site.desk.say(record, words, public=public)
    people.written[words] = (ticket, "hubspot")


def test_as_it_is_it_passes(new_site: Sites) -> None:
    """The same deaths, with nothing broken."""
    assert str(provoke(new_site())) == str(Verdict())


@pytest.mark.parametrize(("broken", "word"), [("probe", "Said by one who died"), ("fence", "Said by one who slept")])
def test_without_it_something_is_doubled(new_site: Sites, broken: str, word: str) -> None:
    """Nobody looks whether it is there; nobody asks whose the ticket is."""
    verdict = provoke(new_site(broken=broken))

    assert [one for one in verdict.doubled if word in one]


def test_without_the_constraint_the_run_is_red(new_site: Sites) -> None:
    """The name of a write is unique in the database, not in Python: without that, nothing is sent at all."""
    site = new_site()
    site.run_sql("ALTER TABLE effects DROP CONSTRAINT uq_effects_link_id_key")
    people = People(site, 1)
    people.open_tickets(1, 0)

    verdict, _ = wait_for_quiet(people, within=10)

    assert verdict.lost


@pytest.mark.parametrize(
    "write", [one for one in WRITES if one.kind and (one.kind != "create_crm" or one.crm == "capsule")], ids=str
)
def test_who_does_not_look_writes_twice(worlds: Callable[..., CrmWorld], write: Write) -> None:
    """Every write that cannot be repeated stands twice where nobody looks for it; so the looking is what is tested."""
    world, words = worlds(write.crm), f"Word of {write}"
    ticket, record = world.linked(subject=f"For {words}")
    for side in world.sides.values():
        side.faults.clear()
    world.restart()
    blind(world.process.runtime)
    method, path = write.call
    world.sides[write.system].faults.add("lost_answer", method=method, path=path)

    write.ask(world, ticket, record, words)
    for _ in range(20):
        world.settle()
        world.until_something_is_due(5)
    world.restart()

    assert write.stands(world, ticket, record, words) == 2
