"""Both imitations' own state, paired ticket by ticket, in the words in which each side shows it. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

State = Mapping[str, Any]
"""One imitation's state, or a part of it, as its control API shows it."""

OUR_ID = "nextcap_ticket_id"
CARRIED = ("reply", "customer_reply", "note")
REPLY_MARKER = "#reply"
BY_THE_CONNECTOR = "INTEGRATION"


@dataclass(frozen=True, slots=True)
class Pair:
    """One Next Cap ticket with its timeline, and the live HubSpot tickets that carry its id: one, if all is well."""

    ticket: State
    timeline: Sequence[State]
    records: Sequence[State]


def pairs(nextcap: State, hubspot: State) -> list[Pair]:
    """Every Next Cap ticket, in the order in which they were made."""
    return [
        Pair(
            ticket,
            nextcap["timelines"].get(ticket["id"], ()),
            [one for one in live(hubspot) if one["properties"].get(OUR_ID) == ticket["id"]],
        )
        for ticket in nextcap["tickets"]
    ]


def live(hubspot: State) -> list[State]:
    """HubSpot's tickets, without those that were archived."""
    return [one for one in hubspot["tickets"] if not one["archived"]]


def entries(timeline: Sequence[State]) -> list[State]:
    """What people said in a Next Cap ticket, oldest first."""
    return [one for one in timeline if one["type"] in CARRIED]


def notes(record: State) -> list[State]:
    """The notes of a HubSpot ticket, in the order of their own times."""
    return sorted((one for one in record["notes"] if not one["archived"]), key=lambda one: str(one["timestamp"]))


def words_of(note: State) -> str:
    """What was said in a HubSpot note, without what frames it: heading and reference, or the marker of a reply."""
    lines = [line for line in _plain(note["body"]).split("\n") if line.strip()]
    if note["source"] == BY_THE_CONNECTOR:
        lines = lines[1:-1]
    return " ".join(" ".join(lines).removeprefix(REPLY_MARKER).split())


def is_marked(note: State) -> bool:
    """Whether somebody in HubSpot wrote the note as a reply to the customer."""
    return note["source"] != BY_THE_CONNECTOR and _plain(note["body"]).strip().startswith(REPLY_MARKER)


def people(members: Sequence[State]) -> dict[str, str]:
    """E-mail addresses by id, of Next Cap's members or of HubSpot's owners and contacts."""
    return {one["id"]: (one.get("email") or one.get("properties", {}).get("email") or "") for one in members}


@dataclass(frozen=True, slots=True)
class Shown:
    """One ticket as one side shows it to the people who work there."""

    name: str
    subject: str
    status: str
    priority: str
    assignee: str
    said: str
    last_words: str


@dataclass(frozen=True, slots=True)
class Row:
    """One ticket on both sides; None where a side does not have it."""

    nextcap: Shown | None
    hubspot: Shown | None


def rows(nextcap: State, hubspot: State) -> list[Row]:
    """Every ticket of either side, next to each other."""
    members, owners = people(nextcap["members"]), people(hubspot["owners"])
    found = []
    for pair in pairs(nextcap, hubspot):
        ours = _of_nextcap(pair, members)
        found += [Row(ours, _of_hubspot(one, owners)) for one in pair.records] or [Row(ours, None)]
    known = {ticket["id"] for ticket in nextcap["tickets"]}
    alone = [one for one in live(hubspot) if one["properties"].get(OUR_ID) not in known]
    return found + [Row(None, _of_hubspot(one, owners)) for one in alone]


def _of_nextcap(pair: Pair, members: Mapping[str, str]) -> Shown:
    ticket, said = pair.ticket, entries(pair.timeline)
    inside = sum(one["type"] == "note" for one in said)
    return Shown(
        name=f"#{ticket['ticket_number']}",
        subject=ticket["subject"],
        status=ticket["status"],
        priority=ticket["priority"],
        assignee=_first_name(members.get(ticket["assigned_agent_id"] or "", "")),
        said=", ".join(
            filter(None, (counted(len(said) - inside, "reply", "replies"), counted(inside, "note", "notes")))
        ),
        last_words=str(said[-1]["content"]) if said else "",
    )


def _of_hubspot(record: State, owners: Mapping[str, str]) -> Shown:
    properties, said = record["properties"], notes(record)
    return Shown(
        name=record["id"],
        subject=properties.get("subject") or "",
        status=record["stage"] or "",
        priority=properties.get("hs_ticket_priority") or "",
        assignee=_first_name(owners.get(properties.get("hubspot_owner_id") or "", "")),
        said=counted(len(said), "note", "notes"),
        last_words=words_of(said[-1]) if said else "",
    )


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun; nothing where there is none."""
    return f"{number} {one if number == 1 else many}" if number else ""


def _first_name(email: str) -> str:
    return email.partition("@")[0].capitalize() or "nobody"


def _plain(markup: str) -> str:
    """HTML as lines of text: enough for what people and the connector write in the demo."""
    broken = re.sub(r"<br\s*/?>|</(p|div|li)>", "\n", markup, flags=re.IGNORECASE)
    return html.unescape(re.sub(r"<[^>]+>", "", broken))
