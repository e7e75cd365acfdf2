"""Lists, pages, what changed, what is gone, and filters."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from connector.sandbox.capsule import Capsule

from .support import LONG_AGO, field, found, id_of, person, project, put, refused, stage_id


def test_a_list_is_paged_by_links_and_tells_where_it_ends(api: httpx.Client) -> None:
    ids = [project(api) for _ in range(3)]

    first = api.get("/kases", params={"perPage": 2, "since": LONG_AGO})
    second = api.get(first.links["next"]["url"])

    assert first.headers["X-Pagination-Has-More"] == "true"
    assert "next" not in second.links
    assert second.headers["X-Pagination-Has-More"] == "false"
    assert {one["id"] for one in first.json()["kases"] + second.json()["kases"]} == set(ids)
    assert len(first.json()["kases"]) == 2


@pytest.mark.parametrize("query", [{"perPage": 101}, {"perPage": 0}, {"page": 0}, {"since": "yesterday"}])
def test_a_query_out_of_range_is_refused(api: httpx.Client, query: dict[str, str]) -> None:
    assert refused(api.get("/kases", params=query))[0] == next(iter(query))


def test_since_gives_what_changed_after_it(capsule: Capsule, api: httpx.Client) -> None:
    old, new = project(api), project(api)
    capsule.clock.advance(10)
    moment = (capsule.now() - timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    put(api, new, name="Changed")

    changed = api.get("/kases", params={"since": moment}).json()["kases"]

    assert [one["id"] for one in changed] == [new]
    assert old != new


def test_a_status_narrows_the_list(api: httpx.Client) -> None:
    record = project(api)
    project(api)
    put(api, record, status="CLOSED")

    assert [one["id"] for one in api.get("/kases", params={"status": "CLOSED"}).json()["kases"]] == [record]


def test_what_is_gone_is_listed_since_a_time_that_must_be_given(capsule: Capsule, api: httpx.Client) -> None:
    gone, hidden = project(api), project(api)
    capsule.delete(str(gone))
    capsule.restrict(str(hidden))

    listed = api.get("/kases/deleted", params={"since": LONG_AGO}).json()

    assert refused(api.get("/kases/deleted"))[1] == "since is required"
    assert [one["id"] for one in listed["kases"]] == [gone]
    assert set(listed["kases"][0]) == {"id", "deletedAt"}
    assert listed["restrictedKases"] == [{"id": hidden, "isRestricted": True}]
    assert api.get(f"/kases/{hidden}").status_code == 404
    assert api.get("/opportunities/deleted", params={"since": LONG_AGO}).json()["restrictedOpportunities"] == []


def test_a_restricted_party_shows_on_its_project_as_restricted(capsule: Capsule, api: httpx.Client) -> None:
    party = person(api)
    record = project(api, party=party)

    capsule.restrict(str(party), kind="parties")

    assert api.get(f"/kases/{record}?embed=party").json()["kase"]["party"] == {"id": party, "isRestricted": True}


def test_people_are_found_by_address_and_projects_by_our_field(api: httpx.Client) -> None:
    party = person(api, emailAddresses=[{"type": "Work", "address": "Jo@X.example"}])
    person(api, emailAddresses=[{"type": "Work", "address": "other@x.example"}])
    definition = field(api, "Ours")
    record = project(api, fields=[{"definition": {"id": definition}, "value": "t-1"}])

    assert found(api, "email", "jo@x.example", kind="parties") == [party]
    assert found(api, f"custom:{definition}", "t-1") == [record]
    assert found(api, f"custom:{definition}", "t") == []
    assert [one["id"] for one in api.get("/parties/search", params={"q": "jo@x"}).json()["parties"]] == [party]


def test_filters_call_fields_by_names_of_their_own(api: httpx.Client) -> None:
    for name in ("updatedAt", "createdAt", "lastContactedAt", "custom:1", "nonsense"):
        condition = {"field": name, "operator": "is", "value": "x"}
        answer = api.post("/kases/filters/results", json={"filter": {"conditions": [condition]}})

        assert refused(answer) == ("field", "invalid field name")
    assert found(api, "addedOn", "2020-01-01", "is after") == []
    assert found(api, "updatedOn", 1, "is within last") == []
    assert found(api, "lastContactedOn", 1, "is within last", kind="parties") == []


@pytest.mark.parametrize(
    ("name", "operator", "value", "meets"),
    [
        ("name", "starts with", "print", True),
        ("name", "ends with", "fire", True),
        ("name", "contains", "on", True),
        ("name", "is not", "Printer on fire", False),
        ("isOpen", "is", True, True),
        ("hasTags", "is", False, True),
        ("addedOn", "is older than", 1, False),
        ("expectedCloseOn", "is within next", 10_000, True),
        ("expectedCloseOn", "is before", "2040-01-01", True),
    ],
)
def test_operators(api: httpx.Client, name: str, operator: str, value: object, meets: bool) -> None:
    record = project(api, expectedCloseOn="2030-01-01")

    assert found(api, name, value, operator) == ([record] if meets else [])


def test_conditions_are_anded_and_those_of_a_group_ored(api: httpx.Client) -> None:
    records = [project(api, name=name) for name in ("one", "two", "three")]
    group = {"conditions": [{"field": "name", "operator": "is", "value": name} for name in ("one", "two")]}
    both = [group, {"field": "name", "operator": "contains", "value": "w"}]

    answer = api.post("/kases/filters/results", json={"filter": {"conditions": both}})

    assert [one["id"] for one in answer.json()["kases"]] == [records[1]]


def test_board_stage_owner_and_team_are_filtered_by_id(api: httpx.Client) -> None:
    stage = stage_id(api, "Open")
    record = project(api, stage=stage, team={"id": id_of(api, "teams", "Support")})
    project(api)

    assert found(api, "stage", stage) == [record]
    assert found(api, "board", id_of(api, "boards", "Support")) == [record]
    assert found(api, "team", id_of(api, "teams", "Support")) == [record]
    assert len(found(api, "isOwnedByMe", True)) == 2


def test_the_index_is_late_while_lists_are_not(capsule: Capsule, api: httpx.Client) -> None:
    capsule.configure(search_lag=5.0)
    record = project(api)

    before = found(api, "name", "Printer on fire")
    listed = [one["id"] for one in api.get("/kases", params={"since": LONG_AGO}).json()["kases"]]
    capsule.clock.advance(6)

    assert before == []
    assert listed == [record]
    assert found(api, "name", "Printer on fire") == [record]


def test_boards_and_stages_are_listed_in_their_order_archived_ones_on_request(
    capsule: Capsule, api: httpx.Client
) -> None:
    board = id_of(api, "boards", "Support")
    capsule.archive_stage("Waiting internally")
    capsule.archive_board("Delivery")

    stages = [one["name"] for one in api.get(f"/boards/{board}/stages").json()["stages"]]

    assert stages == ["New", "Open", "In progress", "Waiting on customer", "Resolved"]
    assert [one["name"] for one in api.get("/boards").json()["boards"]] == ["Support"]
    assert len(api.get("/boards", params={"status": "all"}).json()["boards"]) == 2
    assert [one["name"] for one in api.get("/stages", params={"status": "archived"}).json()["stages"]] == [
        "Waiting internally"
    ]
    assert api.get(f"/boards/{board}").json()["board"]["name"] == "Support"
    assert api.get("/boards/1").status_code == 404


def test_users_have_their_address_in_their_party(api: httpx.Client) -> None:
    listed = api.get("/users", params={"embed": "party"}).json()["users"]

    addresses = {one["username"]: one["party"]["emailAddresses"][0]["address"] for one in listed}
    assert addresses["ben"] == "ben@acme.example"
    assert "emailAddresses" not in api.get("/users").json()["users"][0]["party"]
    assert {"locale", "currency", "timezone", "party", "taskReminder"} <= set(listed[0])
    assert api.get("/site").json()["site"]["subdomain"] == "acme"
