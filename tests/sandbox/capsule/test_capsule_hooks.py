"""REST hooks: who may have them, what they say, and what they do not."""

from __future__ import annotations

import httpx
import pytest

from connector.sandbox.capsule import Capsule

from .support import Receiver, field, project, put, refused, subscribe


def test_hooks_belong_to_registered_applications_and_administrators(
    capsule: Capsule, api: httpx.Client, app: httpx.Client
) -> None:
    made = subscribe(app, "https://us.example/x", "kase/updated", description="Next Cap")
    hook = made.json()["restHook"]

    assert made.status_code == 201
    assert made.headers["Location"].endswith(f"/resthooks/{hook['id']}")
    assert subscribe(api, "https://us.example/x", "kase/updated").status_code == 403
    assert api.get("/resthooks").json()["restHooks"] == []
    assert api.get(f"/resthooks/{hook['id']}").status_code == 404
    assert app.get(f"/resthooks/{hook['id']}").json()["restHook"]["event"] == "kase/updated"
    capsule.configure(role="NORMAL")
    assert app.delete(f"/resthooks/{hook['id']}").status_code == 403
    assert [one["description"] for one in app.get("/resthooks").json()["restHooks"]] == ["Next Cap"]


def test_an_account_has_twenty_hooks_in_all(capsule: Capsule, app: httpx.Client) -> None:
    capsule.configure(foreign_hooks=19)

    first, second = (subscribe(app, "https://us.example/x", "kase/updated") for _ in range(2))

    assert first.status_code == 201
    assert "20" in refused(second)[1]


@pytest.mark.parametrize(
    ("event", "known"),
    [
        ("kase/closed", True),
        ("kase/moved", True),
        ("opportunity/closed", True),
        ("opportunity/moved", True),
        ("task/completed", True),
        ("party/deleted", True),
        ("user/updated", True),
        ("project/updated", False),
        ("task/deleted", False),
        ("entry/created", False),
    ],
)
def test_the_events_there_are(app: httpx.Client, event: str, known: bool) -> None:
    answer = subscribe(app, "https://us.example/x", event)

    if known:
        assert answer.status_code == 201
    else:
        assert refused(answer) == ("event", "event is not supported")


def test_a_target_must_be_an_address(app: httpx.Client) -> None:
    assert refused(subscribe(app, "nowhere", "kase/updated"))[0] == "targetUrl"


def test_a_delivery_is_unsigned_nameless_and_holds_a_list(
    capsule: Capsule, app: httpx.Client, receiver: Receiver
) -> None:
    for event in ("kase/created", "kase/updated", "kase/moved", "kase/closed", "kase/deleted"):
        subscribe(app, receiver.url, event)
    record = capsule.create_project("It fails")

    capsule.change(record, {"name": "Renamed"})
    capsule.move(record, "Resolved")
    capsule.close(record)
    capsule.delete(record)

    events = receiver.events(capsule)
    payloads = {one["event"]: one["payload"] for one in events}
    assert sorted(payloads) == [f"kase/{what}" for what in ("closed", "created", "deleted", "moved", "updated")]
    assert [one[0]["id"] for one in payloads.values()] == [int(record)] * 5
    assert all(set(one) == {"event", "payload"} for one in events)
    assert payloads["kase/deleted"] == [{"id": int(record)}]
    assert payloads["kase/updated"][0]["name"] == "Renamed"
    assert not [name for headers, _ in receiver.got for name in headers if "SIGN" in name or "CAPSULE" in name]


def test_custom_fields_are_told_only_where_the_hook_embeds_them(
    capsule: Capsule, app: httpx.Client, receiver: Receiver
) -> None:
    subscribe(app, receiver.url, "kase/updated")
    subscribe(app, receiver.url, "kase/updated", embed="fields,tags")
    definition = field(app, "One")

    put(app, project(app), fields=[{"definition": {"id": definition}, "value": "x"}])

    told = [one["payload"][0] for one in receiver.events(capsule)]
    assert sorted("fields" in one for one in told) == [False, True]
    assert next(one["fields"] for one in told if "fields" in one)[0]["value"] == "x"


def test_several_records_can_share_a_delivery(capsule: Capsule, app: httpx.Client, receiver: Receiver) -> None:
    subscribe(app, receiver.url, "kase/moved")
    records = [capsule.create_project(name) for name in ("one", "two")]

    capsule.move_all(records, "Open")

    (event,) = receiver.events(capsule)
    assert [one["id"] for one in event["payload"]] == [int(one) for one in records]


def test_a_note_raises_no_event(capsule: Capsule, app: httpx.Client, receiver: Receiver) -> None:
    for event in ("kase/updated", "party/updated"):
        subscribe(app, receiver.url, event)
    record = capsule.create_project("It fails")

    capsule.write_note(record, "Words")
    silent = receiver.events(capsule)
    capsule.configure(note_touches_record=True)
    capsule.write_note(record, "More words")

    assert silent == []
    assert [one["event"] for one in receiver.events(capsule)] == ["kase/updated"]


def test_moves_and_closes_may_be_updates_as_well(capsule: Capsule, app: httpx.Client, receiver: Receiver) -> None:
    capsule.configure(overlapping_events=True, deleted_payload="whole")
    for event in ("kase/updated", "kase/moved", "kase/deleted"):
        subscribe(app, receiver.url, event)
    record = capsule.create_project("It fails")

    capsule.move(record, "Open")
    capsule.delete(record)

    events = receiver.events(capsule)
    assert sorted(one["event"] for one in events) == ["kase/deleted", "kase/moved", "kase/updated"]
    assert next(one for one in events if one["event"] == "kase/deleted")["payload"][0]["name"] == "It fails"


def test_our_own_writes_are_told_too_until_the_hook_is_gone(
    capsule: Capsule, app: httpx.Client, receiver: Receiver
) -> None:
    hook = subscribe(app, receiver.url, "kase/updated").json()["restHook"]["id"]
    record = project(app)

    put(app, record, name="a")
    before = len(receiver.events(capsule))
    assert app.delete(f"/resthooks/{hook}").status_code == 204
    put(app, record, name="b")

    assert (before, len(receiver.events(capsule))) == (1, 1)


def test_a_delivery_that_fails_is_tried_again(capsule: Capsule, app: httpx.Client, receiver: Receiver) -> None:
    capsule.configure(retry_factor=0.001)
    subscribe(app, receiver.url, "kase/updated")
    receiver.statuses = [500, 503]

    put(app, project(app), name="a")

    assert len(receiver.events(capsule)) == 3


def test_other_accounts_name_projects_otherwise(capsule: Capsule, app: httpx.Client, receiver: Receiver) -> None:
    capsule.configure(hook_prefix="project")

    assert refused(subscribe(app, receiver.url, "kase/updated"))[0] == "event"
    subscribe(app, receiver.url, "project/updated")
    put(app, project(app), name="a")

    assert [one["event"] for one in receiver.events(capsule)] == ["project/updated"]


def test_opportunities_and_parties_are_told(capsule: Capsule, app: httpx.Client, receiver: Receiver) -> None:
    for event in ("opportunity/created", "opportunity/moved", "opportunity/closed", "party/updated"):
        subscribe(app, receiver.url, event)
    deal = capsule.create_opportunity("Deal")

    capsule.move(deal, "Won", kind="opportunities")
    capsule.change_party(capsule.create_party("Jo Customer"), {"jobTitle": "Boss"})

    assert sorted(one["event"] for one in receiver.events(capsule)) == [
        "opportunity/closed",
        "opportunity/created",
        "opportunity/moved",
        "party/updated",
    ]
