"""The knobs of the imitation: what differs between portals, and what nobody has confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .hubspot_stock import SCOPES
from .kernel_settings import Knobs


@dataclass(slots=True)
class Settings(Knobs):
    """Settable at any time through `change`; times are seconds.

    unset                    how a property without a value looks when it is asked for
    surplus_fields           add fields that no client knows to records, envelopes and events
    search_lag               how long the search index is behind
    burst, association_burst calls per 10 s; `search_burst` per 1 s; `daily` per day
    retry_after              send Retry-After with a 429
    scopes                   what the app was granted
    token_lifetime           of an OAuth access token
    client_secret            signs webhooks and authenticates the OAuth app
    event_naming             ticket.* (`legacy`), object.* (`generic`) or both
    subscriptions            what the app is told of; empty stands for the default list
    event_window             events of this span travel in one delivery
    repeat_event_ids         two events in a row share one eventId
    association_object_id    association events name their record in objectId as other events do
    note_link_delay          how long a person's new note stays without its ticket
    note_html                `wrapped`: HubSpot puts a div around each note body
    merge_makes_new_record   a merge ends in a third record
    find_by_additional_email a contact is found by its further addresses, not only refused for them
    file_duplicates          what makes two files the same
    batch_order              order of the results of a batch
    owner_emails             the people of the portal
    webhook_url              the app's one target, as the vendor calls it; empty sends nothing
    retry_factor             shrinks the time between tries of a delivery
    portal_rules             [{"stage": label or id, "requires": property}], held from 2026-09 on
    workflows                [{"property": name, "becomes": value, "set": {name: value}}]
    """

    choices: ClassVar[Mapping[str, tuple[object, ...]]] = {
        "unset": ("null", "absent", "empty"),
        "event_naming": ("legacy", "generic", "both"),
        "note_html": ("kept", "wrapped"),
        "file_duplicates": ("name", "content"),
        "batch_order": ("reversed", "asked"),
    }
    rules: ClassVar[Mapping[str, frozenset[str]]] = {
        "portal_rules": frozenset({"stage", "requires"}),
        "workflows": frozenset({"property", "becomes", "set"}),
    }

    unset: str = "null"
    surplus_fields: bool = False
    search_lag: float = 1.0
    burst: int = 190
    association_burst: int = 150
    search_burst: int = 5
    daily: int = 625_000
    retry_after: bool = False
    scopes: list[str] = field(default_factory=lambda: list(SCOPES))
    token_lifetime: int = 1800
    client_secret: str = "sandbox-hubspot-client-secret"
    event_naming: str = "legacy"
    subscriptions: list[dict[str, Any]] = field(default_factory=list)
    event_window: float = 0.05
    repeat_event_ids: bool = False
    association_object_id: bool = True
    note_link_delay: float = 0.0
    note_html: str = "kept"
    merge_makes_new_record: bool = False
    find_by_additional_email: bool = False
    file_duplicates: str = "name"
    batch_order: str = "reversed"
    owner_emails: list[str] = field(
        default_factory=lambda: ["ana@acme.example", "ben@acme.example", "carla@acme.example"]
    )
    webhook_url: str = ""
    retry_factor: float = 0.005
    portal_rules: list[dict[str, str]] = field(default_factory=list)
    workflows: list[dict[str, Any]] = field(default_factory=list)
