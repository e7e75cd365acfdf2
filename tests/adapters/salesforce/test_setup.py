"""Our fields of Case: made where our user may, told to a person where it may not."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import parse

from connector.adapters.salesforce.schema import FIELDS, RIGHTS
from connector.adapters.testing.salesforce import SalesforceArena
from connector.sandbox.salesforce_stock import RIGHTS as EVERY_RIGHT

METADATA = Path(__file__).parents[3] / "docs/crm/salesforce/metadata/force-app/main/default"
NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"


def states(arena: SalesforceArena, *, dry_run: bool = False) -> dict[str, str]:
    return {one.what.split()[-1]: one.state for one in arena.salesforce.ensure_schema(dry_run=dry_run)}


@pytest.fixture
def admin(blank: SalesforceArena) -> SalesforceArena:
    """An adapter whose user may change the org."""
    blank.sandbox.configure(rights=list(EVERY_RIGHT))
    return blank


def test_fields_are_made_shown_and_used(admin: SalesforceArena) -> None:
    assert states(admin, dry_run=True) == dict.fromkeys(FIELDS, "would")
    assert not [one for one in admin.calls() if one.startswith("POST /tooling")]

    assert states(admin) == dict.fromkeys(FIELDS, "done")
    assert len(admin.calls()) < 35, "more would meet our own ceiling of calls in ten seconds"
    assert admin.create("key", "outside-1").error is None
    admin.forget_calls()
    assert states(admin) == dict.fromkeys(FIELDS, "ok")
    assert admin.calls() == ["GET /sobjects/Case/describe"]
    assert all(one.ok for one in admin.salesforce.check())


@pytest.mark.parametrize("lacking", EVERY_RIGHT[:3])
def test_without_one_of_the_rights_nothing_is_made_and_a_person_is_told(admin: SalesforceArena, lacking: str) -> None:
    admin.sandbox.configure(rights=[one for one in EVERY_RIGHT if one != lacking])

    steps = admin.salesforce.ensure_schema(dry_run=False)

    assert {one.state for one in steps} == {"manual"}
    assert steps[0].advice.endswith(f"rights {RIGHTS[f'Permissions{lacking}']}")
    assert "sf project deploy" in steps[0].advice
    assert not [one for one in admin.calls() if one.startswith("POST")]


def test_fields_that_are_there_and_hidden_are_only_shown(admin: SalesforceArena) -> None:
    """Somebody made them, or our own call lost its answer."""
    states(admin)
    for kind in ("PermissionSetAssignment", "FieldPermissions", "PermissionSet"):
        for record in admin.sandbox.org.live(kind):
            record.values["IsDeleted"] = True
    assert states(admin, dry_run=True) == dict.fromkeys(FIELDS, "would")

    assert states(admin) == dict.fromkeys(FIELDS, "done")


def test_a_field_that_is_made_and_stays_hidden_is_told(admin: SalesforceArena) -> None:
    admin.sandbox.configure(hidden_fields=["Case.NextCap_Tags__c"])

    assert states(admin) == {**dict.fromkeys(FIELDS, "done"), "NextCap_Tags__c": "problem"}


def test_a_part_that_is_there_is_not_made_again(admin: SalesforceArena) -> None:
    states(admin)
    first = next(one for one in admin.sandbox.org.live("FieldPermissions"))
    first.values["IsDeleted"] = True

    found = states(admin)

    assert sorted(found.values()) == ["done"] + ["ok"] * (len(FIELDS) - 1)
    assert len(admin.sandbox.org.live("PermissionSet")) == 1
    assert len(admin.sandbox.org.live("PermissionSetAssignment")) == 1


def test_a_create_that_lost_its_answer_is_made_good(admin: SalesforceArena) -> None:
    admin.fault("lost_answer", method="POST", path="tooling", times=1)

    first, second = states(admin), states(admin)

    assert set(first.values()) | set(second.values()) <= {"done", "ok", "problem"}
    assert set(second.values()) <= {"done", "ok"}


def test_what_cannot_be_made_or_shown_is_told_with_salesforces_words(admin: SalesforceArena) -> None:
    admin.fault(
        "status",
        method="POST",
        path="tooling",
        status=400,
        times=1,
        body=[{"errorCode": "LIMIT_EXCEEDED", "message": "too many fields", "fields": []}],
    )
    refusal = [{"errorCode": "INSUFFICIENT_ACCESS_OR_READONLY", "message": "licence", "fields": []}]

    steps = {one.what.split()[-1]: one for one in admin.salesforce.ensure_schema(dry_run=False)}
    admin.fault("status", method="POST", path="sobjects/PermissionSet", status=403, body=refusal)
    for record in admin.sandbox.org.live("PermissionSet"):
        record.values["IsDeleted"] = True
    again = {one.what.split()[-1]: one for one in admin.salesforce.ensure_schema(dry_run=False)}

    first = next(iter(FIELDS))
    assert (steps[first].state, "too many fields" in steps[first].advice) == ("problem", True)
    assert {one.state for name, one in steps.items() if name != first} == {"done"}
    assert (again[first].state, "licence" in again[first].advice) == ("problem", True)


def test_a_field_of_another_kind_is_a_problem(admin: SalesforceArena) -> None:
    body = {"FullName": "Case.NextCap_Ticket_Id__c", "Metadata": {"label": "x", "type": "Text", "length": 80}}
    admin.salesforce.ensure_schema.__self__._api.send("POST", "/tooling/sobjects/CustomField", json=body)  # type: ignore[attr-defined]
    states(admin)

    assert states(admin)["NextCap_Ticket_Id__c"] == "problem"


def test_the_files_for_an_administrator_say_the_same() -> None:
    def told(path: Path) -> Element:
        root: Element = parse(path).getroot()
        return root

    for name, wanted in FIELDS.items():
        field = told(METADATA / f"objects/Case/fields/{name}.field-meta.xml")
        held = {one.tag.removeprefix(NAMESPACE): one.text for one in field}
        assert held.pop("fullName") == name
        assert held.pop("label") == name.removesuffix("__c").replace("NextCap", "Next Cap").replace("_", " ")
        assert held == {key: str(one).lower() if isinstance(one, bool) else str(one) for key, one in wanted.items()}
    shown = told(METADATA / "permissionsets/NextCap_Connector.permissionset-meta.xml")
    fields = {one.findtext(f"{NAMESPACE}field") for one in shown.findall(f"{NAMESPACE}fieldPermissions")}
    assert fields == {f"Case.{name}" for name in FIELDS}
