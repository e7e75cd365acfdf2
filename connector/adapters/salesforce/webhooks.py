"""What an org posts: Outbound Messages at an address with a secret end, and a trigger's JSON with a signature.

Both only ring: every case named is read again. https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/
sforce_api_om_outboundmessaging.htm (2026-11)
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from connector.adapters.base import TAKEN, Answer, Delivery, Event, EventKind, Step
from connector.adapters.salesforce.api import is_id, long_id
from connector.adapters.salesforce.forms import SHAPES
from connector.adapters.signing import (
    WRONG_PATH,
    check_path_token,
    check_signature,
    check_size,
    check_time,
    digest,
    json_of,
)
from connector.adapters.times import moment
from connector.domain.errors import BadDelivery

SIGNATURE: Final = "x-connector-signature"
KINDS: Final = {"500": EventKind.TICKET} | {one.prefix: EventKind.COMMENT for one in SHAPES.values()}
"""By how the ids of cases and of the entries of their conversations begin."""

ENTRIES: Final = frozenset(one.name for one in SHAPES.values())

MOST: Final = 200
SOAP: Final = "{http://schemas.xmlsoap.org/soap/envelope/}"
OUTBOUND: Final = "{http://soap.sforce.com/2005/09/outbound}"
OBJECT: Final = "{urn:sobject.enterprise.soap.sforce.com}"
TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
ACK: Final = Answer(
    200,
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>",
    "text/xml; charset=utf-8",
)


def is_soap(delivery: Delivery) -> bool:
    """Whether this is an Outbound Message rather than a trigger's JSON."""
    return SIGNATURE not in delivery.headers and (
        "xml" in delivery.headers.get("content-type", "") or "soapaction" in delivery.headers
    )


def answer(delivery: Delivery) -> Answer:
    """An Outbound Message is resent until it is acknowledged so; a trigger is content with any 2xx."""
    return ACK if is_soap(delivery) else TAKEN


class Verifier:
    """`org` gives our org's id without a call, or nothing while no token was ever asked for."""

    def __init__(
        self, secrets: Sequence[str], path_tokens: Callable[[], Sequence[str]], org: Callable[[], str]
    ) -> None:
        self._secrets = secrets
        self._path_tokens = path_tokens
        self._org = org

    def verify(self, delivery: Delivery, *, now: datetime) -> None:
        """Raises BadDelivery unless it is our trigger's, or a message of our org at our secret address."""
        check_size(delivery.body)
        if is_soap(delivery):
            self._verify_soap(delivery)
        else:
            self._verify_signed(delivery, now)

    def _verify_soap(self, delivery: Delivery) -> None:
        check_path_token(delivery.path, self._path_tokens())
        theirs = long_id((_notifications(delivery.body).findtext(f"{OUTBOUND}OrganizationId") or "").strip())
        ours = long_id(self._org())
        if not ours:
            raise BadDelivery("our org is not known before the first log-in", code="org_unknown")
        if not hmac.compare_digest(theirs.encode(), ours.encode()):
            raise BadDelivery("the message is of another org", code=WRONG_PATH)

    def _verify_signed(self, delivery: Delivery, now: datetime) -> None:
        given = delivery.headers.get(SIGNATURE, "").strip().lower()
        check_signature(given, self._secrets, lambda key: hmac.digest(key, delivery.body, "sha256").hex())
        told = json_of(delivery.body)
        if isinstance(told, dict) and "sent_at" in told:
            check_time(moment(told["sent_at"]), now)


def parse(delivery: Delivery) -> list[Event]:
    """The events of a delivery. Makes no call."""
    return list(_from_soap(delivery.body) if is_soap(delivery) else _from_json(delivery.body))


def _from_json(body: bytes) -> Iterator[Event]:
    told = json_of(body)
    if not isinstance(told, dict | list):
        raise BadDelivery("the body is neither an object nor a list", code="unreadable")
    sent_at = moment(told.get("sent_at")) if isinstance(told, dict) else None
    for item in told if isinstance(told, list) else [told]:
        listed = item.get("ids") if isinstance(item, dict) else item
        ids = listed if isinstance(listed, list) else [listed] if listed else [_named(item)]
        when = str(item.get("nonce") or item.get("sent_at") or "") if isinstance(item, dict) else ""
        for place, one in enumerate(dict.fromkeys(str(each or "") for each in ids[:MOST])):
            kind = KINDS.get(one[:3], EventKind.OTHER) if is_id(one) else EventKind.OTHER
            subject = long_id(one) if kind is not EventKind.OTHER else ""
            key = f"trigger:{when or digest(body)}:{subject or place}"
            case = subject if kind is EventKind.TICKET else None
            yield Event("trigger", kind, subject, key, ticket_id=case, moment=sent_at)


def _from_soap(body: bytes) -> Iterator[Event]:
    found = _notifications(body)
    notifications = found.findall(f"{OUTBOUND}Notification")
    if len(notifications) > MOST:
        raise BadDelivery("the message holds more notifications than Salesforce sends", code="unreadable")
    for one in notifications:
        what = one.find(f"{OUTBOUND}sObject")
        kind = (what.get(TYPE) or "").rpartition(":")[2] if what is not None else ""
        subject = long_id((what.findtext(f"{OBJECT}Id") or "").strip()) if what is not None else ""
        parent = long_id((what.findtext(f"{OBJECT}ParentId") or "").strip()) if what is not None else ""
        key = f"outbound:{long_id((one.findtext(f'{OUTBOUND}Id') or '').strip())}"
        name = f"outbound.{kind or 'unknown'}"
        if kind == "Case" and is_id(subject):
            yield Event(name, EventKind.TICKET, subject, key, ticket_id=subject)
        elif kind in ENTRIES and is_id(subject):
            yield Event(name, EventKind.COMMENT, subject, key, ticket_id=parent if is_id(parent) else None)
        else:
            yield Event(name, EventKind.OTHER, subject, key)


def _notifications(body: bytes) -> Element:
    """The one element of an Outbound Message. Raises BadDelivery for any other document, DTDs included."""
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise BadDelivery("the body is no plain XML", code="unreadable") from error
    found = root.find(f"{SOAP}Body/{OUTBOUND}notifications") if root.tag == f"{SOAP}Envelope" else None
    if found is None:
        raise BadDelivery("the body is no Outbound Message", code="unreadable")
    return found


def _named(item: object) -> object:
    """The case that an object names alone."""
    if not isinstance(item, dict):
        return ""
    return next((item[name] for name in ("id", "Id", "caseId", "recordId") if item.get(name)), "")


def subscribe_by_hand(url: str, tokens: Sequence[str]) -> list[Step]:
    """What an administrator does: no call of ours may change the org."""
    secret = f"{url}/{tokens[0]}" if tokens else f"{url}/<SECRET_KEY is not set>"
    return [
        Step(
            "outbound message",
            "manual",
            "To hear of changes at once: in Setup > Outbound Messages make one for Case (field: Id) and one for "
            f"CaseComment (Id, ParentId), each with this endpoint, which is a secret:\n{secret}\n"
            "and call them from record-triggered flows: docs/crm/salesforce/NextCap_Case_Changed.flow-meta.xml",
        ),
        Step(
            "or: Apex trigger",
            "manual",
            f"Deploy docs/crm/salesforce/apex, let its Named Credential lead to {url}, and keep the same secret there "
            "and in webhook_secrets",
        ),
    ]
