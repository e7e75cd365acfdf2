"""Tickets one at a time: required properties, reading, history, closing, archiving, merging."""

from __future__ import annotations

import httpx
import pytest

from connector.sandbox.hubspot import HubSpot

from .support import CONTACTS, NEW, NOTES, TICKETS, linked_note, made, read, refused


@pytest.mark.parametrize("missing", ["subject", "hs_pipeline_stage"])
def test_a_ticket_without_a_required_property_is_refused(api: httpx.Client, missing: str) -> None:
    given = {name: value for name, value in NEW.items() if name != missing}

    body = refused(api.post(TICKETS, json={"properties": given}), 400, "VALIDATION_ERROR")

    assert body["context"] == {"properties": [missing]}
    assert "Cannot create object with type: TICKET" in body["message"]


def test_without_a_pipeline_a_ticket_goes_to_the_default_one(api: httpx.Client) -> None:
    given = {"subject": "A", "hs_pipeline_stage": "3"}

    ticket = api.post(TICKETS, json={"properties": given}).json()

    assert ticket["properties"]["hs_pipeline"] == "0"


def test_only_default_properties_are_shown_unless_others_are_asked_for(api: httpx.Client) -> None:
    ticket = made(api, source_type="EMAIL")
    always = {"createdate", "hs_lastmodifieddate", "hs_object_id"}

    assert "source_type" not in read(api, ticket)
    assert set(read(api, ticket, "source_type", "no_such")) == always | {"source_type", "no_such"}
    assert set(read(api, ticket, "source_type")) == always | {"source_type"}


@pytest.mark.parametrize(("unset", "seen"), [("null", {"content": None}), ("absent", {}), ("empty", {"content": ""})])
def test_an_unset_property_is_null_absent_or_empty(
    api: httpx.Client, hubspot: HubSpot, unset: str, seen: dict[str, str | None]
) -> None:
    ticket = made(api)
    hubspot.configure(unset=unset)

    shown = read(api, ticket, "content")

    assert {name: value for name, value in shown.items() if name == "content"} == seen


def test_an_empty_text_clears_a_property(api: httpx.Client) -> None:
    ticket = made(api, content="Help")

    answer = api.patch(f"{TICKETS}/{ticket}", json={"properties": {"content": ""}})

    assert answer.json()["properties"]["content"] is None


def test_every_value_is_a_text_and_so_is_the_id(api: httpx.Client) -> None:
    ticket = api.post(TICKETS, json={"properties": {**NEW, "hs_pipeline_stage": "4"}}).json()

    assert ticket["properties"]["hs_is_closed"] == "true"
    assert isinstance(ticket["properties"]["time_to_close"], str)
    assert ticket["id"] == ticket["properties"]["hs_object_id"]
    assert ticket["url"].endswith(f"/0-5/{ticket['id']}")


def test_history_names_who_set_a_value_newest_first(api: httpx.Client, hubspot: HubSpot) -> None:
    ticket = made(api)
    hubspot.set_properties(ticket, {"subject": "By hand"}, by="ben@acme.example")

    answer = api.get(f"{TICKETS}/{ticket}", params={"propertiesWithHistory": "subject"})

    person, app = answer.json()["propertiesWithHistory"]["subject"]
    assert (person["value"], person["sourceType"]) == ("By hand", "CRM_UI")
    assert person["sourceId"] == f"userId:{person['updatedByUserId']}"
    assert (app["sourceType"], app["sourceId"]) == ("INTEGRATION", str(hubspot.credentials.app_id))
    assert app["timestamp"].endswith("Z")


def test_hubspot_sets_the_dates_of_closing_and_reopening(api: httpx.Client) -> None:
    ticket = made(api)
    names = ("closed_date", "hs_last_closed_date", "hs_ticket_reopened_at", "hs_is_closed")

    closing = api.patch(f"{TICKETS}/{ticket}", json={"properties": {"hs_pipeline_stage": "4"}}).json()
    assert closing["properties"]["closed_date"] == closing["properties"]["hs_last_closed_date"]

    api.patch(f"{TICKETS}/{ticket}", json={"properties": {"hs_pipeline_stage": "3"}})
    reopened = read(api, ticket, *names)
    assert reopened["closed_date"] is None
    assert reopened["hs_last_closed_date"] == closing["properties"]["hs_last_closed_date"]
    assert reopened["hs_ticket_reopened_at"] is not None
    assert reopened["hs_is_closed"] == "false"


