"""What a new portal holds: object types, their stock properties, the support pipeline, association types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .hubspot_schema import Option, Property, Schema


@dataclass(frozen=True, slots=True)
class ObjectType:
    """One kind of record.

    `ignores_unknown`: unknown and read-only properties in a write are dropped instead of refused.
    `read` and `write` list the scopes of which one is enough.
    """

    name: str
    type_id: str
    singular: str
    created: str
    modified: str
    defaults: tuple[str, ...]
    required: tuple[str, ...]
    searched: tuple[str, ...]
    read: tuple[str, ...]
    write: tuple[str, ...]
    schema_write: tuple[str, ...]
    ignores_unknown: bool = False
    named_events: bool = True

    @property
    def upper(self) -> str:
        return self.singular.upper()


TICKETS = ObjectType(
    name="tickets",
    type_id="0-5",
    singular="ticket",
    created="createdate",
    modified="hs_lastmodifieddate",
    defaults=(
        "content",
        "hs_pipeline",
        "hs_pipeline_stage",
        "hs_ticket_category",
        "hs_ticket_priority",
        "subject",
    ),
    required=("subject", "hs_pipeline_stage"),
    searched=("subject", "content", "hs_object_id"),
    read=("tickets", "crm.objects.tickets.read"),
    write=("tickets", "crm.objects.tickets.write"),
    schema_write=("tickets", "crm.schemas.tickets.write"),
)
CONTACTS = ObjectType(
    name="contacts",
    type_id="0-1",
    singular="contact",
    created="createdate",
    modified="lastmodifieddate",
    defaults=("email", "firstname", "lastname"),
    required=(),
    searched=("firstname", "lastname", "email", "phone", "company", "hs_additional_emails"),
    read=("crm.objects.contacts.read",),
    write=("crm.objects.contacts.write",),
    schema_write=("crm.schemas.contacts.write",),
)
COMPANIES = ObjectType(
    name="companies",
    type_id="0-2",
    singular="company",
    created="createdate",
    modified="hs_lastmodifieddate",
    defaults=("domain", "name"),
    required=(),
    searched=("name", "domain", "phone"),
    read=("crm.objects.companies.read",),
    write=("crm.objects.companies.write",),
    schema_write=("crm.schemas.companies.write",),
)
NOTES = ObjectType(
    name="notes",
    type_id="0-46",
    singular="note",
    created="hs_createdate",
    modified="hs_lastmodifieddate",
    defaults=(),
    required=("hs_timestamp",),
    searched=("hs_note_body",),
    read=("crm.objects.contacts.read",),
    write=("crm.objects.contacts.write",),
    schema_write=("crm.schemas.contacts.write",),
    ignores_unknown=True,
    named_events=False,
)
EMAILS = ObjectType(
    name="emails",
    type_id="0-49",
    singular="email",
    created="hs_createdate",
    modified="hs_lastmodifieddate",
    defaults=(),
    required=("hs_timestamp", "hs_email_direction"),
    searched=("hs_email_subject",),
    read=("crm.objects.contacts.read",),
    write=("crm.objects.contacts.write",),
    schema_write=("crm.schemas.contacts.write",),
    ignores_unknown=True,
    named_events=False,
)
TYPES = (TICKETS, CONTACTS, COMPANIES, NOTES, EMAILS)
BY_NAME: Mapping[str, ObjectType] = {
    key: one for one in TYPES for key in (one.name, one.type_id)
}  # HubSpot takes the plural name or the type id in a path

EMAIL_CONTENT = frozenset({"hs_email_subject", "hs_email_html", "hs_email_text"})
"""Withheld from readers without `sales-email-read`; no property-change event names them."""

SILENT = frozenset({"hs_lastmodifieddate", "lastmodifieddate", "hs_num_associated_conversations"})
"""Properties that cannot be subscribed to."""

HUBSPOT_DEFINED = "HUBSPOT_DEFINED"
PLAIN_TYPES: Mapping[tuple[str, str], int] = {
    ("tickets", "contacts"): 16,
    ("contacts", "tickets"): 15,
    ("tickets", "companies"): 339,
    ("companies", "tickets"): 340,
    ("tickets", "notes"): 227,
    ("notes", "tickets"): 228,
    ("tickets", "emails"): 223,
    ("emails", "tickets"): 224,
    ("tickets", "tickets"): 452,
    ("notes", "contacts"): 202,
    ("contacts", "notes"): 201,
    ("notes", "companies"): 190,
    ("companies", "notes"): 189,
    ("emails", "contacts"): 198,
    ("contacts", "emails"): 197,
    ("contacts", "companies"): 279,
    ("companies", "contacts"): 280,
}
PRIMARY_TYPES: Mapping[tuple[str, str], int] = {
    ("tickets", "companies"): 26,
    ("companies", "tickets"): 25,
    ("contacts", "companies"): 1,
    ("companies", "contacts"): 2,
}

SCOPES = (
    "oauth",
    "tickets",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.companies.read",
    "crm.objects.owners.read",
    "crm.schemas.contacts.write",
    "files",
    "files.ui_hidden.read",
    "sales-email-read",
)

GROUPS: Mapping[str, tuple[str, str]] = {
    "tickets": ("ticketinformation", "Ticket information"),
    "contacts": ("contactinformation", "Contact information"),
    "companies": ("companyinformation", "Company information"),
    "notes": ("engagement", "Note information"),
    "emails": ("engagement", "Email information"),
}


def _labelled(pairs: Iterable[tuple[str, str]]) -> tuple[Option, ...]:
    return tuple(Option(label, value, order=place) for place, (value, label) in enumerate(pairs))


def _make(group: str, kind: str, field_type: str, names: str, *, read_only: bool = False) -> list[Property]:
    return [Property(name, _label(name), kind, field_type, group, read_only=read_only) for name in names.split()]


def _label(name: str) -> str:
    return name.removeprefix("hs_").replace("_", " ").capitalize()


def _choice(group: str, name: str, field_type: str, options: Iterable[tuple[str, str]]) -> Property:
    return Property(name, _label(name), "enumeration", field_type, group, _labelled(options))


def _external(group: str, *names: str) -> list[Property]:
    return [Property(one, _label(one), "enumeration", "select", group, external=True) for one in names]


def _common(group: str, kind: ObjectType) -> list[Property]:
    """What every record carries and only HubSpot sets."""
    return [
        *_make(group, "number", "number", "hs_object_id", read_only=True),
        *_make(group, "datetime", "date", f"{kind.created} {kind.modified}", read_only=True),
        *_make(
            group,
            "string",
            "text",
            "hs_object_source hs_object_source_id hs_object_source_label hs_merged_object_ids",
            read_only=True,
        ),
        *_external(group, "hubspot_owner_id"),
    ]


def _tickets(group: str) -> list[Property]:
    return [
        *_common(group, TICKETS),
        *_make(group, "string", "text", "subject hs_primary_company hs_inbox_id hs_pinned_engagement_id"),
        *_make(group, "string", "textarea", "content"),
        *_make(group, "string", "file", "hs_file_upload"),
        *_external(group, "hs_pipeline", "hs_pipeline_stage"),
        *_ticket_choices(group),
        *_ticket_facts(group),
        Property("hs_external_object_ids", "External object ids", "string", "text", group, unique=True),
    ]


def _ticket_choices(group: str) -> list[Property]:
    return [
        _choice(
            group,
            "hs_ticket_priority",
            "select",
            [("LOW", "Low"), ("MEDIUM", "Medium"), ("HIGH", "High"), ("URGENT", "Urgent")],
        ),
        _choice(
            group,
            "hs_ticket_category",
            "checkbox",
            [
                ("PRODUCT_ISSUE", "Product Issue"),
                ("BILLING_ISSUE", "Billing Issue"),
                ("FEATURE_REQUEST", "Feature Request"),
                ("GENERAL_INQUIRY", "General Inquiry"),
            ],
        ),
        _choice(
            group,
            "hs_resolution",
            "radio",
            [("ISSUE_FIXED", "Issue fixed"), ("WONT_FIX", "Will not be fixed"), ("DUPLICATE", "Duplicate")],
        ),
        _choice(
            group,
            "source_type",
            "select",
            [("CHAT", "Chat"), ("EMAIL", "Email"), ("FORM", "Form"), ("PHONE", "Phone")],
        ),
    ]


def _ticket_facts(group: str) -> list[Property]:
    """What HubSpot works out itself."""
    return [
        *_make(
            group,
            "datetime",
            "date",
            "closed_date hs_last_closed_date hs_ticket_reopened_at hs_last_message_received_at "
            "hs_last_message_sent_at last_reply_date",
            read_only=True,
        ),
        *_make(group, "bool", "booleancheckbox", "hs_is_closed hs_in_helpdesk", read_only=True),
        *_make(group, "number", "number", "time_to_close hs_num_associated_conversations created_by", read_only=True),
        *_make(group, "string", "text", "hs_conversations_originating_thread_id", read_only=True),
        *(
            Property(name, _label(name), "string", "text", group, unique=True, read_only=True)
            for name in ("hs_auto_generated_from_thread_id", "hs_unique_creation_key")
        ),
    ]


def _contacts(group: str) -> list[Property]:
    return [
        *_common(group, CONTACTS),
        Property("email", "Email", "string", "text", group, unique=True),
        *_make(group, "string", "text", "firstname lastname company jobtitle website city country address"),
        *_make(group, "string", "phonenumber", "phone mobilephone"),
        *_make(group, "string", "text", "hs_additional_emails", read_only=True),
        _choice(
            group,
            "lifecyclestage",
            "radio",
            [("lead", "Lead"), ("opportunity", "Opportunity"), ("customer", "Customer")],
        ),
    ]


def _companies(group: str) -> list[Property]:
    return [*_common(group, COMPANIES), *_make(group, "string", "text", "name domain phone city country")]


def _notes(group: str) -> list[Property]:
    return [
        *_common(group, NOTES),
        *_make(group, "datetime", "date", "hs_timestamp"),
        *_make(group, "string", "html", "hs_note_body"),
        *_make(group, "string", "text", "hs_attachment_ids"),
    ]


def _emails(group: str) -> list[Property]:
    return [
        *_common(group, EMAILS),
        *_make(group, "datetime", "date", "hs_timestamp"),
        *_make(group, "string", "text", "hs_email_subject hs_attachment_ids"),
        *_make(group, "string", "html", "hs_email_html"),
        *_make(group, "string", "textarea", "hs_email_text hs_email_headers"),
        *_make(group, "string", "text", "hs_email_from_email hs_email_to_email", read_only=True),
        _choice(
            group,
            "hs_email_direction",
            "select",
            [("EMAIL", "Email"), ("INCOMING_EMAIL", "Incoming email"), ("FORWARDED_EMAIL", "Forwarded email")],
        ),
        _choice(
            group,
            "hs_email_status",
            "select",
            [(one, one.capitalize()) for one in ("BOUNCED", "FAILED", "SCHEDULED", "SENDING", "SENT")],
        ),
    ]


def stock_schemas() -> dict[str, Schema]:
    """The properties of a portal in which nobody has made any yet."""
    makers = {
        "tickets": _tickets,
        "contacts": _contacts,
        "companies": _companies,
        "notes": _notes,
        "emails": _emails,
    }
    return {
        name: Schema.stock(make(GROUPS[name][0]), GROUPS[name], unique=not BY_NAME[name].ignores_unknown)
        for name, make in makers.items()
    }
