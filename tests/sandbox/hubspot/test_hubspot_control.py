"""The control API: people's actions, settings, troubles, state, from another process."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connector.sandbox.hubspot import HubSpot

from .support import NEW, TICKETS, made


def act(api: httpx.Client, action: str, /, **arguments: Any) -> Any:
    answer = api.post(f"/_control/actions/{action}", json=arguments)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def state(api: httpx.Client) -> Any:
    return api.get("/_control/state").json()


def test_a_day_in_the_pages(api: httpx.Client) -> None:
    ticket = act(api, "create_ticket", subject="Help", contact="eve@example.com", by="ben@acme.example")
    act(api, "move_stage", ticket=ticket, stage="Waiting on contact")
    act(api, "set_properties", ticket=ticket, properties={"hs_ticket_priority": "HIGH"})
    file = act(api, "add_file", name="a.txt", content="QQ==")
    note = act(api, "write_note", ticket=ticket, html="<p>First</p>", attachments=[file])
    act(api, "edit_note", note=note, html="<p>Better</p>")
    gone = act(api, "write_note", ticket=ticket, html="<p>Oops</p>")
    act(api, "delete_note", note=gone)

    (seen,) = state(api)["tickets"]

    assert (seen["stage"], seen["pipeline"]) == ("Waiting on contact", "Support Pipeline")
    assert seen["properties"]["hs_ticket_priority"] == "HIGH"
    assert seen["properties"]["hs_object_source"] == "CRM_UI"
    notes = [(one["body"], one["source"], one["attachments"], one["archived"]) for one in seen["notes"]]
    assert notes == [("<p>Better</p>", "CRM_UI", [file], False), ("<p>Oops</p>", "CRM_UI", [], True)]
    (contact,) = state(api)["contacts"]
    assert seen["contacts"] == [contact["id"]]
    assert {"from": f"tickets/{ticket}", "to": f"contacts/{contact['id']}", "types": [16]} in state(api)["associations"]


def test_contacts_come_and_go(api: httpx.Client, hubspot: HubSpot) -> None:
    ticket = made(api)
    contact = act(api, "create_contact", email="eve@example.com", first_name="Eve")
    act(api, "set_contact", contact=contact, properties={"firstname": "Eva"})

    act(api, "associate_contact", ticket=ticket, contact=contact)
    assert hubspot.ticket(ticket)["contacts"] == [contact]
    act(api, "dissociate_contact", ticket=ticket, contact=contact)

    assert hubspot.ticket(ticket)["contacts"] == []
    assert state(api)["contacts"][0]["properties"]["firstname"] == "Eva"


def test_a_note_that_waits_for_its_ticket_is_forgotten_in_a_reset(api: httpx.Client, hubspot: HubSpot) -> None:
    hubspot.configure(note_link_delay=30.0)
    hubspot.write_note(made(api), "<p>A</p>")

    hubspot.reset()

    assert hubspot.timers == []


def test_people_are_refused_too(api: httpx.Client) -> None:
    ticket = made(api)

    for name, arguments, status in (
        ("set_properties", {"ticket": ticket, "properties": {"nope": "1"}}, 400),
        ("move_stage", {"ticket": ticket, "stage": "Nowhere"}, 404),
        ("create_ticket", {"subject": "A", "by": "dora@acme.example"}, 404),
        ("write_note", {"ticket": "17", "html": "A"}, 404),
        ("restore_ticket", {"ticket": ticket}, 400),
        ("restore_ticket", {"ticket": "17"}, 404),
        ("create_contact", {"email": "eve"}, 400),
        ("remove_option", {"property": "hs_resolution", "value": "NONE"}, 404),
        ("add_pipeline", {"label": "Support Pipeline", "stages": {}}, 409),
        ("no_such_action", {}, 404),
        ("move_stage", {"nonsense": 1}, 400),
    ):
        answer = api.post(f"/_control/actions/{name}", json=arguments)
        assert answer.status_code == status, (name, answer.text)


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [
        ("burst", 429, "TEN_SECONDLY_ROLLING"),
        ("search", 429, "SECONDLY"),
        ("daily", 429, "DAILY"),
        ("locked", 423, "locked"),
        ("moving", 477, "MIGRATION"),
        ("error", 500, "internal"),
        ("unavailable", 503, "SERVICE_UNAVAILABLE"),
        ("conflict", 409, "CONFLICT"),
        ("expired", 401, "EXPIRED_AUTHENTICATION"),
        ("gateway", 502, "<html>"),
    ],
)
def test_troubles_are_answered_by_name_and_nothing_is_applied(
    api: httpx.Client, name: str, status: int, text: str
) -> None:
    act(api, "fail", name=name, method="POST", path="/tickets$")

    answer = api.post(TICKETS, json={"properties": NEW})

    assert (answer.status_code, text in answer.text) == (status, True)
    assert state(api)["tickets"] == []
    assert made(api)


def test_a_trouble_may_say_how_long(api: httpx.Client) -> None:
    act(api, "fail", name="daily", retry_after=120)
    act(api, "fail", name="moving", retry_after=7)

    assert [api.get(TICKETS).headers.get("Retry-After") for _ in range(3)] == ["120", "7", None]
    assert api.post("/_control/actions/fail", json={"name": "flood"}).status_code == 400


def test_a_lost_answer_has_been_applied(api: httpx.Client, hubspot: HubSpot) -> None:
    hubspot.faults.add("lost_answer", method="POST", path="/notes")

    with pytest.raises(httpx.RemoteProtocolError):
        api.post("/crm/objects/2026-09/notes", json={"properties": {"hs_timestamp": "1770091506007"}})

    assert len(hubspot.state()["notes"]) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"no_such": 1},
        {"burst": "many"},
        {"unset": "gone"},
        {"scopes": "tickets"},
        {"retry_after": 1},
        {"portal_rules": [{"stage": "Closed"}]},
        {"workflows": [{"property": "subject"}]},
    ],
)
def test_a_wrong_setting_changes_nothing(api: httpx.Client, hubspot: HubSpot, wrong: dict[str, Any]) -> None:
    before = hubspot.settings_view()

    assert api.post("/_control/settings", json={"daily": 7, **wrong}).status_code == 400
    assert hubspot.settings_view() == before


def test_a_reset_makes_a_new_portal(api: httpx.Client, hubspot: HubSpot) -> None:
    made(api)
    api.post("/_control/settings", json={"unset": "empty"})

    api.post("/_control/reset")

    assert state(api)["tickets"] == []
    assert hubspot.settings_view()["unset"] == "null"
    assert hubspot.calls.total == 0


def test_calls_are_counted_by_route(api: httpx.Client, hubspot: HubSpot) -> None:
    ticket = made(api)
    api.get(f"{TICKETS}/{ticket}")

    templates = {call.template for call in hubspot.calls.kept()}

    assert templates == {
        "/crm/objects/2026-09/<kind:kind>",
        "/crm/objects/2026-09/<kind:kind>/<record_id>",
    }


def test_an_outage_keeps_the_portal(api: httpx.Client, hubspot: HubSpot) -> None:
    ticket = made(api)

    hubspot.stop()
    with pytest.raises(httpx.TransportError):
        api.get(TICKETS)
    hubspot.start()

    assert api.get(f"{TICKETS}/{ticket}").status_code == 200
