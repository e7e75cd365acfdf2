"""Every kind of CRM, by the word that the configuration uses. Adding one is one line here."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from connector.adapters.building import Kind
    from connector.domain.schema import Form

CRMS: Final = {
    "custom": "connector.adapters.custom.kind",
    "hubspot": "connector.adapters.hubspot.kind",
    "salesforce": "connector.adapters.salesforce.kind",
    "zendesk": "connector.adapters.zendesk.kind",
    "capsule": "connector.adapters.capsule.kind",
}
"""Where each kind says what it is, in a `KIND`; loaded only where a connection needs it."""


def kind(crm: str) -> Kind:
    """What this kind of CRM is. Raises KeyError on one that is not known."""
    found: Kind = importlib.import_module(CRMS[crm]).KIND
    return found


def makes_follow_ups(crm: str) -> bool:
    """Whether this kind of CRM can make a record that follows one closed for good; also True of a kind not known."""
    return crm not in CRMS or kind(crm).follow_ups


def forms(crm: str) -> tuple[Form, ...] | None:
    """What the entries of a conversation can be in this kind of CRM beside comments; None of a kind not known."""
    return kind(crm).forms if crm in CRMS else None
