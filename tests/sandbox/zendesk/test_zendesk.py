"""The imitation of Zendesk refuses what Zendesk refuses, and does what it does by itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connector.sandbox.zendesk import Zendesk
from tests.sandbox.conftest import Receiver, wait_until

AGENT = 9002


@pytest.fixture(scope="module")
def imitation() -> Iterator[Zendesk]:
    with Zendesk() as running:
        yield running


@pytest.fixture
def zendesk(imitation: Zendesk) -> Zendesk:
    imitation.reset()
    return imitation


@pytest.fixture
def api(zendesk: Zendesk) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {zendesk.credentials.access_token}"}
    with httpx.Client(base_url=f"{zendesk.url}/api/v2", headers=headers) as opened:
        yield opened


def token(zendesk: Zendesk, **asked: Any) -> httpx.Response:
    client = {"client_id": zendesk.credentials.client_id, "client_secret": zendesk.credentials.client_secret}
    return httpx.post(f"{zendesk.url}/oauth/tokens", json={**client, **asked})


def made(api: httpx.Client, **values: Any) -> dict[str, Any]:
    body = {"subject": "It does not work", "comment": {"body": "At all"}, **values}
    answer = api.post("/tickets", json={"ticket": body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["ticket"])


def put(api: httpx.Client, ticket: Any, **values: Any) -> httpx.Response:
    return api.put(f"/tickets/{ticket}", json={"ticket": values})


def wrong(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    return list(answer.json()["details"])


def test_a_refresh_ends_the_old_pair_at_once(zendesk: Zendesk) -> None:
    first = token(zendesk, grant_type="refresh_token", refresh_token=zendesk.credentials.refresh_token).json()
    second = token(zendesk, grant_type="refresh_token", refresh_token=first["refresh_token"]).json()

    old = httpx.get(f"{zendesk.url}/api/v2/users/me", headers={"Authorization": f"Bearer {first['access_token']}"})
    new = httpx.get(f"{zendesk.url}/api/v2/users/me", headers={"Authorization": f"Bearer {second['access_token']}"})
    again = token(zendesk, grant_type="refresh_token", refresh_token=first["refresh_token"])

    assert (old.status_code, new.status_code, again.status_code) == (401, 200, 400)
    assert again.json()["error"] == "invalid_grant"


def test_client_credentials_give_no_refresh_token(zendesk: Zendesk) -> None:
    told = token(zendesk, grant_type="client_credentials", scope="read write").json()

    assert "refresh_token" not in told
    assert token(zendesk, grant_type="client_credentials", client_secret="guess").status_code == 401


def test_a_token_ends(zendesk: Zendesk) -> None:
    told = token(zendesk, grant_type="client_credentials", expires_in=300).json()
    zendesk.clock.advance(301)

    answer = httpx.get(f"{zendesk.url}/api/v2/users/me", headers={"Authorization": f"Bearer {told['access_token']}"})

    assert answer.status_code == 401


def test_a_narrow_scope_forbids(zendesk: Zendesk, api: httpx.Client) -> None:
    zendesk.configure(scope="tickets:read")

    assert api.get("/tickets").status_code == 200
    assert api.post("/tickets", json={"ticket": {"comment": {"body": "x"}}}).status_code == 403


def test_one_key_makes_one_ticket(api: httpx.Client, zendesk: Zendesk) -> None:
    body, key = {"ticket": {"subject": "Once", "comment": {"body": "x"}}}, {"Idempotency-Key": "k"}

    first, again = (api.post("/tickets", json=body, headers=key) for _ in range(2))
    other = api.post("/tickets", json={"ticket": {"subject": "Other", "comment": {"body": "x"}}}, headers=key)
    zendesk.clock.advance(7201)
    late = api.post("/tickets", json=body, headers=key)

    assert first.json()["ticket"]["id"] == again.json()["ticket"]["id"] != late.json()["ticket"]["id"]
    assert [one.headers["x-idempotency-lookup"] for one in (first, again)] == ["miss", "hit"]
    assert other.status_code == 400


def test_nothing_returns_to_new(api: httpx.Client) -> None:
    ticket = made(api, status="open")["id"]

    assert wrong(put(api, ticket, status="new")) == ["status"]


def test_solving_needs_an_assignee(api: httpx.Client) -> None:
    ticket = made(api)["id"]

    assert wrong(put(api, ticket, status="solved")) == ["assignee"]
    assert put(api, ticket, status="solved", assignee_id=AGENT).json()["ticket"]["status"] == "solved"


def test_an_assigned_ticket_is_open(api: httpx.Client) -> None:
    ticket = made(api)["id"]

    assert put(api, ticket, assignee_id=AGENT).json()["ticket"]["status"] == "open"


def test_closed_is_final_but_for_tags_subject_and_priority(api: httpx.Client, zendesk: Zendesk) -> None:
    ticket = made(api, assignee_id=AGENT, status="solved")["id"]
    zendesk.close_ticket(str(ticket))

    assert wrong(put(api, ticket, status="open")) == ["status"]
    assert wrong(put(api, ticket, comment={"body": "Still there?"})) == ["status"]
    assert put(api, ticket, tags=["late"], subject="New", priority="low").status_code == 200


def test_a_follow_up_follows_a_closed_ticket_only(api: httpx.Client, zendesk: Zendesk) -> None:
    ticket = made(api, assignee_id=AGENT, status="solved", tags=["vip"])["id"]
    body = {"ticket": {"subject": "Again", "comment": {"body": "x"}, "via_followup_source_id": ticket}}

    assert wrong(api.post("/tickets", json=body)) == ["via_followup_source_id"]
    zendesk.close_ticket(str(ticket))
    follow_up = api.post("/tickets", json=body).json()["ticket"]

    assert follow_up["tags"] == ["vip"]
    assert api.get(f"/tickets/{ticket}").json()["ticket"]["followup_ids"] == [follow_up["id"]]


def test_solved_tickets_close_by_themselves(api: httpx.Client, zendesk: Zendesk) -> None:
    ticket = made(api, assignee_id=AGENT, status="solved")["id"]
    zendesk.clock.advance(28 * 86_400)

    assert api.get(f"/tickets/{ticket}").json()["ticket"]["status"] == "closed"


def test_a_customers_answer_opens_a_ticket(api: httpx.Client, zendesk: Zendesk) -> None:
    ticket = made(api, requester={"name": "Jo", "email": "jo@home.example"}, status="pending")["id"]

    zendesk.customer_replies(str(ticket), "Here it is")

    assert api.get(f"/tickets/{ticket}").json()["ticket"]["status"] == "open"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"status": "waiting"}, "status"),
        ({"status": "hold"}, "status"),
        ({"priority": "somewhat"}, "priority"),
        ({"assignee_id": 1}, "assignee"),
        ({"group_id": 1}, "group"),
        ({"custom_status_id": 501}, "custom_status_id"),
        ({"comment": {"body": " "}}, "comment"),
        ({"subject": ""}, "subject"),
    ],
)
def test_wrong_values_are_refused_by_name(api: httpx.Client, values: dict[str, Any], field: str) -> None:
    assert wrong(put(api, made(api)["id"], **values)) == [field]


def test_priority_cannot_be_cleared(api: httpx.Client) -> None:
    assert wrong(put(api, made(api, priority="low")["id"], priority=None)) == ["priority"]


def test_a_stale_safe_update_is_a_conflict(api: httpx.Client, zendesk: Zendesk) -> None:
    ticket = made(api)
    zendesk.clock.advance(5)
    zendesk.change(str(ticket["id"]), {"priority": "low"})

    stale = put(api, ticket["id"], subject="Mine", safe_update=True, updated_stamp=ticket["updated_at"])
    newest = api.get(f"/tickets/{ticket['id']}").json()["ticket"]["updated_at"]
    fresh = put(api, ticket["id"], subject="Mine", safe_update=True, updated_stamp=newest)

    assert (stale.status_code, fresh.status_code) == (409, 200)


def test_an_update_without_a_change_moves_nothing(api: httpx.Client, zendesk: Zendesk) -> None:
    ticket = made(api, priority="low")
    zendesk.clock.advance(5)

    assert put(api, ticket["id"], priority="low").json()["ticket"]["updated_at"] == ticket["updated_at"]


def test_a_job_tells_of_each_ticket_when_it_is_done(api: httpx.Client, zendesk: Zendesk) -> None:
    ticket = made(api)["id"]
    items = [{"id": ticket, "priority": "high"}, {"id": 1, "priority": "high"}, {"id": ticket, "status": "solved"}]

    job = api.put("/tickets/update_many", json={"tickets": items}).json()["job_status"]
    zendesk.clock.advance(1)
    done = api.get(f"/job_statuses/{job['id']}").json()["job_status"]

    assert (job["status"], job["results"]) == ("queued", None)
    assert done["status"] == "completed"
    assert [(one["index"], one.get("error")) for one in done["results"]] == [
        (0, None),
        (1, "TicketNotFound"),
        (2, "TicketUpdateFailed"),
    ]


def test_a_job_takes_a_hundred_and_the_account_thirty_jobs(api: httpx.Client, zendesk: Zendesk) -> None:
    ticket = made(api)["id"]
    zendesk.configure(job_seconds=600.0)
    many = [{"id": ticket, "priority": "high"}] * 101

    assert api.put("/tickets/update_many", json={"tickets": many}).status_code == 400
    answers = [api.put("/tickets/update_many", json={"tickets": many[:1]}).status_code for _ in range(31)]
    assert answers == [200] * 30 + [429]


def test_an_export_leaves_out_the_newest_minute_and_ends(api: httpx.Client, zendesk: Zendesk) -> None:
    start = int(zendesk.now().timestamp()) - 100
    old = made(api)["id"]
    zendesk.delete_ticket(str(old))
    zendesk.clock.advance(61)
    made(api)

    page = api.get("/incremental/tickets/cursor", params={"start_time": start}).json()

    assert [(one["id"], one["status"]) for one in page["tickets"]] == [(old, "deleted")]
    assert page["end_of_stream"]
    recent = {"start_time": int(zendesk.now().timestamp())}
    assert api.get("/incremental/tickets/cursor", params=recent).status_code == 400


def test_exports_are_ten_a_minute_and_for_administrators(api: httpx.Client, zendesk: Zendesk) -> None:
    asked = {"start_time": int(zendesk.now().timestamp()) - 100}

    answers = [api.get("/incremental/tickets/cursor", params=asked) for _ in range(11)]
    zendesk.configure(role="agent")

    assert [one.status_code for one in answers] == [200] * 10 + [429]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert api.get("/incremental/ticket_events", params=asked).status_code == 403


def test_calls_are_limited_with_headers(api: httpx.Client, zendesk: Zendesk) -> None:
    zendesk.configure(rate_limit=2)

    answers = [api.get("/users/me") for _ in range(4)]

    assert 429 in [one.status_code for one in answers]
    assert answers[0].headers["X-Rate-Limit"] == "2"
    assert all("Retry-After" in one.headers for one in answers if one.status_code == 429)


def test_one_ticket_is_updated_thirty_times_in_ten_minutes(api: httpx.Client) -> None:
    ticket = made(api)["id"]

    answers = [put(api, ticket, subject=f"Number {number}").status_code for number in range(31)]

    assert answers == [200] * 30 + [429]


def test_a_drop_downs_value_is_a_tag(api: httpx.Client) -> None:
    options = [{"name": "Red", "value": "red"}, {"name": "Blue", "value": "blue"}]
    told = {"type": "tagger", "title": "Colour", "custom_field_options": options}
    field = api.post("/ticket_fields", json={"ticket_field": told}).json()["ticket_field"]["id"]
    ticket = made(api, tags=["vip"], custom_fields=[{"id": field, "value": "red"}])

    assert ticket["tags"] == ["red", "vip"]
    changed = put(api, ticket["id"], custom_fields=[{"id": field, "value": "blue"}]).json()["ticket"]
    assert changed["tags"] == ["blue", "vip"]


def test_triggers_change_a_ticket_after_an_update(api: httpx.Client, zendesk: Zendesk) -> None:
    zendesk.configure(triggers=[{"when": {"priority": "urgent"}, "set": {"group_id": 7002}}])
    ticket = made(api)["id"]

    put(api, ticket, priority="urgent")
    audits = api.get(f"/tickets/{ticket}/audits").json()["audits"]

    assert zendesk.ticket(str(ticket))["group"] == "Billing"
    assert audits[-1]["via"]["channel"] == "rule"


def test_events_are_signed_over_time_and_body(api: httpx.Client, zendesk: Zendesk, receiver: Receiver) -> None:
    names = ["zen:event-type:ticket.status_changed", "zen:event-type:ticket.comment_added"]
    told = {"name": "x", "status": "active", "endpoint": receiver.url, "http_method": "POST", "request_format": "json"}
    hook = api.post("/webhooks", json={"webhook": {**told, "subscriptions": names}}).json()["webhook"]
    secret = api.get(f"/webhooks/{hook['id']}/signing_secret").json()["signing_secret"]["secret"]
    ticket = made(api)["id"]

    put(api, ticket, status="pending", comment={"body": "Wait", "public": False})
    wait_until(lambda: len(receiver.requests) == 2)

    for headers, body in receiver.requests:
        signed = headers["x-zendesk-webhook-signature-timestamp"].encode() + body
        expected = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
        assert headers["x-zendesk-webhook-signature"] == expected
    events = {event["type"].rpartition(".")[2]: event for event in receiver.bodies}
    assert events["status_changed"]["event"] == {"current": "PENDING", "previous": "NEW"}
    assert events["status_changed"]["detail"]["id"] == str(ticket)
    assert events["comment_added"]["event"]["comment"]["is_public"] is False


def test_people_act_through_the_control_api(zendesk: Zendesk) -> None:
    with httpx.Client(base_url=f"{zendesk.url}/_control") as control:
        made_ticket = control.post("/actions/create_ticket", json={"subject": "By hand", "email": "a@b.example"}).json()
        control.post("/actions/reply", json={"ticket_id": made_ticket["result"], "text": "Hello"})
        state = json.loads(control.get("/state").content)

    assert [one["body"] for one in state["tickets"][0]["comments"]] == ["At all", "Hello"]
    assert state["mails"][0]["to"] == "a@b.example"


def test_a_search_is_late_and_a_list_by_external_id_is_not(zendesk: Zendesk, api: httpx.Client) -> None:
    zendesk.configure(search_lag=30.0)
    ticket = made(api, subject="Printer on fire", external_id="outside-1")["id"]
    query = {"query": 'type:ticket subject:"printer on fire"'}

    found = [api.get("/search", params=query).json()["results"]]
    listed = api.get("/tickets", params={"external_id": "outside-1"}).json()["tickets"]
    zendesk.clock.advance(31)
    put(api, ticket, subject="Put out")
    found.append(api.get("/search", params=query).json()["results"])
    zendesk.clock.advance(31)
    found.append(api.get("/search", params=query).json()["results"])

    assert [[one["subject"] for one in each] for each in found] == [[], ["Printer on fire"], []]
    assert [one["id"] for one in listed] == [ticket]


@pytest.mark.parametrize("query", ["printer", 'subject:"a"', "type:ticket colour:red"])
def test_a_search_that_cannot_be_understood_is_refused(api: httpx.Client, query: str) -> None:
    assert api.get("/search", params={"query": query}).status_code == 422


@pytest.mark.parametrize("via", [True, False])
def test_a_merged_ticket_stays_and_says_where_it_went_in_its_audits(
    zendesk: Zendesk, api: httpx.Client, via: bool
) -> None:
    zendesk.configure(merge_via=via)
    source, target = made(api)["id"], made(api)["id"]

    zendesk.merge_tickets(str(source), str(target))
    shown = api.get(f"/tickets/{source}").json()["ticket"]
    audit = api.get(f"/tickets/{source}/audits").json()["audits"][-1]

    assert (shown["status"], shown["tags"]) == ("closed", ["closed_by_merge"])
    assert (audit["via"]["source"]["rel"] == "merge") is via
    assert any(f"#{target}" in str(one.get("body")) for one in audit["events"]) is not via
