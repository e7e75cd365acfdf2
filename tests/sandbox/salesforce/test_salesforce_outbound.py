"""What an org sends: Outbound Messages until they are acknowledged, and an Apex trigger's signed callouts."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.sandbox.kernel import Answer, Delivery, Environ, HttpServer
from connector.sandbox.salesforce import Salesforce
from connector.sandbox.salesforce_outbound import is_acknowledged
from tests.sandbox.salesforce.conftest import Client

SAMPLES = Path(__file__).parents[3].parent / "shared" / "specs" / "salesforce" / "outbound"
ACK = b"""<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>
<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>
</soapenv:Body></soapenv:Envelope>"""
NO_ACK = ACK.replace(b"true", b"false")


class Endpoint:
    """Keeps what it gets and answers 200 with the next of `answers`, or an acknowledgement."""

    def __init__(self) -> None:
        self.requests: list[tuple[Environ, bytes]] = []
        self.answers: list[bytes] = []
        self.server = HttpServer(self._answer)

    def _answer(self, environ: Environ) -> Answer:
        self.requests.append((environ, environ["wsgi.input"].read()))
        return Answer(200, self.answers.pop(0) if self.answers else ACK, (("Content-Type", "text/xml"),))


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    made.server.start()
    yield made
    made.server.stop()


def sent(org: Salesforce) -> None:
    org.outbound.flush()
    assert org.deliveries.wait_idle()


def names(body: bytes) -> list[str]:
    return re.findall(r"<Notification>\s*<Id>(\w+)</Id>", body.decode())


def test_a_message_tells_what_happened_and_is_sent_until_it_is_acknowledged(
    org: Salesforce, endpoint: Endpoint
) -> None:
    org.configure(outbound_url=endpoint.server.url)
    endpoint.answers = [b"", NO_ACK, b"OK"]

    case = org.create_case("It <burns>", status="Working")
    sent(org)

    bodies = [body for _, body in endpoint.requests]
    assert len(bodies) == 4
    assert len({tuple(names(body)) for body in bodies}) == 1
    text = bodies[0].decode()
    assert f"<OrganizationId>{org.org.org_id}</OrganizationId>" in text
    assert '<SessionId xsi:nil="true"/>' in text
    assert f"<sf:Id>{case}</sf:Id>" in text
    assert "It &lt;burns&gt;" in text
    assert endpoint.requests[0][0]["HTTP_SOAPACTION"] == '""'


def test_its_fields_are_those_of_the_moment_of_sending(org: Salesforce, endpoint: Endpoint) -> None:
    org.configure(outbound_url=endpoint.server.url)
    org.deliveries.pause()
    case = org.create_case("Before")
    org.outbound.flush()
    org.set_fields(case, {"Subject": "After"})
    org.outbound.flush()
    org.deliveries.resume()
    assert org.deliveries.wait_idle()

    assert b"After" in endpoint.requests[0][1]
    assert b"Before" not in endpoint.requests[0][1]


def test_a_mass_update_comes_a_hundred_at_a_time(org: Salesforce, endpoint: Endpoint) -> None:
    org.configure(outbound_url=endpoint.server.url, outbound_ids="short")
    with org.lock:
        for number in range(150):
            org.create_case(f"S{number}")

    sent(org)

    assert sorted(len(names(body)) for _, body in endpoint.requests) == [50, 100]
    assert all(len(name) == 15 for _, body in endpoint.requests for name in names(body))


def test_its_form_is_that_of_a_recorded_one(org: Salesforce) -> None:
    if not SAMPLES.exists():
        pytest.skip("the recorded messages are not here")
    org.create_case("x")
    made = org.outbound.message([("04l000000000001AAA", org.org.live("Case")[0])]).decode()

    def elements(text: str) -> set[str]:
        return set(re.findall(r"<(\w[\w:]*)", text))

    recorded = elements((SAMPLES / "notifications-request.redacted.xml").read_text())
    assert {one for one in recorded if not one.startswith("sf:")} == {
        one for one in elements(made) if not one.startswith("sf:")
    }
    delivery = Delivery("1", "", b"", (), org.now(), {"kind": "soap"})
    assert is_acknowledged(delivery, 200, (SAMPLES / "ack-response.xml").read_bytes())
    assert not is_acknowledged(delivery, 200, (SAMPLES / "fault-response.xml").read_bytes())


def test_a_trigger_calls_with_ids_and_a_signature_and_not_again(org: Salesforce, endpoint: Endpoint) -> None:
    org.configure(trigger_url=endpoint.server.url)
    case = org.create_case("x")
    comment = org.comment(case, "Between us")
    sent(org)

    bodies = {json.loads(body)["object"]: (environ, body) for environ, body in endpoint.requests}
    environ, body = bodies["Case"]
    told = json.loads(body)
    expected = hmac.new(org.settings.trigger_secret.encode(), body, hashlib.sha256).hexdigest()
    assert environ["HTTP_X_CONNECTOR_SIGNATURE"] == expected
    assert (told["org_id"], told["object"], told["ids"]) == (org.org.org_id, "Case", [case])
    assert json.loads(bodies["CaseComment"][1])["ids"] == [comment]


def test_nothing_is_sent_where_nobody_listens(org: Salesforce) -> None:
    org.create_case("x")
    sent(org)

    assert org.deliveries.all() == []


def test_a_trigger_that_names_our_user_keeps_our_own_entries_to_itself(org: Salesforce, api: Client) -> None:
    org.configure(trigger_url="http://127.0.0.1:9/hooks", tells_ours=False)
    case = api.case()
    org.outbound.flush()
    api("POST", "/sobjects/CaseComment", {"ParentId": case, "CommentBody": "Ours"})
    theirs = org.comment(case, "Theirs")

    org.outbound.flush()

    told = [json.loads(one.body)["ids"] for one in org.deliveries.all()]
    assert told == [[case], [theirs]]
