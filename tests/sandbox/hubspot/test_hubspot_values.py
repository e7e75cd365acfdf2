"""What a write may set on tickets: names, options, texts, references."""

from __future__ import annotations

import httpx
import pytest

from connector.sandbox.hubspot import HubSpot

from .support import NEW, TICKETS, codes, made, read, refused


def change(api: httpx.Client, ticket: str, **properties: object) -> httpx.Response:
    return api.patch(f"{TICKETS}/{ticket}", json={"properties": properties})


def test_an_unknown_property_is_refused_by_name(api: httpx.Client) -> None:
    answer = change(api, made(api), nextcap_mood="good")

    body = refused(answer, 400, "VALIDATION_ERROR")
    assert "nextcap_mood" in body["message"]
    assert body["errors"][0]["code"] == "PROPERTY_DOESNT_EXIST"
    assert body["errors"][0]["context"] == {"propertyName": ["nextcap_mood"]}


@pytest.mark.parametrize("name", ["hs_object_id", "createdate", "hs_is_closed", "closed_date"])
def test_a_read_only_property_is_refused(api: httpx.Client, name: str) -> None:
    assert codes(change(api, made(api), **{name: "1"})) == ["READ_ONLY_VALUE"]


def test_an_unknown_option_is_refused_with_the_allowed_ones(api: httpx.Client) -> None:
    answer = change(api, made(api), hs_ticket_priority="NORMAL")

    assert codes(answer) == ["INVALID_OPTION"]
    assert "[LOW, MEDIUM, HIGH, URGENT]" in answer.json()["message"]


def test_every_fault_of_a_write_is_listed_and_nothing_is_written(api: httpx.Client) -> None:
    ticket = made(api)

    answer = change(api, ticket, subject="Other", nope="1", hs_ticket_priority="NORMAL")

    assert codes(answer) == ["PROPERTY_DOESNT_EXIST", "INVALID_OPTION"]
    assert read(api, ticket)["subject"] == NEW["subject"]


def test_an_option_that_people_removed_is_refused_but_kept_where_it_is(api: httpx.Client, hubspot: HubSpot) -> None:
    holder, other = made(api, hs_ticket_priority="URGENT"), made(api)

    hubspot.remove_option("hs_ticket_priority", "URGENT")

    assert codes(change(api, other, hs_ticket_priority="URGENT")) == ["INVALID_OPTION"]
    assert read(api, holder)["hs_ticket_priority"] == "URGENT"


def test_a_multiple_choice_is_replaced_or_added_to(api: httpx.Client) -> None:
    ticket = made(api, hs_ticket_category="PRODUCT_ISSUE")

    change(api, ticket, hs_ticket_category=";BILLING_ISSUE;PRODUCT_ISSUE")
    assert read(api, ticket)["hs_ticket_category"] == "PRODUCT_ISSUE;BILLING_ISSUE"

    change(api, ticket, hs_ticket_category="FEATURE_REQUEST")
    assert read(api, ticket)["hs_ticket_category"] == "FEATURE_REQUEST"

    assert codes(change(api, ticket, hs_ticket_category="FEATURE_REQUEST;LOVE")) == ["INVALID_OPTION"]


def test_a_text_has_at_most_65536_characters_and_is_not_trimmed(api: httpx.Client) -> None:
    ticket = made(api, content=" " + "é" * 65_534 + "\n")

    assert read(api, ticket)["content"] == " " + "é" * 65_534 + "\n"
    assert codes(change(api, ticket, content="x" * 65_537)) == ["VALUE_TOO_LONG"]


@pytest.mark.parametrize("value", [7, True, None, ["a"]])
def test_values_must_be_texts(api: httpx.Client, value: object) -> None:
    assert codes(change(api, made(api), subject=value)) == ["INVALID_TYPE"]


def test_an_owner_is_named_by_owner_id_and_still_there(api: httpx.Client, hubspot: HubSpot) -> None:
    ana, *_, dora = hubspot.portal.owners.all
    ticket = made(api, hubspot_owner_id=ana.id)

    assert codes(change(api, ticket, hubspot_owner_id=str(ana.user_id))) == ["INVALID_OWNER_ID"]
    assert codes(change(api, ticket, hubspot_owner_id=dora.id)) == ["INVALID_OWNER_ID"]
    assert codes(change(api, ticket, hubspot_owner_id=ana.email)) == ["INVALID_OWNER_ID"]
    assert change(api, ticket, hubspot_owner_id="").status_code == 200