def test_a_ticket_that_moves_between_closed_stages_stays_closed(api: httpx.Client, hubspot: HubSpot) -> None:
    spam = hubspot.add_stage("Spam", state="CLOSED")
    ticket = made(api, hs_pipeline_stage="4")
    closed = read(api, ticket, "closed_date")["closed_date"]
    hubspot.clock.advance(60)

    hubspot.move_stage(ticket, "Spam")

    shown = read(api, ticket, "closed_date", "hs_pipeline_stage")
    assert (shown["closed_date"], shown["hs_pipeline_stage"]) == (closed, spam)


def test_the_modification_date_moves_on_a_write_that_changes_nothing(api: httpx.Client, hubspot: HubSpot) -> None:
    ticket = made(api)
    before = read(api, ticket)["hs_lastmodifieddate"]
    hubspot.clock.advance(1)

    api.patch(f"{TICKETS}/{ticket}", json={"properties": {"subject": NEW["subject"]}})

    assert read(api, ticket)["hs_lastmodifieddate"] > before
    history = api.get(f"{TICKETS}/{ticket}?propertiesWithHistory=subject").json()["propertiesWithHistory"]
    assert len(history["subject"]) == 1


def test_archived_tickets_are_gone_unless_asked_for(api: httpx.Client, hubspot: HubSpot) -> None:
    ticket = made(api)

    assert api.delete(f"{TICKETS}/{ticket}").status_code == 204
    assert api.delete(f"{TICKETS}/{ticket}").status_code == 204

    refused(api.get(f"{TICKETS}/{ticket}"), 404, "OBJECT_NOT_FOUND")
    refused(api.patch(f"{TICKETS}/{ticket}", json={"properties": {"subject": "B"}}), 404, "OBJECT_NOT_FOUND")
    shown = api.get(f"{TICKETS}/{ticket}", params={"archived": "true"}).json()
    assert shown["archived"] is True
    assert shown["archivedAt"]
    assert api.get(TICKETS).json()["results"] == []
    assert [one["id"] for one in api.get(f"{TICKETS}?archived=true").json()["results"]] == [ticket]

    hubspot.restore_ticket(ticket)
    assert api.get(f"{TICKETS}/{ticket}").status_code == 200
    refused(api.get(f"{TICKETS}/{ticket}?archived=true"), 404, "OBJECT_NOT_FOUND")


def test_deleting_what_never_was_is_not_found(api: httpx.Client) -> None:
    refused(api.delete(f"{TICKETS}/17"), 404, "OBJECT_NOT_FOUND")


def test_an_archived_ticket_gives_up_its_unique_value(api: httpx.Client, hubspot: HubSpot, fields: None) -> None:
    ticket = made(api, nextcap_ticket_id="t1")
    api.delete(f"{TICKETS}/{ticket}")

    made(api, nextcap_ticket_id="t1")

    restored = api.post("/_control/actions/restore_ticket", json={"ticket": ticket})
    assert "CONFLICTING_UNIQUE_VALUE" in refused(restored, 400, "VALIDATION_ERROR")["message"]


def test_the_id_of_a_merged_ticket_leads_to_the_survivor(api: httpx.Client, fields: None) -> None:
    winner = made(api, subject="Winner", nextcap_ticket_id="t1")
    loser = made(api, subject="Loser", nextcap_ticket_id="t2", content="Only here")
    linked_note(api, loser)

    merged = api.post(f"{TICKETS}/merge", json={"primaryObjectId": winner, "objectIdToMerge": loser})

    assert merged.json()["id"] == winner
    shown = api.get(
        f"{TICKETS}/{loser}", params={"properties": "subject,content,nextcap_ticket_id,hs_merged_object_ids"}
    )
    assert shown.json()["id"] == winner
    assert shown.json()["properties"] | {"createdate": "", "hs_lastmodifieddate": ""} == {
        "subject": "Winner",
        "content": "Only here",
        "nextcap_ticket_id": "t1",
        "hs_merged_object_ids": loser,
        "hs_object_id": winner,
        "createdate": "",
        "hs_lastmodifieddate": "",
    }
    patched = api.patch(f"{TICKETS}/{loser}", json={"properties": {"subject": "By the old id"}})
    assert patched.json()["id"] == winner
    notes = api.get(f"{TICKETS}/{winner}/associations/notes").json()["results"]
    assert len(notes) == 1


def test_a_merge_needs_two_different_live_records(api: httpx.Client) -> None:
    ticket = made(api)

    def merge(other: str) -> httpx.Response:
        return api.post(f"{TICKETS}/merge", json={"primaryObjectId": ticket, "objectIdToMerge": other})

    refused(merge(ticket), 400, "VALIDATION_ERROR")
    refused(merge("17"), 404, "OBJECT_NOT_FOUND")


