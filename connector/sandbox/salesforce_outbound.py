"""What an org sends: Outbound Messages (SOAP, batched, resent until acknowledged) and an Apex trigger's callouts."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from .kernel_clock import iso
from .kernel_deliveries import Deliveries, Delivery
from .salesforce_ids import SHORT, Ids
from .salesforce_org import Heard, Org, Record
from .salesforce_settings import Settings

RETRIES = (15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 7200.0)
MOST_NOTIFICATIONS = 100
MOST_IDS = 200
ACKNOWLEDGED = re.compile(rb"<(?:\w+:)?Ack(?:\s[^>]*)?>\s*true\s*</(?:\w+:)?Ack>")
RESPONSE = re.compile(rb"<(?:\w+:)?notificationsResponse[\s>]")
ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" \
xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <soapenv:Body>
  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
   <OrganizationId>{org}</OrganizationId>
   <ActionId>{action}</ActionId>
   <SessionId xsi:nil="true"/>
   <EnterpriseUrl>{url}/services/Soap/c/62.0/{org}</EnterpriseUrl>
   <PartnerUrl>{url}/services/Soap/u/62.0/{org}</PartnerUrl>
{notifications}  </notifications>
 </soapenv:Body>
</soapenv:Envelope>"""
NOTIFICATION = """   <Notification>
    <Id>{id}</Id>
    <sObject xsi:type="sf:{kind}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">
{fields}    </sObject>
   </Notification>
"""
TICKED = {
    "Case": ("Id", "CaseNumber", "Status", "Subject", "SystemModstamp"),
    "CaseComment": ("Id", "ParentId", "IsPublished"),
    "EmailMessage": ("Id", "ParentId", "Incoming"),
    "FeedItem": ("Id", "ParentId"),
}


def is_acknowledged(delivery: Delivery, status: int, body: bytes) -> bool:
    """Whether the receiver took the message: for SOAP only a readable Ack of true counts, for a callout any 2xx."""
    if delivery.about.get("kind") == "callout":
        return 200 <= status < 300
    return status == 200 and bool(RESPONSE.search(body)) and bool(ACKNOWLEDGED.search(body))


@dataclass(slots=True)
class Outbound:
    """Gathers what happened and sends it in batches, out of order at will, fields as they are when it is sent."""

    settings: Settings
    deliveries: Deliveries
    org: Callable[[], Org]
    url: Callable[[], str]
    window: float = 0.05
    lock: threading.RLock = field(default_factory=threading.RLock)
    _ids: Ids = field(default_factory=Ids)
    _waiting: list[tuple[str, Record]] = field(default_factory=list)
    _called: list[tuple[str, str]] = field(default_factory=list)
    _timer: threading.Timer | None = None

    def hear(self, heard: Heard) -> None:
        """A record-triggered flow and an Apex trigger look at what happened to cases and their comments."""
        record = heard.record
        if record.kind.name not in TICKED or (heard.what == "deleted" and record.kind.name != "Case"):
            return
        is_heard = record.kind.name in self.settings.trigger_objects
        if heard.what in ("created", "updated", "undeleted") and self.settings.outbound_url and is_heard:
            self._waiting.append((self._ids.make("04l"), record))
        is_ours = record.kind.name != "Case" and record.values["CreatedById"] == self.org().user_id
        if self.settings.trigger_url and is_heard and not (is_ours and not self.settings.tells_ours):
            self._called.append((record.kind.name, record.id))
        if (self._waiting or self._called) and self._timer is None:
            self._timer = threading.Timer(self.window, self.flush)
            self._timer.daemon = True
            self._timer.start()

    def flush(self) -> None:
        """Send what waits."""
        with self.lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            waiting, self._waiting = self._waiting, []
            called, self._called = list(dict.fromkeys(self._called)), []
            kinds = {kind: [one for one in waiting if one[1].kind.name == kind] for kind in TICKED}
            for kind, found in kinds.items():
                for start in range(0, len(found), MOST_NOTIFICATIONS):
                    part = found[start : start + MOST_NOTIFICATIONS]
                    names = [f"{kind}:{record.id}" for _, record in part]
                    about = {"kind": "soap", "notifications": part}
                    self.deliveries.send(self.settings.outbound_url, b"", names, about=about)
            for kind in TICKED:
                named = [record_id for one, record_id in called if one == kind]
                for start in range(0, len(named), MOST_IDS):
                    ids, about = named[start : start + MOST_IDS], {"kind": "callout"}
                    self.deliveries.send(self.settings.trigger_url, self.callout(kind, ids), ids, about=about)

    def forget(self) -> None:
        """Send nothing of what waits."""
        with self.lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._waiting, self._called = None, [], []

    def render(self, delivery: Delivery) -> bytes:
        """The bytes of one attempt: an Outbound Message tells the fields of this very moment."""
        if delivery.about["kind"] == "callout":
            return delivery.body
        with self.lock:
            return self.message(delivery.about["notifications"])

    def sign(self, delivery: Delivery) -> Mapping[str, str]:
        """The headers of one attempt."""
        if delivery.about["kind"] == "callout":
            signature = hmac.new(self.settings.trigger_secret.encode(), delivery.body, hashlib.sha256).hexdigest()
            return {"Content-Type": "application/json", "X-Connector-Signature": signature}
        return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}

    def message(self, notifications: list[tuple[str, Record]]) -> bytes:
        """An Outbound Message. Empty fields are left out, as the vendor does."""
        org = self._shown(self.org().org_id)
        told = "".join(
            NOTIFICATION.format(id=self._shown(key), kind=one.kind.name, fields=self._fields(one))
            for key, one in notifications
        )
        action = self._shown("04kHs0000000001AAA")
        return ENVELOPE.format(org=org, action=action, url=self.url(), notifications=told).encode()

    def callout(self, kind: str, ids: list[str]) -> bytes:
        """The body that the sample trigger of this object sends: ids only."""
        org = self.org()
        nonce = hashlib.sha256(repr((ids, org.now())).encode()).hexdigest()[:32]
        told = {"v": 1, "org_id": org.org_id, "object": kind, "ids": ids, "sent_at": iso(org.now()), "nonce": nonce}
        return json.dumps(told, separators=(",", ":")).encode()

    def _shown(self, record_id: str) -> str:
        return record_id if self.settings.outbound_ids == "long" else record_id[:SHORT]

    def _fields(self, record: Record) -> str:
        lines = []
        for name in TICKED[record.kind.name]:
            value: Any = record.values.get(name)
            if value is None or value == "":
                continue
            if name in ("Id", "ParentId"):
                value = self._shown(value)
            elif isinstance(value, bool):
                value = str(value).lower()
            elif not isinstance(value, str):
                value = iso(value)
            lines.append(f"     <sf:{name}>{escape(value)}</sf:{name}>\n")
        return "".join(lines)
