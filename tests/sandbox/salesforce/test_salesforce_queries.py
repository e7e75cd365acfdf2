"""SOQL: what is understood is answered, everything else is refused."""

from __future__ import annotations

import pytest

from connector.sandbox.salesforce import Salesforce
from tests.sandbox.salesforce.conftest import Client, code


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("Subject = 'one'", {"One"}),
        ("Subject != 'one'", {"Two", "It's"}),
        ("Subject = 'It\\'s'", {"It's"}),
        ("Subject IN ('One', 'Two')", {"One", "Two"}),
        ("Subject NOT IN ('One', 'Two')", {"It's"}),
        ("Subject LIKE 't%'", {"Two"}),
        ("(Subject = 'One' OR Subject = 'Two') AND Priority = 'Low'", {"Two"}),
        ("NOT (Priority = 'Low')", {"One", "It's"}),
        ("Contact.Email = null", {"One", "Two", "It's"}),
        ("SystemModstamp > 2020-01-01T00:00:00Z", {"One", "Two", "It's"}),
        ("SystemModstamp < 2020-01-01T00:00:00+00:00", set()),
        ("IsClosed = false AND Subject = 'Two'", {"Two"}),
    ],
)
def test_conditions(api: Client, where: str, found: set[str]) -> None:
    for subject, priority in (("One", "High"), ("Two", "Low"), ("It's", "Medium")):
        api.case(Subject=subject, Priority=priority)

    soql = f"SELECT Subject FROM Case WHERE {where}"  # noqa: S608 - the test's own words
    assert {one["Subject"] for one in api.rows(soql)} == found


@pytest.mark.parametrize(
    "soql",
    [
        "",
        "SELECT FROM Case",
        "SELECT Id Case",
        "SELECT Id FROM Case WHERE",
        "SELECT Id FROM Case WHERE Subject = 'x",
        "SELECT Id FROM Case WHERE Subject = 'x' OR Subject = 'y' AND Priority = 'Low'",
        "SELECT Id FROM Case WHERE Subject IN ()",
        "SELECT Id FROM Case LIMIT x",
        "SELECT Id FROM Case; DELETE",
        "SELECT Id FROM Case WHERE Id IN (SELECT ParentId FROM CaseComment)",
        "SELECT Id, (SELECT Id FROM CaseComments) FROM Case",
        "SELECT Id FROM Case WHERE Subject = 'a\\zb'",
        "SELECT Id FROM Case OFFSET 2001",
    ],
)
def test_what_cannot_be_read_is_refused(api: Client, soql: str) -> None:
    assert code(api.query(soql)) == (400, "MALFORMED_QUERY")


@pytest.mark.parametrize(
    ("soql", "error"),
    [
        ("SELECT Nope FROM Case", "INVALID_FIELD"),
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
        ("SELECT Id FROM Case WHERE Nope = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE Description = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE SystemModstamp > '2020-01-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE IsClosed = 'true'", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE Id = 'nope'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Nobody.Name FROM Case", "INVALID_FIELD"),
    ],
)
def test_what_is_not_there_is_named(api: Client, soql: str, error: str) -> None:
    assert code(api.query(soql)) == (400, error)


def test_parents_come_as_objects_or_null(org: Salesforce, api: Client) -> None:
    org.create_case("With", contact="jo@customer.example")
    org.create_case("Without")

    rows = {one["Subject"]: one for one in api.rows("SELECT Subject, Contact.Email, Owner.Name FROM Case")}

    assert rows["With"]["Contact"]["Email"] == "jo@customer.example"
    assert rows["Without"]["Contact"] is None
    assert rows["With"]["Owner"]["Name"] == "Ana Agent"


def test_pages_follow_by_a_locator_that_ends(org: Salesforce, api: Client) -> None:
    org.configure(query_page=3)
    wanted = [api.case(Subject=f"S{number}") for number in range(7)]

    page = api.query("SELECT Id FROM Case ORDER BY SystemModstamp, Id").json()
    found = [one["Id"] for one in page["records"]]
    while not page["done"]:
        page = api.http.get(page["nextRecordsUrl"]).json()
        found += [one["Id"] for one in page["records"]]

    assert found == wanted
    assert page["totalSize"] == 7
    first = api.query("SELECT Id FROM Case").json()
    org.clock.advance(3 * 86_400)
    api.log_in()
    assert code(api.http.get(first["nextRecordsUrl"])) == (400, "INVALID_QUERY_LOCATOR")


def test_a_count_and_an_order(api: Client) -> None:
    for subject in ("b", "A", "c"):
        api.case(Subject=subject)

    assert api.query("SELECT COUNT() FROM Case").json() == {"totalSize": 3, "done": True, "records": []}
    ordered = api.rows("SELECT Subject FROM Case ORDER BY Subject DESC LIMIT 2")
    assert [one["Subject"] for one in ordered] == ["c", "b"]


def test_queues_that_take_cases(api: Client) -> None:
    rows = api.rows("SELECT QueueId, Queue.Name FROM QueueSobject WHERE SobjectType = 'Case'")

    assert [one["Queue"]["Name"] for one in rows] == ["General Queue", "Billing Queue"]
    assert all(one["QueueId"].startswith("00G") for one in rows)
