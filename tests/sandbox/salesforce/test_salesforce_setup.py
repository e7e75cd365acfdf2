"""The org's set-up by API: custom fields, and who may see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connector.sandbox.salesforce import Salesforce
from connector.sandbox.salesforce_stock import RIGHTS
from tests.sandbox.salesforce.conftest import Client, code

TOOLING = "/tooling/sobjects/CustomField"
TEXT = {"label": "Mine", "type": "Text", "length": 80}


@pytest.fixture
def admin(org_served: Salesforce) -> Iterator[Client]:
    """A client whose user may change the org, in which nothing of ours exists."""
    org_served.reset()
    org_served.configure(rights=list(RIGHTS))
    client = Client(org_served)
    yield client
    client.http.close()


def field(client: Client, name: str = "Case.Mine__c", **told: Any) -> Any:
    return client("POST", TOOLING, {"FullName": name, "Metadata": {**TEXT, **told}})


def names(client: Client) -> set[str]:
    return {one["name"] for one in client("GET", "/sobjects/Case/describe").json()["fields"]}


def test_a_field_is_hidden_until_a_permission_set_of_the_user_shows_it(admin: Client) -> None:
    made = field(admin, externalId=True, unique=True, caseSensitive=True)
    assert (made.status_code, made.json()["success"]) == (201, True)
    assert "Mine__c" not in names(admin)
    assert code(admin.query("SELECT Mine__c FROM Case")) == (400, "INVALID_FIELD")

    ours = admin("POST", "/sobjects/PermissionSet", {"Name": "Ours", "Label": "Ours"}).json()["id"]
    told = {"ParentId": ours, "SobjectType": "Case", "Field": "Case.Mine__c", "PermissionsRead": True}
    assert admin("POST", "/sobjects/FieldPermissions", told).status_code == 201
    assert "Mine__c" not in names(admin)
    assignment = {"AssigneeId": admin.org.org.user_id, "PermissionSetId": ours}
    assert admin("POST", "/sobjects/PermissionSetAssignment", assignment).status_code == 201

    assert "Mine__c" in names(admin)
    assert code(admin("POST", "/sobjects/Case", {"Mine__c": "x"})) == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    for path, body in (("FieldPermissions", told), ("PermissionSetAssignment", assignment)):
        assert code(admin("POST", f"/sobjects/{path}", body)) == (400, "DUPLICATE_VALUE")


@pytest.mark.parametrize(
    ("name", "told", "error"),
    [
        ("Case.Mine__c", {}, "DUPLICATE_DEVELOPER_NAME"),
        ("Case.Mine", {}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Case.My__Own__c", {}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Case.1st__c", {}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Nope.Other__c", {}, "INVALID_CROSS_REFERENCE_KEY"),
        ("Case.Other__c", {"length": 256}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Case.Other__c", {"length": None}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Case.Other__c", {"type": "LongTextArea", "length": 4000}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Case.Other__c", {"type": "Url", "length": None, "unique": True}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Case.Other__c", {"type": "Word"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("Case.Other__c", {"label": ""}, "REQUIRED_FIELD_MISSING"),
        ("Case.Other__c", {"wrong": "x"}, "JSON_PARSER_ERROR"),
    ],
)
def test_a_field_that_cannot_be_made(admin: Client, name: str, told: dict[str, Any], error: str) -> None:
    field(admin)

    assert code(field(admin, name, **told)) == (400, error)


def test_a_user_without_the_rights_changes_nothing_and_sees_little(org: Salesforce, api: Client) -> None:
    rights = api.rows("SELECT PermissionsCustomizeApplication, PermissionsViewAllData FROM UserPermissionAccess")[0]

    assert (rights["PermissionsCustomizeApplication"], rights["PermissionsViewAllData"]) == (False, False)
    assert code(field(api)) == (403, "INSUFFICIENT_ACCESS")
    refused = api("POST", "/sobjects/PermissionSet", {"Name": "Ours", "Label": "Ours"})
    assert code(refused) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
    assert code(api.query("SELECT Id FROM FieldPermissions")) == (400, "INVALID_TYPE")
    assert code(api.query("SELECT Id FROM FeedItem")) == (403, "INSUFFICIENT_ACCESS")


def test_a_feed_cannot_be_asked_by_its_stamp_and_keeps_nothing_that_was_deleted(admin: Client) -> None:
    case = admin.case()
    post = admin.org.post(case, "Words")

    assert [one["Id"] for one in admin.rows("SELECT Id, SystemModstamp FROM FeedItem")] == [post]
    asked = admin.query("SELECT Id FROM FeedItem WHERE SystemModstamp > 2020-01-01T00:00:00Z")
    assert code(asked) == (400, "INVALID_FIELD")
    admin.org.delete_post(post)
    assert admin.rows("SELECT Id FROM FeedItem", "/queryAll") == []


def test_the_feed_of_a_case_tells_its_comments_and_mails_too(admin: Client) -> None:
    case = admin.case()
    admin.org.comment(case, "Words")
    admin.org.email(case, "Words")
    admin.org.post(case, "Words")

    kinds = [one["Type"] for one in admin.rows("SELECT Type FROM FeedItem ORDER BY Id")]

    assert kinds == ["CaseCommentPost", "EmailMessageEvent", "TextPost"]


def test_without_experiences_a_feed_has_no_visibility(admin: Client) -> None:
    admin.org.configure(experiences=False)
    case = admin.case()

    assert code(admin.query("SELECT Visibility FROM FeedItem")) == (400, "INVALID_FIELD")
    told = {"ParentId": case, "Body": "x", "Visibility": "AllUsers"}
    assert code(admin("POST", "/sobjects/FeedItem", told)) == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
