"""What both sides must say when all is quiet, read from the imitations alone."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

STAGES = {
    "new": "New",
    "open": "Waiting on us",
    "in_progress": "Waiting on us",
    "waiting_internal": "Waiting on us",
    "reopened": "Waiting on us",
    "waiting_customer": "Waiting on contact",
    "resolved": "Closed",
    "closed": "Closed",
}
PRIORITIES = {"low": "LOW", "normal": "MEDIUM", "high": "HIGH", "urgent": "URGENT"}


def differences(nextcap: Any, hubspot: Any, written: dict[str, tuple[str, str]] | None = None) -> list[str]:
    """Every way in which the two sides disagree; `written` are the words of comments: (ticket id, side)."""
    found = []
    for ticket in nextcap.state()["tickets"]:
        records = hubspot.tickets_of(ticket["id"])
        if len(records) != 1:
            found.append(f"{ticket['subject']}: {len(records)} HubSpot tickets")
            continue
        found += _fields(ticket, records[0])
        found += _comments(nextcap, ticket, records[0], written or {})
    return found + _mails(nextcap)


def _fields(ticket: dict[str, Any], record: dict[str, Any]) -> list[str]:
    properties = record["properties"]
    pairs = {
        "subject": (ticket["subject"], properties.get("subject")),
        "priority": (PRIORITIES[ticket["priority"]], properties.get("hs_ticket_priority")),
        "exact status": (ticket["status"], properties.get("nextcap_status")),
    }
    found = [f"{ticket['id']} {name}: {one} / {two}" for name, (one, two) in pairs.items() if one != two]
    substitute = ticket["status"] == "open" and record["stage"] == "New"
    if STAGES[ticket["status"]] != record["stage"] and not substitute:
        found.append(f"{ticket['id']} status: {ticket['status']} / {record['stage']}")
    return found


def _comments(
    nextcap: Any, ticket: dict[str, Any], record: dict[str, Any], written: dict[str, tuple[str, str]]
) -> list[str]:
    notes = [re.sub(r"<[^>]+>", "\n", note["body"]) for note in record["notes"]]
    entries = [str(entry.get("content") or "") for entry in nextcap.timeline(ticket["id"])]
    found = []
    for words, (ticket_id, side) in written.items():
        if ticket_id == ticket["id"]:
            other = notes if side == "nextcap" else entries
            times = sum(words in text.split("\n") or text.endswith(words) for text in other)
            if times != 1:
                found.append(f"{ticket_id}: {words!r} of {side} stands {times} times on the other side")
    return found


def _mails(nextcap: Any) -> list[str]:
    mails = Counter((mail["ticket_id"], mail["content"]) for mail in nextcap.state()["emails"])
    return [f"mailed {times} times: {words!r}" for (_, words), times in mails.items() if times > 1]
