"""What a stock org with Service has: objects, their fields, picklists, staff."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MASTER_RECORD_TYPE = "012000000000000AAA"


@dataclass(slots=True)
class Field:
    """One field.

    type      `string`, `textarea`, `email`, `phone`, `url`, `picklist`, `reference`, `boolean`, `datetime`, `id`,
              `double`
    to        prefixes of the records that a reference may name; `relation` is the name of the lookup
    readonly  set by the system; `create_only` by whoever makes the record
    cap       counts bytes instead of characters where it is `bytes`
    """

    name: str
    type: str = "string"
    length: int = 255
    label: str = ""
    options: list[str] = field(default_factory=list)
    to: tuple[str, ...] = ()
    relation: str = ""
    required: bool = False
    readonly: bool = False
    create_only: bool = False
    filterable: bool = True
    external_id: bool = False
    unique: bool = False
    default: Any = None
    cap: str = "characters"
    guarded: bool = False
    """Whether it is hidden until a permission set of the user shows it."""

    @property
    def is_custom(self) -> bool:
        return self.name.endswith("__c")


@dataclass(slots=True)
class SObject:
    """One kind of record."""

    name: str
    prefix: str
    fields: dict[str, Field]
    creatable: bool = True
    updatable: bool = True
    deletable: bool = True

    def field(self, name: str) -> Field | None:
        """The field of that name, however it is written."""
        wanted = name.casefold()
        return next((one for key, one in self.fields.items() if key.casefold() == wanted), None)


def _system() -> list[Field]:
    return [
        Field("Id", "id", 18, readonly=True, label="ID"),
        Field("IsDeleted", "boolean", readonly=True, label="Deleted"),
        Field("CreatedDate", "datetime", readonly=True),
        Field("CreatedById", "reference", to=("005",), relation="CreatedBy", readonly=True),
        Field("LastModifiedDate", "datetime", readonly=True),
        Field("LastModifiedById", "reference", to=("005",), relation="LastModifiedBy", readonly=True),
        Field("SystemModstamp", "datetime", readonly=True),
    ]


def _object(name: str, prefix: str, fields: Sequence[Field], **rights: bool) -> SObject:
    return SObject(name, prefix, {one.name: one for one in [*_system(), *fields]}, **rights)


def case_object() -> SObject:
    """Case, with the values that a new org has."""
    return _object(
        "Case",
        "500",
        [
            Field("CaseNumber", length=30, readonly=True),
            Field("Subject"),
            Field("Description", "textarea", 32_000, filterable=False),
            Field("Status", "picklist", options=["New", "Working", "Escalated", "Closed"], default="New"),
            Field("Priority", "picklist", options=["High", "Medium", "Low"], default="Medium"),
            Field("Origin", "picklist", options=["Phone", "Email", "Web"], label="Case Origin"),
            Field("Type", "picklist", options=["Mechanical", "Electrical", "Electronic", "Structural", "Other"]),
            Field("Reason", "picklist", options=["Installation", "Performance", "Breakdown", "Feedback", "Other"]),
            Field("IsClosed", "boolean", readonly=True, label="Closed"),
            Field("IsEscalated", "boolean"),
            Field("ClosedDate", "datetime", readonly=True),
            Field("OwnerId", "reference", to=("005", "00G"), relation="Owner", label="Owner ID"),
            Field("ContactId", "reference", to=("003",), relation="Contact", label="Contact ID"),
            Field("AccountId", "reference", to=("001",), relation="Account", label="Account ID"),
            Field("ContactEmail", "email", readonly=True, filterable=False),
            Field("SuppliedEmail", "email", 80, label="Web Email"),
            Field("SuppliedName", length=80, label="Web Name"),
            Field("SuppliedPhone", length=40, label="Web Phone"),
            Field("SuppliedCompany", length=80, label="Web Company"),
            Field("Comments", "textarea", 4_000, filterable=False, label="Internal Comments"),
            Field("RecordTypeId", "reference", to=("012",), relation="RecordType", label="Record Type ID"),
            Field("MasterRecordId", "reference", to=("500",), readonly=True, label="Master Record ID"),
        ],
    )


def _contact() -> SObject:
    return _object(
        "Contact",
        "003",
        [
            Field("FirstName", length=40),
            Field("LastName", length=80, required=True),
            Field("Name", readonly=True),
            Field("Email", "email", 80),
            Field("Phone", "phone", 40),
            Field("AccountId", "reference", to=("001",), relation="Account"),
            Field("MasterRecordId", "reference", to=("003",), readonly=True),
        ],
    )


def _case_comment() -> SObject:
    return _object(
        "CaseComment",
        "00a",
        [
            Field("ParentId", "reference", to=("500",), relation="Parent", required=True, create_only=True),
            Field("CommentBody", "textarea", 4_000, filterable=False, cap="bytes", create_only=True),
            Field("IsPublished", "boolean", default=False),
        ],
        deletable=False,
    )


def _email_message() -> SObject:
    return _object(
        "EmailMessage",
        "02s",
        [
            Field("ParentId", "reference", to=("500",), relation="Parent", create_only=True),
            Field("RelatedToId", "reference", to=("500", "001"), relation="RelatedTo", create_only=True),
            Field("Subject", length=3_000, create_only=True),
            Field("TextBody", "textarea", 32_000, filterable=False, create_only=True),
            Field("HtmlBody", "textarea", 32_000, filterable=False, create_only=True),
            Field("FromAddress", "email", create_only=True),
            Field("FromName", length=1_000, create_only=True),
            Field("ToAddress", length=4_000, create_only=True),
            Field("CcAddress", length=4_000, create_only=True),
            Field("Incoming", "boolean", default=False, create_only=True),
            Field("IsExternallyVisible", "boolean", default=False),
            Field("Status", "picklist", options=["0", "1", "2", "3", "4", "5"], default="5", create_only=True),
            Field("MessageDate", "datetime", create_only=True),
            Field("MessageIdentifier", create_only=True),
        ],
        deletable=False,
    )


def _feed_item() -> SObject:
    """A feed cannot be filtered by SystemModstamp, and what is deleted in it is in no bin."""
    made = _object(
        "FeedItem",
        "0D5",
        [
            Field("ParentId", "reference", to=("500", "005"), relation="Parent", required=True, create_only=True),
            Field("Body", "textarea", 10_000, filterable=False),
            Field("Type", "picklist", options=[*POSTS, *EVENTS], default="TextPost", create_only=True),
            Field("Visibility", "picklist", options=["AllUsers", "InternalUsers"], default="InternalUsers"),
            Field("IsRichText", "boolean", default=False),
            Field(
                "Status",
                "picklist",
                options=["Published", "PendingReview", "Isolated"],
                default="Published",
                filterable=False,
            ),
        ],
    )
    made.fields["SystemModstamp"].filterable = False
    return made


POSTS = ("TextPost", "ContentPost", "LinkPost", "QuestionPost")
"""What people write in a feed."""

EVENTS = ("TrackedChange", "CaseCommentPost", "EmailMessageEvent", "ChangeStatusPost")
"""What the system adds to it."""


def _user() -> SObject:
    return _object(
        "User",
        "005",
        [
            Field("Name", readonly=True),
            Field("FirstName", length=40),
            Field("LastName", length=80, required=True),
            Field("Email", "email", 128, required=True),
            Field("Username", length=80, required=True, unique=True),
            Field("IsActive", "boolean", default=True),
            Field("UserType", "picklist", options=["Standard", "AutomatedProcess"], default="Standard", readonly=True),
        ],
        creatable=False,
        updatable=False,
        deletable=False,
    )


def _fixed(name: str, prefix: str, fields: Sequence[Field]) -> SObject:
    return _object(name, prefix, fields, creatable=False, updatable=False, deletable=False)


def _setup_objects() -> list[SObject]:
    """Who may see what, as far as an administrator's API goes."""
    return [
        _object("PermissionSet", "0PS", [Field("Name", length=80, required=True), Field("Label", required=True)]),
        _object(
            "FieldPermissions",
            "01k",
            [
                Field("ParentId", "reference", to=("0PS",), relation="Parent", required=True, create_only=True),
                Field("SobjectType", required=True, create_only=True),
                Field("Field", required=True, create_only=True),
                Field("PermissionsRead", "boolean", default=False),
                Field("PermissionsEdit", "boolean", default=False),
            ],
        ),
        _object(
            "PermissionSetAssignment",
            "0Pa",
            [
                Field("AssigneeId", "reference", to=("005",), relation="Assignee", required=True, create_only=True),
                Field("PermissionSetId", "reference", to=("0PS",), relation="PermissionSet", create_only=True),
            ],
        ),
        _fixed("UserPermissionAccess", "0PX", [Field(f"Permissions{one}", "boolean") for one in RIGHTS]),
    ]


