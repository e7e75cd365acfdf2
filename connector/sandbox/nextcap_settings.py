"""The knobs of the Next Cap imitation: what an account may differ in, and what Next Cap's documents leave open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from .kernel_settings import Knobs
from .nextcap_signatures import PROFILES

CRM_KEY = "nextcap_ck_sandbox"
DATA_KEY = "sk_live_sandbox"
WIDGETS = ("widget-main", "widget-shop")
PERMISSIONS = (
    "live-chat:view",
    "live-chat:join",
    "conversations:view",
    "conversations:view-own",
    "tickets:view",
    "tickets:manage",
    "tickets:reply",
    "tickets:assign",
    "tickets:close",
    "team:invite",
)


@dataclass(slots=True)
class Settings(Knobs):
    """Settable at any time through `change`.

    crm_key, data_key      the two keys that are valid
    permissions, widgets   of the seat behind the CRM key
    seat_active            false: the seat was removed; every call is then answered `revoked_status`
    rate_limit             calls a minute and key; `retry_after_header` adds Retry-After to a 429
    list_meta              lists carry `meta`
    casing                 field names in answers and webhooks
    errors_as_text         `error` is a string instead of an object
    empty_answers          a write answers 2xx without a body
    attachment_id_field    what an upload's answer calls the id
    timeline_paged         the timeline takes page and per_page; `timeline_newest_first` is its order
    create_route           POST /tickets exists; `customer_reply_route`, `webhook_routes` (list, delete) likewise
    members_search         the parameter that searches members
    same_status_refused    a PATCH with the present status is answered 400 instead of being no change
    null_unassigns         assigned_agent_id: null is accepted
    custom_fields_merge    PATCH merges custom fields instead of replacing them all
    custom_field_names     the defined custom fields; empty: any
    department_unassigns   a PATCH of department_id drops the assignee
    content_limit          characters in a reply or note; 0: any
    max_upload             bytes in a file
    agent_reply_waits      an agent's reply moves the ticket to waiting_customer
    customer_reply_opens   a customer's reply moves waiting_customer to open, resolved and closed to reopened
    note_bumps             a note changes updated_at; `reply_bumps` likewise
    idempotency            Idempotency-Key is honoured
    payload                `full`: the ticket at `data`; `nested`: at `data.ticket`; `id_only`; `flat`: at the top
    envelope               `event` and `timestamp`, or `type` and `created_at`; `envelope_id` adds `id`
    signature              a profile of nextcap_signatures
    retry_changes_time     a retry carries a new timestamp, in the header and in the body
    retry_schedule         seconds between tries, each multiplied by `retry_factor`
    disable_after          a webhook is switched off after so many failed deliveries in a row; 0: never
    """

    choices: ClassVar[Mapping[str, tuple[object, ...]]] = {
        "casing": ("snake", "camel"),
        "attachment_id_field": ("id", "attachment_id"),
        "members_search": ("search", "q", "ignored"),
        "payload": ("full", "nested", "id_only", "flat"),
        "envelope": ("event", "type"),
        "signature": tuple(PROFILES),
        "revoked_status": (401, 403),
    }

    crm_key: str = CRM_KEY
    data_key: str = DATA_KEY
    permissions: list[str] = field(default_factory=lambda: list(PERMISSIONS))
    widgets: list[str] = field(default_factory=lambda: list(WIDGETS))
    seat_active: bool = True
    revoked_status: int = 401
    rate_limit: int = 60
    retry_after_header: bool = False
    list_meta: bool = True
    casing: str = "snake"
    errors_as_text: bool = False
    empty_answers: bool = False
    attachment_id_field: str = "id"
    timeline_paged: bool = True
    timeline_newest_first: bool = False
    create_route: bool = True
    customer_reply_route: bool = False
    webhook_routes: bool = True
    members_search: str = "search"
    same_status_refused: bool = False
    null_unassigns: bool = True
    custom_fields_merge: bool = False
    custom_field_names: list[str] = field(default_factory=list)
    department_unassigns: bool = False
    content_limit: int = 0
    max_upload: int = 50 * 1024 * 1024
    agent_reply_waits: bool = False
    customer_reply_opens: bool = True
    note_bumps: bool = True
    reply_bumps: bool = True
    idempotency: bool = False
    payload: str = "full"
    envelope: str = "event"
    envelope_id: bool = False
    signature: str = "nextcap"
    retry_changes_time: bool = False
    retry_schedule: list[float] = field(default_factory=lambda: [5.0, 30.0, 120.0])
    retry_factor: float = 0.02
    disable_after: int = 0
