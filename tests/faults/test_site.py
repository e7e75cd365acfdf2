"""What is taken away from production's processes and given back, and how they are replaced by newer ones."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from threading import Event, Thread
from typing import Any

from connector.sandbox.kernel import Refusal
from tests.flows.world import eventually

from .chaos import calm, wait_for_quiet
from .people import People
from .postmortem import story
from .site import Site

BACK_WITHIN = 30
LONGEST_END = 25
OVERLAP = float(os.environ.get("FAULT_OVERLAP", "5"))


def answers(site: Site, since: int) -> list[int | None]:
    """How the webhooks that Next Cap sent from then on were answered, try by try."""
    sent: list[Any] = site.nextcap.deliveries.all()[since:]
    return [attempt.status for one in sent for attempt in one.attempts]


def linked(site: Site, subject: str) -> str:
    """A ticket that has its record."""
    ticket = str(site.nextcap.create_ticket(subject=subject, customer_email="jo@home.example")["id"])
    eventually(lambda: shows(site, ticket, subject), within=60)
    return ticket


def shows(site: Site, ticket: str, subject: str) -> bool:
    """Whether the ticket's one record has this subject."""
    return [one.subject for one in site.desk.of(ticket)] == [subject]


def test_without_its_broker_it_takes_everything_in_and_goes_on_when_it_is_back(site: Site) -> None:
    """Webhooks are stored and answered; the broker comes back empty, and work goes on within half a minute."""
    ticket = linked(site, "Broker")
    since = len(site.nextcap.deliveries.all())
    site.broker.kill()

    for number in range(5):
        site.nextcap.set_fields(ticket, {"subject": f"Number {number}"})
    eventually(lambda: len(answers(site, since)) >= 5, within=30)
    taken = set(answers(site, since))
    site.broker.start()

    eventually(lambda: shows(site, ticket, "Number 4"), within=BACK_WITHIN)
    assert taken == {202}


def test_without_its_database_it_acknowledges_nothing_and_goes_on_when_it_is_back(site: Site) -> None:
    """Senders are told 503 and come again; nothing is taken for received that was not kept."""
    ticket = linked(site, "Database")
    since = len(site.nextcap.deliveries.all())
    site.close_database(True)
    try:
        site.nextcap.set_fields(ticket, {"subject": "After"})
        eventually(lambda: len(answers(site, since)) >= 1, within=30)
        told = set(answers(site, since))
    finally:
        site.close_database(False)
    site.nextcap.deliveries.redeliver()

    eventually(lambda: shows(site, ticket, "After"), within=BACK_WITHIN)
    assert told == {503}


def test_all_processes_are_replaced_while_people_act(site: Site) -> None:
    """New ones start beside the old ones, which are asked to end: each ends in time, nothing is lost or doubled."""
    people = People(site, 23)
    # So many that nobody undoes what was done to a ticket a moment ago: that would rightly be taken for a loop.
    people.open_tickets(60, 0)
    over = Event()

    def act() -> None:
        while not over.is_set():
            with suppress(Refusal):
                people.act()
            time.sleep(0.1)

    acting = Thread(target=act)
    acting.start()
    took = site.replace_all(OVERLAP)
    over.set()
    acting.join()
    calm(site)

    verdict, _ = wait_for_quiet(people, within=90)
    assert verdict.is_good, f"{verdict}\n{story(site.database, str(verdict))}"
    assert max(took.values()) < LONGEST_END, took
