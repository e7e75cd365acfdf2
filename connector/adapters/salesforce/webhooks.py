"""What an org posts: Outbound Messages at an address with a secret end, and a trigger's JSON with a signature.

Both only ring: every case named is read again. https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/
sforce_api_om_outboundmessaging.htm (2026-11)
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final
from xml.etree.ElementTree import Element

from connector.adapters import doorbell, signing
from connector.adapters.base import TAKEN, Answer, Delivery, Event, EventKind, Step
from connector.adapters.salesforce.api import is_id, long_id
from connector.adapters.salesforce.forms import PREFIX, SHAPES
from connector.domain.errors import BadDelivery

KINDS: Final = {PREFIX: EventKind.TICKET} | {one.prefix: EventKind.COMMENT for one in SHAPES}
"""How the ids of cases and of the entries of their conversations begin."""

NAMES: Final = {
    "soap": "http://schemas.xmlsoap.org/soap/envelope/",
    "out": "http://soap.sforce.com/2005/09/outbound",
    "object": "urn:sobject.enterprise.soap.sforce.com",
}
ACK: Final = Answer(
    200,
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>",
    "text/xml; charset=utf-8",
)
BY_MESSAGE: Final = """\
To hear of changes at once: in Setup > Outbound Messages make one for Case (field: Id) and one for CaseComment (Id, \
ParentId; the same for EmailMessage and FeedItem where the mapping reads them), each with this endpoint, a secret:
{secret}
and call them from record-triggered flows: docs/crm/salesforce/NextCap_Case_Changed.flow-meta.xml"""
BY_TRIGGER: Final = """\
Deploy docs/crm/salesforce/apex, let its Named Credential lead to {url}, and keep the same secret there and in \
webhook_secrets"""


class Webhooks:
    """`org` gives our org's id without a call, or nothing while no token was ever asked for."""

    def __init__(
        self, secrets: Sequence[str], path_tokens: Callable[[], Sequence[str]], org: Callable[[], str]
    ) -> None:
        self._secrets, self._path_tokens, self._org = secrets, path_tokens, org

    def verify(self, delivery: Delivery, *, now: datetime) -> None:
        """Raises BadDelivery unless it is our trigger's, or a message of our org at our secret address."""
        signing.check_size(delivery.body)
        if not is_soap(delivery):
            doorbell.verify(delivery, self._secrets, now=now)
            return
        signing.check_path_token(delivery.path, self._path_tokens())
        theirs, ours = _id(_notifications(delivery.body), "out:OrganizationId"), long_id(self._org())
        if not ours:
            raise BadDelivery("our org is not known before the first log-in", code="org_unknown")
        if not hmac.compare_digest(theirs.encode(), ours.encode()):
            raise BadDelivery("the message is of another org", code=signing.WRONG_PATH)

    def parse(self, delivery: Delivery) -> list[Event]:
        """The events of a delivery. Makes no call."""
        return list(_from_soap(delivery.body) if is_soap(delivery) else doorbell.parse(delivery.body, _of))

    def answer(self, delivery: Delivery) -> Answer:
        """An Outbound Message is resent until it is acknowledged so; a trigger is content with any 2xx."""
        return ACK if is_soap(delivery) else TAKEN

    def subscribe(self, url: str, *, dry_run: bool) -> list[Step]:  # noqa: ARG002 - nothing here writes
        """What a person must do: messages, flows and triggers are the administrator's."""
        secret = f"{url}/{next(iter(self._path_tokens()), '<SECRET_KEY is not set>')}"
        by_message = Step("outbound message", "manual", BY_MESSAGE.format(secret=secret))
        return [by_message, Step("or: Apex trigger", "manual", BY_TRIGGER.format(url=url))]


def is_soap(delivery: Delivery) -> bool:
    """Whether this is an Outbound Message rather than a trigger's JSON."""
    headers = delivery.headers
    return doorbell.SIGNATURE not in headers and ("xml" in headers.get("content-type", "") or "soapaction" in headers)


def _of(told: str) -> tuple[EventKind, str]:
    """What the record of an id is, and its long id; OTHER and nothing of what is no id of a conversation."""
    kind = KINDS.get(told[:3]) if is_id(told) else None
    return (kind, long_id(told)) if kind else (EventKind.OTHER, "")


def _from_soap(body: bytes) -> Iterator[Event]:
    notifications = _notifications(body).findall("out:Notification", NAMES)
    if len(notifications) > doorbell.MOST:
        raise BadDelivery("the message holds more notifications than Salesforce sends", code="unreadable")
    for one in notifications:
        subject, parent = (_id(one, f"out:sObject/object:{name}") for name in ("Id", "ParentId"))
        kind, _ = _of(subject)
        case = {EventKind.TICKET: subject, EventKind.COMMENT: parent}.get(kind)
        key = f"outbound:{_id(one, 'out:Id')}"
        yield Event(f"outbound.{kind}", kind, subject, key, ticket_id=case if is_id(case) else None)


def _id(element: Element, path: str) -> str:
    return long_id(element.findtext(path, "", NAMES).strip())


def _notifications(body: bytes) -> Element:
    """The one element of an Outbound Message. Raises BadDelivery for any other document, DTDs included."""
    root = signing.xml_of(body)
    found = root.find("soap:Body/out:notifications", NAMES) if root.tag == f"{{{NAMES['soap']}}}Envelope" else None
    if found is None:
        raise BadDelivery("the body is no Outbound Message", code="unreadable")
    return found