def stock_objects() -> dict[str, SObject]:
    """Every object of a new org, by name."""
    objects = [
        case_object(),
        _contact(),
        _case_comment(),
        _email_message(),
        _feed_item(),
        _user(),
        _object("Account", "001", [Field("Name", required=True)]),
        _fixed("Group", "00G", [Field("Name"), Field("Type"), Field("DeveloperName"), Field("Email", "email")]),
        _fixed(
            "QueueSobject",
            "03g",
            [Field("QueueId", "reference", to=("00G",), relation="Queue"), Field("SobjectType")],
        ),
        _fixed(
            "RecordType",
            "012",
            [Field("Name"), Field("DeveloperName"), Field("SobjectType"), Field("IsActive", "boolean")],
        ),
        _fixed(
            "CaseStatus",
            "01J",
            [
                Field("ApiName"),
                Field("MasterLabel"),
                Field("IsClosed", "boolean"),
                Field("IsDefault", "boolean"),
                Field("SortOrder", "double"),
            ],
        ),
        *_setup_objects(),
        _fixed("Organization", "00D", [Field("Name"), Field("IsSandbox", "boolean"), Field("OrganizationType")]),
    ]
    return {one.name: one for one in objects}


RIGHTS = (
    *("CustomizeApplication", "ManageProfilesPermissionsets", "AssignPermissionSets"),
    *("ViewSetup", "ViewAllData"),
)
"""What a user may be allowed beyond records, as far as the imitation knows it."""


