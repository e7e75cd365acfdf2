"""A door for every CRM beside HubSpot, and what each of them posts, rightly signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connector import config
from connector.sandbox import example
from connector.sandbox.zendesk_hooks import sign as sign_zendesk
from connector.web.app import create_app
from connector.wiring import build

from .door import ROOT, URL, Door, Knock
from .hostile import Sender, encoded

SECRET, ORG = "vendors-door-secret", "00Dxx0000001gPLEAY"
CASE = "500xx000000abcdAAA"
BODIES: dict[str, Any] = {
    "zendesk": {
        "type": "zen:event-type:ticket.status_changed",
        "id": "evt-1",
        "time": "2026-04-07T14:30:00Z",
        "subject": "zen:ticket:7",
        "event": {
            "current": "OPEN",
            "previous": "NEW",
            "field": {"id": 1},
            "comment": {"id": 5},
            "target_ticket_id": 8,
        },
        "detail": {"id": "7", "status": "OPEN", "tags": ["a"], "updated_at": "2026-04-07T14:30:00Z"},
    },
    "salesforce": {"v": 1, "org_id": ORG, "object": "Case", "ids": [CASE], "nonce": "n"},
    "capsule": {
        "event": "kase/updated",
        "payload": [{"id": 7, "name": "It burns", "updatedAt": "2026-04-07T14:30:00Z"}],
    },
    "custom": {"type": "ticket.updated", "at": "2026-04-07T14:30:00Z", "data": {"ticket_id": 7, "note_id": 3}},
}
MESSAGE = (
    '<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    '<notifications xmlns="http://soap.sforce.com/2005/09/outbound" xmlns:sf="urn:sobject.enterprise.soap.sforce.com" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    f"<OrganizationId>{ORG}</OrganizationId><Notification><Id>04l000000000001AAA</Id><sObject xsi:type='sf:Case'>"
    f"<sf:Id>{CASE}</sf:Id></sObject></Notification></notifications></soapenv:Body></soapenv:Envelope>"
).encode()


class VendorsDoor(Door):
    """An installation with a connection of each kind, whose vendors are not there."""

    def __init__(self, folder: Path) -> None:
        self.runtime = build(_settings(folder), upgrade=True)
        assert {one.state for one in self.runtime.import_mappings()} == {"activated"}
        self.app = create_app(self.runtime)
        self.answers = {}

    def senders(self) -> tuple[Sender, ...]:
        """Everybody who posts here. At an address with a secret end, that end is the secret."""
        ends = {name: self.runtime.secrets.path_tokens(name)[0] for name in ("capsule", "salesforce")}

        def soap(body: bytes, *, secret: str = ends["salesforce"]) -> Knock:
            return Knock(f"/webhooks/salesforce/{secret}", body, {"Content-Type": "text/xml", "SOAPAction": '""'})

        def capsule(body: bytes, *, secret: str = ends["capsule"]) -> Knock:
            return Knock(f"/webhooks/capsule/{secret}", body, {"Content-Type": "application/json"})

        return (
            Sender(encoded(BODIES["zendesk"]), _zendesk, SECRET),
            Sender(encoded(BODIES["salesforce"]), _salesforce, SECRET),
            Sender(MESSAGE, soap, ends["salesforce"]),
            Sender(encoded(BODIES["capsule"]), capsule, ends["capsule"]),
            Sender(encoded(BODIES["custom"]), _custom, example.SECRET),
        )


def _settings(folder: Path) -> config.Settings:
    app = {"client_id": "app", "client_secret": "app-secret"}
    given: dict[str, dict[str, Any]] = {
        "zendesk": {"api_url": "https://acme.zendesk.example.test", "webhook_secrets": [SECRET], **app},
        "salesforce": {"login_url": "https://acme.my.salesforce.example.test", "webhook_secrets": [SECRET], **app},
        "capsule": {"api_url": "https://api.capsule.example.test", "access_token": "personal"},
        "custom": {"api_url": "https://crm.example.test", "access_token": "x", "webhook_secrets": [example.SECRET]},
    }
    given["salesforce"]["org_id"] = ORG
    for name, one in given.items():
        source = ROOT / "mappings" / f"{'custom-example' if name == 'custom' else name}.yaml"
        (folder / f"{name}.yaml").write_text(source.read_text())
        one |= {"crm": name, "mapping": folder / f"{name}.yaml"}
    return config.Settings(
        folder=folder,
        public_url=URL,
        secret_key=["door-key"],
        store={"url": f"sqlite:///{folder / 'connector.db'}"},
        nextcap={"api_key": "nextcap_ck_door", "webhook_secrets": ["nxc-door-secret"]},
        connections=given,
    )


def _zendesk(body: bytes, *, secret: str = SECRET) -> Knock:
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = {"X-Zendesk-Webhook-Signature": sign_zendesk(secret, at, body), "X-Zendesk-Webhook-Signature-Timestamp": at}
    return Knock("/webhooks/zendesk", body, told)


def _salesforce(body: bytes, *, secret: str = SECRET) -> Knock:
    mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Knock("/webhooks/salesforce", body, {"X-Connector-Signature": mac, "Content-Type": "application/json"})


def _custom(body: bytes, *, secret: str = example.SECRET) -> Knock:
    key = base64.b64encode(secret.encode()).decode() if not secret.startswith("whsec_") else secret
    return Knock("/webhooks/custom", body, example.sign(key, "msg-1", int(time.time()), body))


def template(sender: Sender) -> dict[str, Any] | None:
    """A sender's good body, where it is a JSON object."""
    return json.loads(sender.body) if sender.body.startswith(b"{") else None
