"""What became of everything that people did, read from the imitations alone."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .desks import Desk, Seen
from .people import People


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
    with people.site.nextcap.lock, people.site.desk.account.lock:
        return _judge(people)


def _judge(people: People) -> Verdict:
    nextcap, desk = people.site.nextcap, people.site.desk
    found, records = Verdict(), desk.records()
    tickets = nextcap.state()["tickets"]
    for ticket in tickets:
        its = [one for one in records if one.ours == ticket["id"]]
        _count(found, f"{ticket['subject']!r} in the CRM", len(its))
        if len(its) == 1:
            found.different += _differences(desk, ticket, its[0])
            _judge_comments(found, people, ticket["id"], its[0])
    known = {ticket["id"] for ticket in tickets}
    found.lost += [f"the CRM's {one.subject!r} has no ticket" for one in records if one.ours not in known]
    for (ticket_id, words), times in _mails(nextcap).items():
        if times > 1:
            found.doubled.append(f"mailed {times} times to the customer of {ticket_id}: {words!r}")
    found.illegal = [f"{move['before']} to {move['after']}" for move in _illegal(nextcap)]
    return found


def _differences(desk: Desk, ticket: dict[str, Any], record: Seen) -> list[str]:
    """Every field in which the two sides disagree.

    Nothing can be set to `new` again, on either side: where one of them is open by its own rules, both rest so.
    """
    pairs = {
        "subject": (ticket["subject"], record.subject),
        "priority": (desk.priorities[ticket["priority"]], record.priority),
        "exact status": (ticket["status"], record.exact),
        "status": (desk.statuses[ticket["status"]], record.status),
    }
    if {ticket["status"], record.status} in ({"open", desk.statuses["new"]}, {"new", desk.statuses["open"]}):
        del pairs["status"]
    return [f"{ticket['id']} {name}: {one} / {two}" for name, (one, two) in pairs.items() if one != two]


def _count(found: Verdict, what: str, times: int) -> None:
    if times == 0:
        found.lost.append(what)
    elif times > 1:
        found.doubled.append(f"{what} stands {times} times")


def _judge_comments(found: Verdict, people: People, ticket_id: str, record: Seen) -> None:
    """Each entry stands once on the other side; what the CRM's people wrote stands there in their order."""
    notes = [[line.strip() for line in re.sub(r"<[^>]+>", "\n", body).split("\n")] for body in record.entries]
    entries = [str(entry.get("content") or "") for entry in people.site.nextcap.timeline(ticket_id)]
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
        found.disordered.append(f"the CRM's comments on ticket {ticket_id} came in the order {places}")


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
