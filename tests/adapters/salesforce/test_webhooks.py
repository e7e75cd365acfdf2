"""Outbound Messages and a trigger's callouts: what is believed, what is answered, what is heard."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.adapters.base import Delivery, EventKind
from connector.adapters.testing.salesforce import SalesforceArena
from connector.domain.errors import BadDelivery
from connector.sandbox.kernel_deliveries import Delivery as Sent
from connector.sandbox.salesforce_outbound import is_acknowledged


def refused(arena: SalesforceArena, delivery: Delivery) -> str:
    with pytest.raises(BadDelivery) as caught:
        arena.salesforce.verify(delivery, now=arena.now())
    return caught.value.code


def test_a_message_names_cases_and_comments_and_is_acknowledged(arena: SalesforceArena) -> None:
    case = arena.new_ticket()
    comment = arena.sandbox.comment(case, "words")
    for delivery, kind, subject in (
        (arena.message(case), EventKind.TICKET, case),
        (arena.message(comment), EventKind.COMMENT, comment),
    ):
        arena.salesforce.verify(delivery, now=arena.now())
        event = arena.salesforce.parse(delivery)[0]
        assert (event.kind, event.subject, event.ticket_id) == (kind, subject, case)
        answer = arena.salesforce.answer(delivery)
        sent = Sent("1", "", b"", (), arena.now(), {"kind": "soap"})
        assert is_acknowledged(sent, answer.status, answer.body)


def test_a_batch_is_heard_whole_and_a_repeat_has_the_same_keys(arena: SalesforceArena) -> None:
    cases = [arena.new_ticket() for _ in range(100)]
    arena.sandbox.configure(outbound_ids="short")
    delivery = arena.message(*cases)

    first, again = arena.salesforce.parse(delivery), arena.salesforce.parse(delivery)

    assert [one.subject for one in first] == cases
    assert [one.key for one in first] == [one.key for one in again]
    assert len({one.key for one in first}) == 100


def test_a_message_needs_the_secret_address_and_our_org(arena: SalesforceArena) -> None:
    case = arena.new_ticket()
    arena.salesforce.verify(arena.message(case), now=arena.now())

    assert refused(arena, arena.message(case, token="guessed")) == "wrong_path"
    other = arena.message(case)
    body = other.body.replace(arena.sandbox.org.org_id.encode(), b"00DHs0000000BcnMAE")
    assert refused(arena, replace(other, body=body)) == "wrong_path"
    short = other.body.replace(arena.sandbox.org.org_id.encode(), arena.sandbox.org.org_id[:15].encode())
    arena.salesforce.verify(replace(other, body=short), now=arena.now())
    arena.store.token = None
    assert refused(arena, other) == "org_unknown"


@pytest.mark.parametrize(
    "body",
    [
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
        b"<x/>",
        b"<soapenv:Envelope xmlns:soapenv='http://schemas.xmlsoap.org/soap/envelope/'><soapenv:Body/></soapenv:Envelope>",
        b"not xml",
        b'<?xml version="1.0" encoding="no-such"?><x/>',
        b"",
        b"<a>" * 200_000,
    ],
)
def test_xml_that_is_no_message_is_refused(arena: SalesforceArena, body: bytes) -> None:
    delivery = replace(arena.message(arena.new_ticket()), body=body)

    assert refused(arena, delivery) == "unreadable"
    with pytest.raises(BadDelivery):
        arena.salesforce.parse(delivery)


def test_a_delivery_that_is_too_large_is_refused(arena: SalesforceArena) -> None:
    delivery = arena.message(arena.new_ticket())

    assert refused(arena, replace(delivery, body=delivery.body + b" " * 1024 * 1024)) == "too_large"


def test_a_callout_is_believed_by_its_signature_and_time(arena: SalesforceArena) -> None:
    case = arena.new_ticket()
    delivery = arena.delivery(case)
    arena.salesforce.verify(delivery, now=arena.now())

    assert arena.salesforce.answer(delivery).status == 202
    assert refused(arena, arena.signed({"ids": [case]}, secret="wrong")) == "bad_signature"
    arena.imitation.clock.advance(400)
    assert refused(arena, delivery) == "stale"


def test_without_a_secret_nothing_is_believed(arena: SalesforceArena) -> None:
    arena.salesforce = arena.new_adapter(webhook_secrets=[])

    assert refused(arena, arena.delivery(arena.new_ticket())) == "no_secret"


def test_a_signature_does_not_open_the_door_for_xml(arena: SalesforceArena) -> None:
    """What is signed is read as JSON, whatever it calls itself."""
    message = arena.message(arena.new_ticket())
    signed = arena.signed(message.body)
    delivery = replace(signed, headers={**signed.headers, "content-type": "text/xml"})

    with pytest.raises(BadDelivery):
        arena.salesforce.parse(delivery)


@pytest.mark.parametrize("name", ["id", "Id", "caseId", "recordId", "ids"])
def test_a_callout_may_name_its_case_in_several_ways(arena: SalesforceArena, name: str) -> None:
    case = arena.new_ticket()

    events = arena.salesforce.parse(arena.signed({name: case[:15]}))

    assert [(one.kind, one.subject) for one in events] == [(EventKind.TICKET, case)]


def test_set_up_prints_the_secret_address(arena: SalesforceArena) -> None:
    steps = arena.salesforce.subscribe("https://connector.example.test/webhooks/salesforce", dry_run=False)

    told = "\n".join(one.advice for one in steps)
    assert "https://connector.example.test/webhooks/salesforce/a-secret-last-part" in told


@pytest.mark.parametrize("body", [b"\xff\xfe", b"<x/>", b'{"ids": ['])
def test_what_is_signed_and_cannot_be_read_is_believed_so_that_it_is_kept(arena: SalesforceArena, body: bytes) -> None:
    delivery = arena.signed(body)

    arena.salesforce.verify(delivery, now=arena.now())

    with pytest.raises(BadDelivery) as caught:
        arena.salesforce.parse(delivery)
    assert caught.value.code == "unreadable"
