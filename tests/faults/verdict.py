"""What became of everything that people did, read from the imitations alone."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.flows.actions import People
from tests.flows.agreement import differences


@dataclass(slots=True)
class Verdict:
    """Sentences about what is lost, doubled, out of order, illegal, or different on the two sides."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    illegal: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.disordered or self.illegal or self.different)

    def __str__(self) -> str:
        counts = {name: getattr(self, name) for name in self.__slots__}
        told = ", ".join(f"{name} {len(sentences)}" for name, sentences in counts.items())
        return "\n".join([told, *(f"  {one}" for sentences in counts.values() for one in sentences[:10])])


def judge(people: People) -> Verdict:
    """Look at both sides as they are just now; meant for when all is quiet."""
    with people.world.nextcap.lock, people.world.hubspot.lock:
        return _judge(people)


def _judge(people: People) -> Verdict:
    nextcap, hubspot = people.world.nextcap, people.world.hubspot
    found = Verdict(different=differences(nextcap, hubspot))
    tickets = nextcap.state()["tickets"]
    for ticket in tickets:
        records = hubspot.tickets_of(ticket["id"])
        _count(found, f"{ticket['subject']!r} in HubSpot", len(records))
        if len(records) == 1:
            _judge_comments(found, people, ticket["id"], records[0])
    known = {ticket["id"] for ticket in tickets}
    for record in hubspot.state()["tickets"]:
        if record["properties"].get("nextcap_ticket_id") not in known:
            found.lost.append(f"HubSpot's {record['properties'].get('subject')!r} has no Next Cap ticket")
    for (ticket_id, words), times in _mails(nextcap).items():
        if times > 1:
            found.doubled.append(f"mailed {times} times to the customer of {ticket_id}: {words!r}")
    found.illegal = [f"{move['before']} to {move['after']}" for move in _illegal(nextcap)]
    return found


def _count(found: Verdict, what: str, times: int) -> None:
    if times == 0:
        found.lost.append(what)
    elif times > 1:
        found.doubled.append(f"{what} stands {times} times")


def _judge_comments(found: Verdict, people: People, ticket_id: str, record: dict[str, Any]) -> None:
    """Each entry stands once on the other side; what HubSpot's people wrote stands there in their order."""
    notes = [re.sub(r"<[^>]+>", "\n", note["body"]).split("\n") for note in record["notes"]]
    entries = [str(entry.get("content") or "") for entry in people.world.nextcap.timeline(ticket_id)]
    places = []
    for words, (its_ticket, side) in people.written.items():
        if its_ticket != ticket_id:
            continue
        if side == "nextcap":
            stands = [place for place, lines in enumerate(notes) if words in lines]
        else:
            stands = [place for place, text in enumerate(entries) if text.endswith(words)]
            places += stands[:1]
        _count(found, f"{words!r} of {side} on ticket {ticket_id}", len(stands))
    if places != sorted(places):
        found.disordered.append(f"HubSpot's comments on ticket {ticket_id} came in the order {places}")


def _mails(nextcap: Any) -> Counter[tuple[str, str]]:
    return Counter((mail["ticket_id"], mail["content"]) for mail in nextcap.state()["emails"])


def _illegal(nextcap: Any) -> list[dict[str, Any]]:
    """Moves that we tried and Next Cap's machine forbids, unless a person moved the ticket just before."""
    state = nextcap.state()
    tried = [move for move in state["illegal_moves"] if move["by"] == state["seat"]]
    return [move for move in tried if not was_overtaken(nextcap, move)]


def was_overtaken(nextcap: Any, move: dict[str, Any]) -> bool:
    """Whether a person moved the ticket in the two seconds before: nobody could have known."""
    tried_at = datetime.fromisoformat(move["at"])
    moves = [one for one in nextcap.timeline(move["ticket_id"]) if one["type"] == "status_changed"]
    ages = [tried_at - datetime.fromisoformat(one["created_at"]) for one in moves]
    return any(timedelta() <= age <= timedelta(seconds=2) for age in ages)
