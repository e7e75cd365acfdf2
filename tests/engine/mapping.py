"""The mapping that the engine's tests work with: small, and each part of it can be changed by a test."""

from __future__ import annotations

import json
from typing import Any

STATUS: dict[str, Any] = {
    "field": "hs_pipeline_stage",
    "to_crm": {
        "new": "New",
        "open": "Waiting on us",
        "in_progress": "Waiting on us",
        "waiting_internal": "Waiting on us",
        "reopened": "Waiting on us",
        "waiting_customer": "Waiting on contact",
        "resolved": "Closed",
        "closed": "Closed",
    },
    "to_nextcap": {
        "New": "new",
        "Waiting on us": {"to": "open", "when": {"resolved": "reopened", "closed": "reopened"}},
        "Waiting on contact": "waiting_customer",
        "Closed": "resolved",
    },
    "substitute": {"new": ["open"]},
    "walk": {"forbid": ["closed"], "max_hops": 3},
}
FIELDS: dict[str, Any] = {
    "subject": {"crm": "subject", "empty": {"to_crm": "(no subject)", "to_nextcap": "(no subject)"}},
    "description": {"crm": "content"},
    "priority": {
        "crm": "hs_ticket_priority",
        "values": {"low": "Low", "normal": "Medium", "high": "High", "urgent": "Urgent"},
        "otherwise": "stop",
        "empty": {"to_nextcap": "normal"},
    },
    "tags": {"crm": "nextcap_tags", "transform": {"join": "; "}},
    "assignee": {
        "nextcap": "assigned_agent_id",
        "crm": "hubspot_owner_id",
        "person": "email",
        "otherwise": {"to_crm": "nobody", "to_nextcap": "stop"},
    },
    "exact_status": {"nextcap": "status", "crm": "nextcap_status", "direction": "to_crm"},
}


def mapping_text(*, status: dict[str, Any] | None = None, fields: dict[str, Any] | None = None, **parts: Any) -> str:
    """A mapping file. `status` and the blocks of `fields` are laid over those above; None leaves a field out."""
    laid = {name: {**FIELDS.get(name, {}), **(block or {})} for name, block in (fields or {}).items()}
    chosen = {**FIELDS, **laid}
    left_out = [name for name, block in (fields or {}).items() if block is None]
    document = {
        "crm": "hubspot",
        "create": "both",
        "status": {**STATUS, **(status or {})},
        "fields": {name: block for name, block in chosen.items() if name not in left_out},
        "comments": {"reply_markers": ["#reply"]},
        **parts,
    }
    return json.dumps(document, indent=1)
