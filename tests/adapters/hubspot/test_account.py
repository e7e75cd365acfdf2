"""The account: people, schema, our own properties, doctor, versions, and the meaning of refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector.adapters.hubspot import VERSIONS, rate, sort
from connector.adapters.testing.hubspot import HubSpotArena
from connector.adapters.transport import Request, Response
from connector.domain.errors import Gone, Refused, RetryLater
from connector.domain.schema import Option
from connector.sandbox.hubspot import HubSpot as Imitation


def test_people_are_the_owners_and_who_left_is_inactive(arena: HubSpotArena, portal: Imitation) -> None:
    portal.configure(owner_emails=[f"Agent{number}@Acme.example" for number in range(130)])

    people = arena.hubspot.people()

    assert sum(one.active for one in people) == 130
    assert [one.email for one in people if not one.active] == ["dora@acme.example"]
    assert "agent129@acme.example" in {one.email for one in people}


def test_the_schema_binds_labels_to_ids(arena: HubSpotArena, portal: Imitation) -> None:
    other = portal.add_pipeline("Returns", {"Arrived": "OPEN"})

    schema = arena.hubspot.schema()
    pipeline, stage, category = map(schema.field, ("hs_pipeline", "hs_pipeline_stage", "hs_ticket_category"))
    owner, closed, ours = map(schema.field, ("hubspot_owner_id", "closed_date", "nextcap_ticket_id"))

    assert pipeline
    assert pipeline.options == (Option("0", "Support Pipeline"), Option(other["id"], "Returns"))
    assert stage
    assert stage.parent == "hs_pipeline"
    assert stage.required
    assert Option("3", "Waiting on us", "0") in stage.options
    assert Option(other["stages"][0]["id"], "Arrived", other["id"]) in stage.options
    assert category
    assert category.multiple
    assert owner
    assert owner.options == ()
    assert ours
    assert (ours.type, ours.writable) == ("text", True)
    assert closed
    assert not closed.options


def test_read_only_properties_are_told(arena: HubSpotArena) -> None:
    schema = arena.hubspot.schema()

    assert {name: field.writable for name in ("createdate", "subject") if (field := schema.field(name))} == {
        "createdate": False,
        "subject": True,
    }


# -- our own properties


def states(arena: HubSpotArena, *, dry_run: bool = False) -> dict[str, str]:
    return {step.what.split()[-1]: step.state for step in arena.hubspot.ensure_schema(dry_run=dry_run)}


def test_setting_up_makes_what_is_missing_once(blank: HubSpotArena) -> None:
    dry, first, second = states(blank, dry_run=True), states(blank), states(blank)

    assert set(dry.values()) == {"would"}
    assert set(first.values()) == {"done"}
    assert set(second.values()) == {"ok"}
    assert set(first) == {
        *("nextcap", "nextcap_ticket_id", "nextcap_status", "nextcap_ticket_url", "nextcap_department"),
        *("nextcap_tags", "nextcap_custom_fields"),
    }
    status = blank.hubspot.schema().field("nextcap_status")
    assert status
    assert [one.value for one in status.options] == [
        *("new", "open", "in_progress", "waiting_customer", "waiting_internal", "resolved", "closed", "reopened")
    ]


def test_one_that_somebody_else_makes_meanwhile_is_taken(arena: HubSpotArena) -> None:
    """Two processes start at once: the POST of the later one is refused, the property is there."""
    body = {"category": "OBJECT_NOT_FOUND", "message": "not yet"}
    arena.fault("status", method="GET", path="properties/.*/nextcap_tags", status=404, body=body)

    assert states(arena)["nextcap_tags"] == "ok"


def test_an_archived_property_that_holds_the_name_is_said_plainly(arena: HubSpotArena, portal: Imitation) -> None:
    portal.archive_property("nextcap_tags")

    step = next(one for one in arena.hubspot.ensure_schema(dry_run=False) if "nextcap_tags" in one.what)

    assert step.state == "problem"
    assert "archived" in step.advice
    assert "restore" in step.advice


@pytest.mark.parametrize(
    ("name", "made", "told"),
    [
        ("nextcap_ticket_id", {"type": "string", "fieldType": "text"}, "not unique"),
        ("nextcap_tags", {"type": "number", "fieldType": "number"}, "type number"),
        (
            "nextcap_status",
            {"type": "enumeration", "fieldType": "select", "options": [{"label": "New", "value": "new"}]},
            "waiting_internal",
        ),
    ],
)
def test_a_property_of_that_name_that_cannot_serve_is_said_plainly(
    blank: HubSpotArena, portal: Imitation, name: str, made: Mapping[str, Any], told: str
) -> None:
    portal.portal.schemas["tickets"].add_group({"name": "nextcap", "label": "Next Cap"})
    wanted = {"name": name, "label": name, "groupName": "nextcap", **made}
    portal.portal.schemas["tickets"].add(wanted, now=blank.now())

    step = next(one for one in blank.hubspot.ensure_schema(dry_run=False) if name in one.what)

    assert step.state == "problem"
    assert told in step.advice


def test_a_full_account_says_why_our_id_cannot_be_made(blank: HubSpotArena, portal: Imitation) -> None:
    schema = portal.portal.schemas["tickets"]
    schema.add_group({"name": "others", "label": "Others"})
    for number in range(10):
        wanted = {"name": f"other_{number}", "label": f"Other {number}", "groupName": "others", "type": "string"}
        schema.add({**wanted, "fieldType": "text", "hasUniqueValue": True}, now=blank.now())

    steps = {step.what.split()[-1]: step for step in blank.hubspot.ensure_schema(dry_run=False)}

    assert steps["nextcap_ticket_id"].state == "problem"
    assert "at most 10 unique" in steps["nextcap_ticket_id"].advice
    assert steps["nextcap_tags"].state == "done"


# -- doctor


def unwell(arena: HubSpotArena, **options: Any) -> dict[str, str]:
    return {one.what: f"{one.detail} {one.advice}" for one in arena.new_adapter(**options).check() if not one.ok}


def test_doctor_names_the_missing_scope(arena: HubSpotArena, portal: Imitation) -> None:
    portal.configure(scopes=[one for one in portal.settings.scopes if "owners" not in one])

    assert set(unwell(arena)) == {"reading owners"}
    assert "crm.objects.owners.read" in unwell(arena)["reading owners"]


def test_doctor_finds_what_would_fail_later(arena: HubSpotArena, portal: Imitation) -> None:
    portal.archive_property("nextcap_tags")

    found = unwell(arena, webhook_secrets=[""])

    assert set(found) == {"fields", "webhooks"}
    assert "nextcap_tags" in found["fields"]
    assert "connector setup" in found["fields"]
    assert "https://connector.example.test/webhooks/hubspot" in found["webhooks"]


def test_doctor_sees_a_wrong_clock_and_a_day_that_is_used_up(arena: HubSpotArena, portal: Imitation) -> None:
    portal.clock.advance(200)
    usage = {"name": "private-apps-api-calls-daily", "currentUsage": 230_000, "usageLimit": 250_000}
    arena.fault("status", path="api-usage", status=200, body={"results": [usage]})

    found = unwell(arena)

    assert set(found) == {"clock", "daily calls"}
    assert "set this machine's clock" in found["clock"]
    assert "230000 of 250000" in found["daily calls"]


def test_an_app_that_is_not_counted_by_the_day_is_well(arena: HubSpotArena) -> None:
    arena.fault("status", path="api-usage", status=200, body={"results": []})

    assert unwell(arena) == {}


def test_doctor_survives_an_outage(arena: HubSpotArena, portal: Imitation) -> None:
    portal.stop()
    try:
        found = unwell(arena)
    finally:
        portal.start()

    assert {"account", "fields", "pipeline", "reading tickets"} <= set(found)


DOCUMENTED = ["tickets", "crm.objects.contacts.read", "crm.objects.contacts.write", "crm.objects.owners.read"]


def test_the_scopes_of_the_manual_are_enough(blank: HubSpotArena, portal: Imitation) -> None:
    portal.configure(scopes=DOCUMENTED)

    blank.set_up()
    written = blank.create("key-1", "outside-1")
    note = blank.add(blank.note(written.id, "note-1", "Hello"))["note-1"]

    assert (written.error, written.warnings, note.error) == (None, (), None)
    assert unwell(blank) == {}
    manual = (Path(__file__).parents[3] / "docs/crm/hubspot.md").read_text()
    assert not [scope for scope in DOCUMENTED if f"`{scope}`" not in manual]


def test_every_line_of_the_doctor_is_in_the_manual(arena: HubSpotArena) -> None:
    manual = (Path(__file__).parents[3] / "docs/crm/hubspot.md").read_text()

    assert not [
        one.what
        for one in arena.hubspot.check()
        if f"`{one.what.replace('reading ', '')}`" not in manual and f"`{one.what}`" not in manual
    ]


# -- versions


def test_every_path_takes_its_version_from_the_map(arena: HubSpotArena, portal: Imitation) -> None:
    versions = {name: f"20{20 + place}-03" for place, name in enumerate(sorted(VERSIONS))}
    adapter = arena.new_adapter(versions=versions)
    arena.forget_calls()
    portal.faults.add("status", status=200, body={"results": []}, times=None)

    adapter.check()
    adapter.schema()
    adapter.people()
    adapter.comments(["1"])
    seen = {call.path for call in portal.calls.kept()}

    prefixes = {
        "objects": "/crm/objects/",
        "associations": "/crm/associations/",
        "properties": "/crm/properties/",
        "pipelines": "/crm/pipelines/",
        "owners": "/crm/owners/",
        "account": "/account-info/",
    }
    for name, prefix in prefixes.items():
        used = {path.removeprefix(prefix).split("/")[0] for path in seen if path.startswith(prefix)}
        assert used == {versions[name]}


# -- refusals


ASKED = Request("POST", "/crm/objects/2026-09/tickets/1", "/crm/objects/2026-09/tickets/:ticket")


def answer(status: int, body: object = None, **headers: str) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


@pytest.mark.parametrize(
    ("response", "after"),
    [
        (answer(429, {"policyName": "SECONDLY"}), 1.0),
        (answer(429, {"policyName": "TEN_SECONDLY_ROLLING"}), 2.0),
        (answer(429, {"policyName": "DAILY"}), 900.0),
        (answer(429, {"policyName": "DAILY"}, retry_after="42"), 42.0),
        (answer(429, b"<html>", retry_after="90000"), 3600.0),
        (answer(477, {}, retry_after="86400"), 3600.0),
        (answer(477), 60.0),
    ],
)
def test_limits_are_everybodys_wait(response: Response, after: float) -> None:
    error = sort(ASKED, response)

    assert isinstance(error, RetryLater)
    assert (error.scope, error.after) == ("connection", after)


def test_a_locked_record_is_tried_again_in_two_seconds() -> None:
    error = sort(ASKED, answer(423))

    assert isinstance(error, RetryLater)
    assert (error.scope, error.after) == ("record", 2.0)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 521, 523, 524])
def test_what_a_server_error_means_is_the_transports_to_say(status: int) -> None:
    assert sort(ASKED, answer(status, b"<html>")) is None


REQUIRED = "Cannot create object with type: TICKET. The following required properties were missing: [subject]"
VERDICT = 'Property values were not valid: [{"isValid":false,"message":"X was not one of the allowed options: [A]",'


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"category": "VALIDATION_ERROR", "message": 'Property "abc" does not exist'}, "validation_error", "abc"),
        ({"category": "VALIDATION_ERROR", "message": REQUIRED}, "validation_error", "subject"),
        ({"message": VERDICT + '"error":"INVALID_OPTION","name":"hs_x"}]'}, "invalid_option", "hs_x"),
        (
            {"errors": [{"message": "no", "code": "INVALID_OPTION", "context": {"propertyName": ["hs_y"]}}]},
            "invalid_option",
            "hs_y",
        ),
        (
            {"errors": [{"message": "no", "code": "PROPERTY_DOESNT_EXIST", "in": "hs_z"}]},
            "property_doesnt_exist",
            "hs_z",
        ),
        ({"category": "VALIDATION_ERROR", "context": {"properties": ["a", "b"]}}, "validation_error", "a"),
        ({"category": "VALIDATION_ERROR", "context": {"propertyName": "plain"}}, "validation_error", "plain"),
        ({"message": "Property values were not valid: [{broken}]"}, "http_400", None),
        ({"errors": "odd", "context": "odd", "message": None}, "http_400", None),
        ({"errors": ["odd"], "message": 7}, "http_400", None),
        ([], "http_400", None),
    ],
)
def test_a_refusal_is_read_wherever_hubspot_put_it(body: object, code: str, field: str | None) -> None:
    error = sort(ASKED, answer(400, body))

    assert isinstance(error, Refused)
    assert (error.code, error.field, error.status) == (code, field, 400)


def test_a_refusal_carries_what_hubspots_support_asks_for_and_is_short() -> None:
    error = sort(ASKED, answer(400, {"message": "x" * 5000, "correlationId": "abc-123"}))

    assert "abc-123" in str(error)
    assert len(str(error)) < 500


def test_only_hubspots_own_words_make_a_record_gone() -> None:
    gone = sort(ASKED, answer(404, {"category": "OBJECT_NOT_FOUND", "message": "resource not found"}))
    page, empty = sort(ASKED, answer(404, b"<html>")), sort(ASKED, answer(404, {"message": "no such path"}))

    assert isinstance(gone, Gone)
    assert not isinstance(page, Gone)
    assert not isinstance(empty, Gone)
    assert isinstance(page, Refused)
    assert isinstance(empty, Refused)


def test_the_limit_is_learned_from_the_answer() -> None:
    learned = rate(answer(200, x_hubspot_ratelimit_max="190", x_hubspot_ratelimit_remaining="3"))

    assert learned
    assert (learned.limit, learned.remaining) == (190, 3)
    assert rate(answer(200)) is None
    assert rate(answer(200, x_hubspot_ratelimit_max="many")) is None


def test_the_limit_of_searches_is_no_other_answers() -> None:
    searched = Request("POST", "/crm/objects/2026-09/tickets/search", "/search", bucket="search")

    assert rate(replace(answer(200, x_hubspot_ratelimit_max="190"), request=searched)) is None
