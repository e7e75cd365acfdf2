"""Whether both sides say the same, read from the imitations alone: nothing here knows what the connector believes.

Pure: two states in, a list of differences out, each a sentence. The tables are the demo's own, so that a mistake in
the mapping that is played shows as a difference and is not repeated here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from connector.demo.sides import (
    BY_THE_CONNECTOR,
    OUR_ID,
    Pair,
    State,
    entries,
    is_marked,
    live,
    notes,
    pairs,
    people,
    words_of,
)

STAGES: Mapping[str, str] = {
    "new": "New",
    "open": "Waiting on us",
    "in_progress": "Waiting on us",
    "waiting_internal": "Waiting on us",
    "reopened": "Waiting on us",
    "waiting_customer": "Waiting on contact",
    "resolved": "Closed",
    "closed": "Closed",
}
PRIORITIES: Mapping[str, str] = {"low": "LOW", "normal": "MEDIUM", "high": "HIGH", "urgent": "URGENT"}


def differences(nextcap: State, hubspot: State) -> list[str]:
    """Every way in which the two sides disagree, or in which somebody was told what was not meant for them."""
    found = list(_unknown_records(nextcap, hubspot))
    for pair in pairs(nextcap, hubspot):
        if len(pair.records) == 1:
            found += _fields(pair, nextcap, hubspot)
            found += _comments(pair)
        else:
            found.append(f"{_name(pair)} has {len(pair.records)} HubSpot tickets")
        found += _leaks(pair, nextcap)
    return found + list(_mails(nextcap)) + list(_refused_moves(nextcap))


def _name(pair: Pair) -> str:
    return f"#{pair.ticket['ticket_number']}"


def _unknown_records(nextcap: State, hubspot: State) -> Iterator[str]:
    known = {ticket["id"] for ticket in nextcap["tickets"]}
    for record in live(hubspot):
        if record["properties"].get(OUR_ID) not in known:
            yield f"HubSpot ticket {record['id']} has no Next Cap ticket"


def _fields(pair: Pair, nextcap: State, hubspot: State) -> Iterator[str]:
    ticket, record = pair.ticket, pair.records[0]
    properties = record["properties"]
    members, owners, contacts = people(nextcap["members"]), people(hubspot["owners"]), people(hubspot["contacts"])
    both = {
        "subject": (ticket["subject"], properties.get("subject")),
        "description": (ticket["description"], properties.get("content") or ""),
        "status": (STAGES[ticket["status"]], record["stage"]),
        "exact status": (ticket["status"], properties.get("nextcap_status")),
        "priority": (PRIORITIES[ticket["priority"]], properties.get("hs_ticket_priority")),
        "assignee": (
            members.get(ticket["assigned_agent_id"] or ""),
            owners.get(properties.get("hubspot_owner_id") or ""),
        ),
        "customer": ([ticket["customer_email"]], [contacts.get(one) for one in record["contacts"]]),
    }
    for name, (ours, theirs) in both.items():
        if ours != theirs:
            yield f"{_name(pair)} {name}: Next Cap's means {ours!r}, HubSpot has {theirs!r}"


def _comments(pair: Pair) -> Iterator[str]:
    """Every reply and note stands on both sides equally often."""
    ours = Counter(_tidy(entry["content"]) for entry in entries(pair.timeline))
    theirs = Counter(words_of(note) for note in notes(pair.records[0]))
    for words in sorted(ours.keys() | theirs.keys()):
        if ours[words] != theirs[words]:
            yield f"{_name(pair)} {words!r} stands {ours[words]} times in Next Cap, {theirs[words]} times in HubSpot"


def _leaks(pair: Pair, nextcap: State) -> Iterator[str]:
    """What was meant for colleagues and can be read by the customer."""
    said = entries(pair.timeline)
    internal = {_tidy(one["content"]) for one in said if one["type"] == "note"}
    internal |= {
        words_of(note)
        for record in pair.records
        for note in notes(record)
        if not (note["source"] == BY_THE_CONNECTOR or is_marked(note))
    }
    public = [one["content"] for one in said if not one["is_internal"]]
    public += [mail["content"] for mail in nextcap["emails"] if mail["ticket_id"] == pair.ticket["id"]]
    for words in sorted(internal):
        if any(words in _tidy(text) for text in public):
            yield f"{_name(pair)} the internal note {words!r} can be read by the customer"


def _mails(nextcap: State) -> Iterator[str]:
    """Every reply of an agent was mailed once."""
    sent = Counter(mail["reply_id"] for mail in nextcap["emails"])
    for entry in _replies(nextcap):
        if sent[entry["id"]] != 1:
            yield f"the reply {entry['content']!r} was mailed {sent[entry['id']]} times"


def _replies(nextcap: State) -> Iterable[State]:
    return (one for timeline in nextcap["timelines"].values() for one in timeline if one["type"] == "reply")


def _refused_moves(nextcap: State) -> Iterator[str]:
    for move in nextcap["illegal_moves"]:
        yield f"an illegal move was tried: {move['before']} to {move['after']}"


def _tidy(text: str) -> str:
    return " ".join(text.split())
