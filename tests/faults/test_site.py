"""Production's processes: what they let out and in, what is taken away and given back, and how newer ones follow."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from threading import Event, Thread
from typing import Any

import pytest
import sqlalchemy as sa

from connector.config import secrets_of
from connector.sandbox.kernel import Refusal
from connector.store import tables
from tests.flows.world import eventually
from tests.security.test_sockets import END, SPLIT, chunked, length, said

from .chaos import calm, wait_for_quiet
from .people import People
from .postmortem import story
from .site import METRICS_TOKEN, Site
from .spy import Spy

BACK_WITHIN = 30
LONGEST_END = 25
OVERLAP = 30.0 if os.environ.get("FAULT_SEEDS") else 3.0


MARKED = [f"zq{word}" for word in ("subject", "body", "name", "mail", "host", "tag", "reply", "note", "remark")]
MARKED += [f"zq{word}" for word in ("answer", "edit", "quoted", "opened", "caller")]
HEAD = b"POST /webhooks/nextcap HTTP/1.1\r\nHost: x"
BODY = b'{"event": "ticket.created"}'
REFUSALS = (b"400", b"401", b"404", b"405", b"411", b"413", b"414", b"431", b"501")
BROKEN = (
    b"\x00\xff\x16\x03\x01",
    b"GET",
    b"POST /webhooks/nextcap\r\n\r\n",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x" + END,
    HEAD + length(len(BODY)) + END + BODY,
    HEAD + length(len(BODY)) + END + BODY[:-5],
    HEAD + SPLIT + END + b"zz\r\n" + BODY,
    HEAD + SPLIT + END + b"5\r\nabcde",
    HEAD + SPLIT + length(len(BODY)) + END + BODY,
    HEAD + length(3) + length(len(BODY)) + END + BODY,
    HEAD + length(-1) + END + BODY,
    HEAD + b"\r\nContent-Length: 1e3" + END + BODY,
    HEAD + b"\r\nX-Long: " + b"a" * 100_000 + END,
    HEAD + b"\r\nX-Many: a" * 200 + END,
    HEAD + b"\r\n folded: x" + END,
    HEAD + length(2_000_000) + END + b" " * 2_000_000,
    HEAD + SPLIT + END + chunked(b" " * 2_000_000, 65_536),
)


@pytest.fixture
def spy(site: Site) -> Iterator[Spy]:
    with Spy(site) as looking:
        yield looking


def count_of(site: Site, table: sa.Table) -> int:
    """Rows of a table."""
    with site.runtime.db.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


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


def figures_of(spy: Spy) -> str:
    """What the metrics tell."""
    return spy.asked("/metrics", {"Authorization": f"Bearer {METRICS_TOKEN}"})


def test_nobodys_words_and_no_key_leave_the_store(site: Site, spy: Spy) -> None:
    """Marked words in every place where people write, refusals that quote them, and every key that is configured."""
    told = {"subject": "zqsubject", "description": "zqbody", "customer_name": "Zqname"}
    ticket = site.nextcap.create_ticket(**told, customer_email="zqmail@zqhost.example", tags=["zqtag"])["id"]
    site.desk.open("zqopened", "zqcaller@zqhost.example")
    eventually(lambda: len(site.desk.of(ticket)) == 1, within=60)
    eventually(lambda: all(one.ours for one in site.desk.records()), what="both to carry their ticket's id")
    (record,) = site.desk.of(ticket)
    quoted = {"status": "error", "category": "VALIDATION_ERROR", "message": "zqedit is not a subject: zqquoted"}
    site.desk.account.faults.add("status", path="tickets/batch/update", status=400, body=quoted)

    site.nextcap.customer_reply(ticket, "zqreply")
    site.nextcap.agent_note(ticket, "zqnote")
    site.desk.say(record.id, "zqremark", public=False)
    site.desk.say(record.id, "zqanswer", public=True)
    site.nextcap.set_fields(ticket, {"subject": "zqedit"})
    crossed = ("zqreply", "zqnote", "zqremark", "zqanswer")
    eventually(lambda: all(any(one in entry for entry in site.desk.of(ticket)[0].entries) for one in crossed[:2]))
    eventually(lambda: all(one in str(site.nextcap.timeline(ticket)) for one in crossed[2:]))
    eventually(lambda: "zqopened" in [one["subject"] for one in site.nextcap.state()["tickets"]])
    eventually(lambda: [fault["fired"] for fault in site.desk.account.faults.view()] == [1], what="a quoting refusal")
    site.nextcap.set_fields(ticket, {"subject": "zqafter"})  # Others use this site: nothing may wait for a person.
    eventually(lambda: shows(site, ticket, "zqafter"))
    eventually(site.is_idle)
    eventually(lambda: "connector_vendor_calls" in figures_of(spy), within=60, what="figures, kept when a task ends")
    figures = figures_of(spy)
    places = {**spy.logs(), "the queue": spy.queue(), "figures": figures.lower()}

    keys = [key.lower() for key in (*secrets_of(site.runtime.settings), *spy.tokens())]
    assert "drain" in places["the queue"]
    assert len(keys) >= 7
    assert [(place, word) for place, text in places.items() for word in (*MARKED, *keys) if word in text] == []
    assert spy.asked("/metrics") == "401"


def test_broken_requests_are_refused_by_gunicorn(site: Site) -> None:
    """What no vendor sends is told so or cut off; a line on which nothing comes holds up nobody; nothing is kept."""
    kept = count_of(site, tables.deliveries)
    slow = [socket.create_connection(("127.0.0.1", site.port), timeout=10) for _ in range(4)]
    for line in slow:
        line.sendall(HEAD + b"\r\nX-Slow: ")

    answers_given = {sent[:200]: said(site.port, sent) for sent in BROKEN}
    for line in slow:
        line.close()

    assert {sent: one for sent, one in answers_given.items() if one and one.split()[1] not in REFUSALS} == {}
    assert count_of(site, tables.deliveries) == kept


def test_a_chunked_body_is_read_whole_by_gunicorn(site: Site) -> None:
    """Its signature fits what was put together."""
    site.nextcap.create_ticket(subject="Chunked", customer_email="jo@home.example")
    body, headers = site.nextcap.deliveries.attempt_of(site.nextcap.deliveries.all()[-1])
    told = "".join(f"\r\n{name}: {value}" for name, value in headers.items()).encode()
    head = b"POST /webhooks/nextcap HTTP/1.1\r\nHost: x" + told + SPLIT + END

    assert said(site.port, head + chunked(body, 7)).split()[1] == b"202"
    assert said(site.port, head + chunked(body[:-1] + b" ", 7)).split()[1] == b"401"


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