def test_a_merge_may_end_in_a_third_record(api: httpx.Client, hubspot: HubSpot) -> None:
    hubspot.configure(merge_makes_new_record=True)
    winner, loser = made(api), made(api)

    survivor = hubspot.merge_tickets(winner, loser)

    assert survivor not in {winner, loser}
    assert {api.get(f"{TICKETS}/{one}").json()["id"] for one in (winner, loser)} == {survivor}


def test_lists_are_paged_with_a_limit(api: httpx.Client) -> None:
    ids = [made(api) for _ in range(5)]

    first = api.get(TICKETS, params={"limit": 3}).json()
    second = api.get(TICKETS, params={"limit": 3, "after": first["paging"]["next"]["after"]}).json()

    assert [one["id"] for one in first["results"] + second["results"]] == ids
    assert "paging" not in second
    refused(api.get(TICKETS, params={"limit": 101}), 400, "VALIDATION_ERROR")
    refused(api.get(f"{TICKETS}?limit=51&propertiesWithHistory=subject"), 400, "VALIDATION_ERROR")


def test_a_very_long_address_is_refused(api: httpx.Client) -> None:
    names = ",".join(f"property_number_{number}" for number in range(500))

    refused(api.get(f"{TICKETS}/{made(api)}", params={"properties": names}), 414, "VALIDATION_ERROR")


@pytest.mark.usefixtures("fields")
def test_records_are_read_and_changed_by_a_unique_property(api: httpx.Client) -> None:
    ticket = made(api, nextcap_ticket_id="t 1")
    by_ours = {"idProperty": "nextcap_ticket_id"}

    found = api.get(f"{TICKETS}/t%201", params=by_ours)
    changed = api.patch(f"{TICKETS}/t%201", params=by_ours, json={"properties": {"subject": "B"}})

    assert found.json()["id"] == changed.json()["id"] == ticket
    refused(api.get(f"{TICKETS}/t2", params=by_ours), 404, "OBJECT_NOT_FOUND")
    refused(api.get(f"{TICKETS}/{ticket}", params={"idProperty": "subject"}), 400, "VALIDATION_ERROR")


def test_associations_of_a_record_are_shown_when_asked_for(api: httpx.Client) -> None:
    ticket = made(api)
    contact = made(api, CONTACTS, email="eve@example.com")
    api.put(f"{TICKETS}/{ticket}/associations/default/contacts/{contact}")

    shown = api.get(f"{TICKETS}/{ticket}", params={"associations": "contacts,notes"}).json()

    assert shown["associations"] == {"contacts": {"results": [{"id": contact, "type": "ticket_to_contact"}]}}


def test_a_record_may_carry_fields_that_no_client_knows(api: httpx.Client, hubspot: HubSpot) -> None:
    ticket = made(api)
    hubspot.configure(surplus_fields=True)

    assert "futureField" in api.get(f"{TICKETS}/{ticket}").json()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/crm/objects/2026-09/tickets", 200),
        ("/crm/objects/2026-03/0-5", 200),
        ("/crm/v3/objects/tickets", 200),
        ("/crm/objects/2025-09/tickets", 404),
        ("/crm/v4/objects/tickets", 404),
        ("/crm/objects/2026-09/dragons", 404),
    ],
)
def test_paths_are_known_by_version_and_object_type(api: httpx.Client, path: str, status: int) -> None:
    assert api.get(path).status_code == status


def test_a_body_must_be_json_of_the_right_shape(api: httpx.Client) -> None:
    refused(api.post(TICKETS, content=b"{", headers={"Content-Type": "application/json"}), 400, "VALIDATION_ERROR")
    refused(api.post(TICKETS, content=b"{}", headers={"Content-Type": "text/plain"}), 415, "VALIDATION_ERROR")
    refused(api.post(TICKETS, json=[]), 400, "VALIDATION_ERROR")
    refused(api.post(TICKETS, json={"properties": []}), 400, "VALIDATION_ERROR")


def test_notes_have_no_list_of_tickets_properties(api: httpx.Client) -> None:
    """Each type has properties of its own: what a ticket knows, a note drops in silence."""
    given = {"hs_timestamp": "1770091506007", "hs_note_body": "<p>A</p>", "subject": "B", "nope": "C"}

    note = api.post(NOTES, json={"properties": given}).json()

    assert {"subject", "nope"}.isdisjoint(note["properties"])
    assert note["properties"]["hs_timestamp"] == "2026-02-03T04:05:06.007Z"