def test_a_stage_is_an_id_of_the_tickets_own_pipeline(api: httpx.Client, hubspot: HubSpot) -> None:
    sales = hubspot.add_pipeline("Returns", {"Asked": "OPEN", "Done": "CLOSED"})
    stage = sales["stages"][0]["id"]
    ticket = made(api)

    assert codes(change(api, ticket, hs_pipeline_stage="Closed")) == ["INVALID_OPTION"]
    assert codes(change(api, ticket, hs_pipeline_stage=stage)) == ["INVALID_OPTION"]
    assert codes(change(api, ticket, hs_pipeline=sales["id"])) == ["INVALID_OPTION"]
    assert codes(change(api, ticket, hs_pipeline="99")) == ["INVALID_OPTION"]
    assert change(api, ticket, hs_pipeline=sales["id"], hs_pipeline_stage=stage).status_code == 200


@pytest.mark.parametrize(
    ("kind", "good", "kept"),
    [
        ("number", "1e2", "100"),
        ("bool", "true", "true"),
        ("date", "2026-02-03", "2026-02-03"),
        ("date", "1770076800000", "2026-02-03"),
        ("datetime", "2026-02-03T04:05:06Z", "2026-02-03T04:05:06.000Z"),
        ("datetime", "1770091506007", "2026-02-03T04:05:06.007Z"),
    ],
)
def test_typed_values_are_kept_in_one_form(api: httpx.Client, kind: str, good: str, kept: str) -> None:
    add_property(api, kind)

    assert read(api, made(api, typed=good), "typed")["typed"] == kept


@pytest.mark.parametrize(
    ("kind", "bad", "code"),
    [
        ("number", "ten", "INVALID_NUMBER"),
        ("number", "NaN", "INVALID_NUMBER"),
        ("bool", "True", "INVALID_OPTION"),
        ("date", "1770091506007", "INVALID_DATE"),
        ("date", "3.2.2026", "INVALID_DATE"),
        ("datetime", "2026-02-03T04:05:06+01:00", "INVALID_DATE"),
        ("datetime", "2026-02-03T04:05:06", "INVALID_DATE"),
    ],
)
def test_values_of_another_type_are_refused(api: httpx.Client, kind: str, bad: str, code: str) -> None:
    add_property(api, kind)

    assert codes(api.post(TICKETS, json={"properties": {**NEW, "typed": bad}})) == [code]


def add_property(api: httpx.Client, kind: str) -> None:
    field_type = {"bool": "booleancheckbox", "number": "number"}.get(kind, "date")
    wanted = {"name": "typed", "label": "Typed", "type": kind, "fieldType": field_type}
    path = "/crm/properties/2026-03/tickets"
    assert api.post(path, json={**wanted, "groupName": "ticketinformation"}).status_code == 201


def test_a_portal_rule_holds_from_the_newest_version_on(api: httpx.Client, hubspot: HubSpot) -> None:
    hubspot.configure(portal_rules=[{"stage": "Closed", "requires": "hs_resolution"}])
    ticket = made(api)

    answer = change(api, ticket, hs_pipeline_stage="4")

    assert "hs_resolution" in refused(answer, 400, "VALIDATION_ERROR")["message"]
    assert change(api, ticket, hs_pipeline_stage="4", hs_resolution="ISSUE_FIXED").status_code == 200
    older = f"/crm/objects/2026-03/tickets/{made(api)}"
    assert api.patch(older, json={"properties": {"hs_pipeline_stage": "4"}}).status_code == 200


def test_a_clash_on_a_unique_property_names_the_holder(api: httpx.Client, fields: None) -> None:
    holder, other = made(api, nextcap_ticket_id="t1"), made(api)

    answer = change(api, other, nextcap_ticket_id="t1")

    assert codes(answer) == ["CONFLICTING_UNIQUE_VALUE"]
    assert holder in answer.json()["message"]
