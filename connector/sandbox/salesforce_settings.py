"""The knobs of the imitation: what differs between orgs, and what nobody has confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .kernel_settings import Knobs
from .salesforce_stock import CLOSED, QUEUES


@dataclass(slots=True)
class Settings(Knobs):
    """Settable at any time through `change`; times are seconds.

    client_secret      of the external client app
    public_key         PEM of the app's certificate for the JWT bearer flow; empty allows none
    username           whom the app runs as
    session_lifetime   a token that is not used for so long is no more
    daily              calls in 24 hours
    running            0 stands for calls that are never too many at once; otherwise every call is refused as such
    oldest_version     versions before it are gone
    query_page         rows a page, whatever the client wishes
    case_fields        custom fields of Case beside ours: {name: type}
    hidden_fields      `Object.Field` names that our user may not see; `readonly_fields` those it may not write
    required_fields    `Object.Field` names that must be filled when a record is made
    picklists          {Case field: [values]}: other values than a new org has
    closed_statuses    the statuses of Case that are closed
    record_types       {name: {Case field: [values]}}; the first is the default of a new case
    queues             names of the queues of Case
    assignment_queue   the queue that an active assignment rule gives new cases to; empty: there is no rule
    auto_response      an active auto-response rule: cases made by API need SuppliedEmail
    validation_rules   [{"status": …, "requires": field, "message": …}]
    flows              [{"field": …, "becomes": …, "set": {name: value}}], run under the writer's name
    contact_duplicates the duplicate rule of Contact, by e-mail address
    unknown_field      in a collection, an unknown field fails its `item` or the whole `call`
    composite_queryall whether a composite call takes a queryAll as a part
    enhanced_email     whether EmailMessage exists
    experiences        whether outsiders see anything, and so whether FeedItem has Visibility
    rights             of our user, out of `RIGHTS`
    outbound_url       where outbound messages go, as the vendor calls it; empty sends none
    outbound_ids       of fifteen or eighteen characters in outbound messages
    trigger_url        where the Apex trigger's callout goes; empty sends none
    trigger_objects    the objects that have such a trigger, or a flow that sends an outbound message
    trigger_secret     signs the callout
    tells_ours         whether the trigger tells of entries that our own user wrote
    retry_factor       shrinks the time between tries of an outbound message
    """

    choices: ClassVar[Mapping[str, tuple[object, ...]]] = {
        "contact_duplicates": ("allow", "alert", "block"),
        "outbound_ids": ("long", "short"),
        "unknown_field": ("item", "call"),
    }
    rules: ClassVar[Mapping[str, frozenset[str]]] = {
        "validation_rules": frozenset({"status", "requires", "message"}),
        "flows": frozenset({"field", "becomes", "set"}),
    }

    client_secret: str = "sandbox-salesforce-client-secret"
    public_key: str = ""
    username: str = "connector@acme.example"
    session_lifetime: int = 7200
    daily: int = 100_000
    running: int = 0
    oldest_version: int = 31
    query_page: int = 2000
    case_fields: dict[str, str] = field(default_factory=dict)
    hidden_fields: list[str] = field(default_factory=list)
    readonly_fields: list[str] = field(default_factory=list)
    required_fields: list[str] = field(default_factory=list)
    picklists: dict[str, list[str]] = field(default_factory=dict)
    closed_statuses: list[str] = field(default_factory=lambda: list(CLOSED))
    record_types: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    queues: list[str] = field(default_factory=lambda: list(QUEUES))
    assignment_queue: str = ""
    auto_response: bool = False
    validation_rules: list[dict[str, str]] = field(default_factory=list)
    flows: list[dict[str, Any]] = field(default_factory=list)
    contact_duplicates: str = "allow"
    unknown_field: str = "item"
    composite_queryall: bool = True
    enhanced_email: bool = True
    experiences: bool = True
    rights: list[str] = field(default_factory=list)
    outbound_url: str = ""
    outbound_ids: str = "long"
    trigger_url: str = ""
    tells_ours: bool = True
    trigger_objects: list[str] = field(default_factory=lambda: ["Case", "CaseComment"])
    trigger_secret: str = "sandbox-salesforce-trigger-secret"
    retry_factor: float = 0.005
