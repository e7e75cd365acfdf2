"""One org: its records, and what happens when they are made, changed, deleted and merged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .salesforce_errors import Failure
from .salesforce_ids import Ids, long_id, normal_id
from .salesforce_rights import check_create, granted
from .salesforce_schema import Schema
from .salesforce_settings import Settings
from .salesforce_stock import RIGHTS, STAFF, SObject
from .salesforce_values import checked

Values = dict[str, Any]
FEED_EVENTS = {"CaseComment": "CaseCommentPost", "EmailMessage": "EmailMessageEvent"}


@dataclass(slots=True)
class Record:
    """One record. `values` holds every field of its kind, system fields too."""

    kind: SObject
    values: Values

    @property
    def id(self) -> str:
        return str(self.values["Id"])

    @property
    def is_deleted(self) -> bool:
        return bool(self.values["IsDeleted"])


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, and what the call's headers ask for."""

    user: str
    by_api: bool = False
    auto_assign: bool = True
    allow_duplicates: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """Something happened to a record: what triggers and flows of the org may react to."""

    record: Record
    what: str


@dataclass(slots=True)
class Org:
    """The records by id. `hear` is told of everything that happens, in order."""

    now: Callable[[], datetime]
    settings: Settings
    hear: Callable[[Heard], None]
    ids: Ids = field(default_factory=Ids)
    records: dict[str, Record] = field(default_factory=dict)
    by_kind: dict[str, list[str]] = field(default_factory=dict)
    schema: Schema = field(init=False)
    external: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    """Records by object, external-id field and value."""
    children: dict[str, list[str]] = field(default_factory=dict)
    creates: list[str] = field(default_factory=list)
    """The ids of everything that was made by API, in order."""
    org_id: str = long_id("00DHs0000000Acm")
    user_id: str = ""
    _case_number: int = 1000

    def __post_init__(self) -> None:
        self.schema = Schema(self.settings, self._record_types, lambda kind, field: granted(self, kind, field))
        self._put(
            "Organization", {"Name": "Acme", "IsSandbox": False, "OrganizationType": "Developer Edition"}, self.org_id
        )
        made = [self._put("User", _staff(one)) for one in STAFF]
        self.user_id = self._put(
            "User", _staff({"FirstName": "Next", "LastName": "Cap", "Email": "bot@acme.example"})
        ).id
        for one in [*made, self.records[self.user_id]]:
            one.values["CreatedById"] = one.values["LastModifiedById"] = self.user_id
        self.furnish()

    def _record_types(self) -> list[tuple[str, Values]]:
        return [(one.id, one.values) for one in self.live("RecordType")]

    def hire(self, told: Mapping[str, Any]) -> str:
        """Make a user with these names and this address; returns the id."""
        return self._put("User", _staff(told)).id

    def furnish(self) -> None:
        """Make the queues, record types and statuses that the settings ask for exist, and no other ones."""
        self._keep("Group", "Name", self.settings.queues, lambda name: {"Type": "Queue", "DeveloperName": _dev(name)})
        for queue in self.live("Group"):
            if not any(one.values["QueueId"] == queue.id for one in self.live("QueueSobject")):
                self._put("QueueSobject", {"QueueId": queue.id, "SobjectType": "Case"})
        types = self.settings.record_types
        more = {"SobjectType": "Case", "IsActive": True}
        self._keep("RecordType", "Name", list(types), lambda name: {"DeveloperName": _dev(name), **more})
        for held in self.live("UserPermissionAccess") or [self._put("UserPermissionAccess", {})]:
            held.values |= {f"Permissions{one}": one in self.settings.rights for one in RIGHTS}
        statuses = self.schema.picklist("Status")
        self._keep("CaseStatus", "ApiName", statuses, lambda name: {"MasterLabel": name})
        for place, status in enumerate(self.live("CaseStatus")):
            closed = status.values["ApiName"] in self.settings.closed_statuses
            status.values |= {"IsClosed": closed, "IsDefault": place == 0, "SortOrder": float(place + 1)}

    # -- looking

    def all(self, kind: str) -> list[Record]:
        """The records of a kind, deleted ones too, oldest first."""
        return [self.records[one] for one in self.by_kind.get(kind, ())]

    def live(self, kind: str) -> list[Record]:
        """The records of a kind that are not deleted, oldest first."""
        return [one for one in self.all(kind) if not one.is_deleted]

    def find(self, kind: SObject, record_id: str) -> Record:
        """The live record. Raises ENTITY_IS_DELETED or NOT_FOUND."""
        record = self.records.get(normal_id(record_id))
        if record is None or record.kind is not kind:
            raise Failure("NOT_FOUND", "The requested resource does not exist")
        if record.is_deleted:
            raise Failure("ENTITY_IS_DELETED", "entity is deleted")
        return record

    def exists(self, record_id: str) -> bool:
        return record_id in self.records and not self.records[record_id].is_deleted

    def matches(self, kind: SObject, name: str, value: str) -> list[Record]:
        """The live records with this external id."""
        found = self.external.get((kind.name, name, value), [])
        return [self.records[one] for one in found if not self.records[one].is_deleted]

    # -- writing

    def create(self, kind: SObject, given: Mapping[str, Any], writer: Writer) -> Record:
        """Make a record. Raises the first Failure; then nothing has changed."""
        if not kind.creatable:
            raise Failure("METHOD_NOT_ALLOWED", f"{kind.name} cannot be created by API", status=405)
        values = self._checked(kind, given, {}, writer, making=True)
        if writer.by_api:
            check_create(self, kind, values)
        record = self._put(kind.name, values, by=writer.user)
        if writer.by_api:
            self.creates.append(record.id)
        self._after(record, dict.fromkeys(kind.fields), writer)
        self.hear(Heard(record, "created"))
        return record

    def update(self, record: Record, given: Mapping[str, Any], writer: Writer) -> None:
        """Change a record. Raises the first Failure; then nothing has changed."""
        if not record.kind.updatable:
            raise Failure("METHOD_NOT_ALLOWED", f"{record.kind.name} cannot be updated by API", status=405)
        changed = self._checked(record.kind, given, record.values, writer, making=False)
        before = dict(record.values)
        self._index(record, changed)
        record.values.update(changed)
        self._touch(record, writer.user)
        self._after(record, before, writer)
        self.hear(Heard(record, "updated"))

    def upsert(
        self, kind: SObject, name: str, value: Any, given: Mapping[str, Any], writer: Writer
    ) -> tuple[Record, bool]:
        """Make or change the one record with this external id; whether it was made."""
        found = self.matches(kind, name, str(value))
        if len(found) > 1:
            raise Failure(
                "DUPLICATE_EXTERNAL_ID", f"{name}: more than one record found for external id", [name], status=300
            )
        if found:
            self.update(found[0], given, writer)
            return found[0], False
        return self.create(kind, {**given, name: value}, writer), True

    def delete(self, record: Record, user: str, *, survivor: str | None = None) -> None:
        """Put a record into the bin, with its children; what is in a feed is gone at once."""
        if record.kind.name == "FeedItem":
            del self.records[record.id]
            self.by_kind["FeedItem"].remove(record.id)
            self.children[str(record.values["ParentId"])].remove(record.id)
            return
        record.values["IsDeleted"] = True
        if survivor:
            record.values["MasterRecordId"] = survivor
        self._touch(record, user)
        for child in self.children.get(record.id, ()):
            self.records[child].values["IsDeleted"] = True
        self.hear(Heard(record, "deleted"))

    def undelete(self, record: Record, user: str) -> None:
        """Take a record out of the bin, with its children."""
        record.values |= {"IsDeleted": False, "MasterRecordId": None}
        self._touch(record, user)
        for child in self.children.get(record.id, ()):
            self.records[child].values["IsDeleted"] = False
        self.hear(Heard(record, "undeleted"))

    def merge(self, master: Record, loser: Record, user: str) -> None:
        """Merge two cases: the children move without any trigger, the loser is deleted with its master's id."""
        moved = self.children.pop(loser.id, [])
        for child in moved:
            self.records[child].values["ParentId"] = master.id
        self.children.setdefault(master.id, []).extend(moved)
        self.delete(loser, user, survivor=master.id)
        self._touch(master, user)
        self.hear(Heard(master, "updated"))

    # -- the parts of a write

    def _checked(
        self, kind: SObject, given: Mapping[str, Any], before: Values, writer: Writer, *, making: bool
    ) -> Values:
        """Every value in its kept form, defaults filled in."""
        accepted: Values = {}
        type_id = given.get("RecordTypeId") or before.get("RecordTypeId") or self.schema.default_type(kind)
        for name, value in given.items():
            found = self.schema.writable(kind, name, making=making, by_api=writer.by_api)
            allowed = self.schema.options(kind, found, type_id)
            accepted[found.name] = checked(found, value, exists=self.exists, allowed=allowed)
        if making:
            if kind.name == "Case" and type_id:
                accepted.setdefault("RecordTypeId", type_id)
            for one in kind.fields.values():
                if one.default is not None and accepted.get(one.name) is None:
                    accepted[one.name] = one.default
        self._rules(kind, before, accepted, writer, making=making)
        return accepted

    def _rules(self, kind: SObject, before: Values, accepted: Values, writer: Writer, *, making: bool) -> None:
        after = {**before, **accepted}
        missing = [one for one in self.schema.required(kind) if after.get(one) is None and (making or one in accepted)]
        if missing:
            raise Failure("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)
        for name, one in kind.fields.items():
            if one.unique and accepted.get(name) is not None and accepted[name] != before.get(name):
                for holder in self.matches(kind, name, str(accepted[name])):
                    told = f"duplicate value found: {name} duplicates value on record with id: {holder.id}"
                    raise Failure("DUPLICATE_VALUE", told, [name])
        if kind.name == "FeedItem" and not after.get("Body"):
            raise Failure("REQUIRED_FIELD_MISSING", "Required fields are missing: [Body]", ["Body"])
        if kind.name == "Case":
            self._case_rules(after, accepted, writer, making=making)
        if kind.name == "Contact" and making:
            self._contact_rules(accepted, writer)

    def _case_rules(self, after: Values, accepted: Values, writer: Writer, *, making: bool) -> None:
        if "OwnerId" in accepted and accepted["OwnerId"] is None:
            raise Failure("FIELD_INTEGRITY_EXCEPTION", "Owner ID: owner cannot be blank", ["OwnerId"])
        owner = self.records.get(accepted.get("OwnerId") or "")
        if owner is not None and owner.kind.name == "User" and not owner.values["IsActive"]:
            raise Failure(
                "INACTIVE_OWNER_OR_USER",
                "operation performed with inactive user [" + owner.id + "] as owner of case",
                ["OwnerId"],
            )
        if making and writer.by_api and self.settings.auto_response and not after.get("SuppliedEmail"):
            raise Failure("REQUIRED_FIELD_MISSING", "Required fields are missing: [SuppliedEmail]", ["SuppliedEmail"])
        for rule in self.settings.validation_rules:
            if after.get("Status") == rule["status"] and not after.get(rule["requires"]):
                raise Failure("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule["message"], [rule["requires"]])

    def _contact_rules(self, accepted: Values, writer: Writer) -> None:
        rule, email = self.settings.contact_duplicates, str(accepted.get("Email") or "").casefold()
        doubles = [one for one in self.live("Contact") if email and str(one.values["Email"] or "").casefold() == email]
        if doubles and (rule == "block" or (rule == "alert" and not writer.allow_duplicates)):
            raise Failure("DUPLICATES_DETECTED", "Use one of these records?")

    def _put(self, kind: str, values: Mapping[str, Any], record_id: str = "", *, by: str = "") -> Record:
        shape, moment = self.schema.objects[kind], self.now().replace(microsecond=0)
        made = record_id or self.ids.make(shape.prefix)
        system = {"Id": made, "IsDeleted": False, "CreatedDate": moment, "LastModifiedDate": moment}
        user = by or self.user_id or None
        system |= {"SystemModstamp": moment, "CreatedById": user, "LastModifiedById": user}
        empty = {name: False if one.type == "boolean" else None for name, one in shape.fields.items()}
        record = Record(shape, {**empty, **system})
        self.records[made] = record
        self.by_kind.setdefault(kind, []).append(made)
        self._index(record, values)
        record.values.update(values)
        return record

    def _index(self, record: Record, changed: Mapping[str, Any]) -> None:
        for name, value in changed.items():
            shape = record.kind.fields[name]
            if (shape.external_id or shape.unique) and value != record.values.get(name):
                old = self.external.get((record.kind.name, name, str(record.values.get(name))), [])
                if record.id in old:
                    old.remove(record.id)
                if value is not None:
                    self.external.setdefault((record.kind.name, name, str(value)), []).append(record.id)
            if name == "ParentId" and value is not None:
                self.children.setdefault(value, []).append(record.id)

    def _touch(self, record: Record, user: str) -> None:
        moment = self.now().replace(microsecond=0)
        record.values |= {"LastModifiedDate": moment, "SystemModstamp": moment, "LastModifiedById": user}

    def _after(self, record: Record, before: Mapping[str, Any], writer: Writer) -> None:
        """What the org itself does: numbers, names, owners, closing, flows."""
        values = record.values
        if record.kind.name in FEED_EVENTS and before.get("Id") is None:
            self._tell_feed(record)
        if record.kind.name in ("Contact", "User"):
            values["Name"] = " ".join(part for part in (values["FirstName"], values["LastName"]) if part)
        if record.kind.name != "Case":
            return
        if before.get("Id") is None:
            self._new_case(record, writer)
        for flow in self.settings.flows:
            if values.get(flow["field"]) == flow["becomes"] != before.get(flow["field"]):
                values.update(flow["set"])
        contact = self.records.get(values.get("ContactId") or "")
        values["ContactEmail"] = contact.values["Email"] if contact else None
        closed = values["Status"] in self.settings.closed_statuses
        if closed != bool(values["IsClosed"]):
            values |= {"IsClosed": closed, "ClosedDate": values["SystemModstamp"] if closed else None}

    def _tell_feed(self, record: Record) -> None:
        """The feed of a case shows its comments and e-mails too, each as an event of the system's own making."""
        values = record.values
        seen = "AllUsers" if values.get("IsPublished") else "InternalUsers"
        told = {"ParentId": values["ParentId"], "Body": values.get("CommentBody"), "Visibility": seen}
        if values["ParentId"]:
            told |= {"Type": FEED_EVENTS[record.kind.name], "Status": "Published"}
            self._put("FeedItem", told, by=str(values["CreatedById"]))

    def _new_case(self, record: Record, writer: Writer) -> None:
        self._case_number += 1
        record.values["CaseNumber"] = f"{self._case_number:08d}"
        if record.values["OwnerId"] is None:
            record.values["OwnerId"] = writer.user
        rule = self.settings.assignment_queue
        if rule and writer.by_api and writer.auto_assign:
            record.values["OwnerId"] = next(one.id for one in self.live("Group") if one.values["Name"] == rule)
        if text := record.values["Comments"]:
            self._put("CaseComment", {"ParentId": record.id, "CommentBody": text, "IsPublished": False}, by=writer.user)
            record.values["Comments"] = None

    def _keep(self, kind: str, key: str, names: list[str], more: Callable[[str], Values]) -> None:
        held = {str(one.values[key]): one for one in self.live(kind)}
        for name in names:
            if name not in held:
                self._put(kind, {key: name, **more(name)})
        for name, one in held.items():
            if name not in names:
                one.values["IsDeleted"] = True


def _staff(told: Mapping[str, Any]) -> Values:
    name = f"{told['FirstName']} {told['LastName']}"
    return {"UserType": "Standard", **told, "Name": name, "Username": f"{told['Email']}.org", "IsActive": True}


def _dev(name: str) -> str:
    return name.replace(" ", "_")