def our_fields() -> Iterator[Field]:
    """The custom fields of Case that an administrator adds for the connector."""
    yield Field("NextCap_Ticket_Id__c", length=80, label="Next Cap Ticket Id", external_id=True, unique=True)
    yield Field("NextCap_Status__c", length=40, label="Next Cap Status")
    yield Field("NextCap_Priority__c", length=40, label="Next Cap Priority")
    yield Field("NextCap_Ticket_Url__c", "url", label="Next Cap Ticket Url")
    yield Field("NextCap_Department__c", label="Next Cap Department")
    yield Field("NextCap_Tags__c", "textarea", 4_000, label="Next Cap Tags", filterable=False)
    yield Field("NextCap_Category__c", label="Next Cap Category")
    yield Field("NextCap_Custom_Fields__c", "textarea", 32_000, label="Next Cap Custom Fields", filterable=False)


STAFF: Sequence[Mapping[str, Any]] = (
    {"FirstName": "Ana", "LastName": "Agent", "Email": "ana@acme.example"},
    {"FirstName": "Ben", "LastName": "Berg", "Email": "ben@acme.example"},
    {"FirstName": "Carla", "LastName": "Costa", "Email": "carla@acme.example"},
)
QUEUES = ("General Queue", "Billing Queue")
CLOSED = ("Closed",)
