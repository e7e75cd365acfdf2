"""Notes and logged mails."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from connector.sandbox.hubspot import HubSpot

from .support import NOTES, TICKETS, codes, linked_note, made, read, refused

EMAILS = "/crm/objects/2026-09/emails"
WHEN = "2026-11-24T10:00:00Z"


def test_a_note_is_made_together_with_its_link(api: httpx.Client, hubspot: HubSpot) -> None:
    ticket = made(api)

    note = linked_note(api, ticket, "<p>Hi</p>").json()

    seen = hubspot.ticket(ticket)["notes"]
    assert [(one["id"], one["body"], one["source"]) for one in seen] == [(note["id"], "<p>Hi</p>", "INTEGRATION")]
    assert seen[0]["source_id"] == str(hubspot.credentials.app_id)


def test_a_note_without_a_time_or_with_a_missing_target_is_refused(api: httpx.Client, hubspot: HubSpot) -> None:
    body = refused(api.post(NOTES, json={"properties": {"hs_note_body": "A"}}), 400, "VALIDATION_ERROR")

    assert body["context"] == {"properties": ["hs_timestamp"]}
    refused(linked_note(api, "17"), 400, "VALIDATION_ERROR")
    assert hubspot.state()["notes"] == []


def test_the_same_note_sent_twice_is_two_notes(api: httpx.Client, hubspot: HubSpot) -> None:
    ticket = made(api)

    linked_note(api, ticket)
    linked_note(api, ticket)

    assert len(hubspot.ticket(ticket)["notes"]) == 2


def test_a_note_checks_what_it_knows(api: httpx.Client) -> None:
    def post(**properties: str) -> httpx.Response:
        return api.post(NOTES, json={"properties": {"hs_timestamp": WHEN, **properties}})

    assert codes(post(hs_note_body="x" * 65_537)) == ["VALUE_TOO_LONG"]
    assert codes(post(hubspot_owner_id="17")) == ["INVALID_OWNER_ID"]
    assert codes(post(hs_attachment_ids="17")) == ["INVALID_FILE_ID"]
    assert post(hs_object_source="ME", nope="1").status_code == 201


def test_notes_are_changed_deleted_and_read_in_batches(api: httpx.Client, hubspot: HubSpot) -> None:
    ticket = made(api)
    kept, gone = (str(linked_note(api, ticket).json()["id"]) for _ in range(2))

    api.patch(f"{NOTES}/{kept}", json={"properties": {"hs_note_body": "<p>Edited</p>"}})
    assert api.delete(f"{NOTES}/{gone}").status_code == 204

    body = {"inputs": [{"id": kept}, {"id": gone}], "properties": ["hs_note_body", "hs_object_source_id"]}
    answer = api.post(f"{NOTES}/batch/read", json=body)
    assert answer.status_code == 207
    properties = answer.json()["results"][0]["properties"]
    assert properties["hs_note_body"] == "<p>Edited</p>"
    assert properties["hs_object_source_id"] == str(hubspot.credentials.app_id)
    assert len(api.get(f"{TICKETS}/{ticket}/associations/notes").json()["results"]) == 1


def test_a_batch_of_notes_carries_their_links(api: httpx.Client, hubspot: HubSpot) -> None:
    ticket = made(api)
    link = {"to": {"id": ticket}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 228}]}
    inputs = [
        {"properties": {"hs_timestamp": WHEN, "hs_note_body": text}, "associations": [link]} for text in ("A", "B")
    ]

    answer = api.post(f"{NOTES}/batch/create", json={"inputs": inputs})

    assert answer.status_code == 201
    assert [one["body"] for one in hubspot.ticket(ticket)["notes"]] == ["A", "B"]


def test_hubspot_may_keep_notes_in_html_of_its_own(api: httpx.Client, hubspot: HubSpot) -> None:
    hubspot.configure(note_html="wrapped")
    note = linked_note(api, made(api), "<p>Hi</p>").json()

    body = note["properties"]["hs_note_body"]

    assert body.startswith("<div")
    assert "<p>Hi</p>" in body
    api.patch(f"{NOTES}/{note['id']}", json={"properties": {"hs_note_body": body}})
    assert read(api, note["id"], "hs_note_body", path=NOTES)["hs_note_body"] == body


def log_email(api: httpx.Client, **properties: str) -> httpx.Response:
    headers = {"from": {"email": "eve@example.com"}, "to": [{"email": "support@acme.example"}], "cc": [], "bcc": []}
    given = {
        "hs_timestamp": WHEN,
        "hs_email_direction": "INCOMING_EMAIL",
        "hs_email_status": "SENT",
        "hs_email_subject": "Help",
        "hs_email_text": "It burns",
        "hs_email_headers": json.dumps(headers),
    }
    return api.post(EMAILS, json={"properties": {**given, **properties}})


def test_a_logged_mail_takes_its_addresses_from_its_headers(api: httpx.Client) -> None:
    mail = log_email(api, hs_email_from_email="other@example.com")

    shown = read(api, mail.json()["id"], "hs_email_from_email", "hs_email_to_email", path=EMAILS)

    assert shown["hs_email_from_email"] == "eve@example.com"
    assert shown["hs_email_to_email"] == "support@acme.example"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"hs_email_direction": "OUT"}, "INVALID_OPTION"), ({"hs_email_status": "READ"}, "INVALID_OPTION")],
)
def test_a_mail_with_unknown_options_is_refused(api: httpx.Client, wrong: dict[str, str], code: str) -> None:
    assert codes(log_email(api, **wrong)) == [code]


@pytest.mark.parametrize("headers", ["no json", "[]", "{}", '{"from": {"email": "a@b.example"}, "to": ["x"]}'])
def test_a_mail_with_unreadable_headers_is_refused(api: httpx.Client, headers: str) -> None:
    refused(log_email(api, hs_email_headers=headers), 400, "VALIDATION_ERROR")


def test_a_mail_needs_a_direction(api: httpx.Client) -> None:
    answer = api.post(EMAILS, json={"properties": {"hs_timestamp": WHEN}})

    assert refused(answer, 400, "VALIDATION_ERROR")["context"] == {"properties": ["hs_email_direction"]}


def test_the_content_of_mails_is_withheld_without_its_scope(api: httpx.Client, hubspot: HubSpot) -> None:
    mail = log_email(api).json()["id"]
    body = {"inputs": [{"id": mail}], "properties": ["hs_email_text", "hs_email_direction"]}

    def text() -> Any:
        return api.post(f"{EMAILS}/batch/read", json=body).json()["results"][0]["properties"]["hs_email_text"]

    assert text() == "It burns"
    hubspot.settings.scopes.remove("sales-email-read")
    assert text() is None
