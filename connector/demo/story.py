"""The story that is played: what people do, step by step, and what must be so afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connector.demo.picture import Picture
from connector.demo.sides import State
from connector.demo.world import World

BEN = "ben@acme.example"
ADA = "ada@acme.example"

Claims = Mapping[str, bool]
"""What must be so after a step, each in words that can be printed where it is not."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens. `act` is given how things were; `then` is asked until all its claims hold.

    Both sides must be equal then too, and all at rest, unless the step leaves them `apart`.
    """

    caption: str
    act: Callable[[Picture], None]
    then: Callable[[Picture], Claims]
    apart: bool = False


class Story:
    """A day of support. Keeps the ids of its two tickets as they come to be."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._nextcap = world.nextcap
        self._hubspot = world.hubspot
        self._mia = ""
        self._noah = ""
        self._late = self._repeats = 0

    def steps(self) -> list[Step]:
        """Everything that happens, in order."""
        return [
            Step("Mia asks in the chat, and the assistant opens a ticket for her", self._chat, self._in_hubspot),
            Step("Ben takes it in HubSpot: his, urgent, waiting on us", self._take, self._taken),
            Step("Ben writes an internal note in HubSpot", self._note, self._stays_internal),
            Step("Ben answers Mia from HubSpot and waits for her", self._answer, self._waiting),
            Step("Mia answers", self._mia_answers, self._open_again),
            Step("Ada writes an internal note in Next Cap", self._note_in_nextcap, self._both_notes),
            Step("Noah opens a ticket by the widget", self._noah_asks, self._second_in_hubspot),
            Step("Ben closes it in HubSpot at once: two legal moves in Next Cap", self._close_at_once, self._two_hops),
            Step("Noah is not content and writes again", self._noah_answers, self._reopened),
            Step("Somebody calls, and Ben opens a ticket in HubSpot", self._call, self._in_nextcap),
            Step("Each side sends a webhook twice", self._twice, self._known_already),
            Step("Two webhooks of Next Cap arrive in the wrong order", self._disorder, self._newest_stays),
            Step("HubSpot goes away, and work goes on in Next Cap", self._outage, self._waits, apart=True),
            Step("HubSpot comes back, and the connector catches up", self._back, self._caught_up),
            Step("Ben closes Mia's ticket in HubSpot", self._close, self._done),
        ]

    # -- Mia's ticket

    def _chat(self, _before: Picture) -> None:
        chat = self._nextcap.act("start_conversation", content="The code never arrives", name="Mia Larsen")["id"]
        self._nextcap.act("assistant_message", conversation=chat, content="A colleague will look into it.")
        self._nextcap.act("hand_off", conversation=chat)
        ticket = self._nextcap.act(
            "create_ticket",
            subject="Login code never arrives",
            description="Since this morning no code comes, neither by mail nor by text.",
            source="handoff",
            conversation=chat,
            customer_name="Mia Larsen",
            customer_email="mia@home.example",
        )
        self._mia = ticket["id"]

    def _in_hubspot(self, picture: Picture) -> Claims:
        return {"HubSpot shows it as New": picture.pair(self._mia).records[0]["stage"] == "New"}

    def _take(self, before: Picture) -> None:
        ben = next(owner["id"] for owner in before.hubspot["owners"] if owner["email"] == BEN)
        changes = {"hubspot_owner_id": ben, "hs_ticket_priority": "URGENT"}
        self._hubspot.act("set_properties", ticket=_record(before, self._mia), properties=changes, by=BEN)
        self._move(before, self._mia, "Waiting on us")

    def _taken(self, picture: Picture) -> Claims:
        ticket = picture.pair(self._mia).ticket
        return {
            "Next Cap's ticket is open": ticket["status"] == "open",
            "it is urgent": ticket["priority"] == "urgent",
            "it is somebody's": ticket["assigned_agent_id"] is not None,
        }

    def _note(self, before: Picture) -> None:
        self._write(before, self._mia, "<p>Her mail provider turns us away, <b>not</b> her fault.</p>")

    def _stays_internal(self, picture: Picture) -> Claims:
        found = _entries(picture, self._mia, "note")
        return {
            "the note is in Next Cap": len(found) == 1,
            "it is internal": all(one["is_internal"] for one in found),
            "nobody was sent a mail": not picture.nextcap["emails"],
        }

    def _answer(self, before: Picture) -> None:
        self._write(before, self._mia, "<p>#reply Hello Mia, please try again now.</p>")
        self._move(before, self._mia, "Waiting on contact")

    def _waiting(self, picture: Picture) -> Claims:
        return {
            "the reply is in Next Cap": len(_entries(picture, self._mia, "reply")) == 1,
            "Mia was sent one mail": [mail["to"] for mail in picture.nextcap["emails"]] == ["mia@home.example"],
            "Next Cap waits for her": picture.pair(self._mia).ticket["status"] == "waiting_customer",
        }

    def _mia_answers(self, _before: Picture) -> None:
        self._nextcap.act("customer_reply", ticket=self._mia, content="It came at last, but only by text.")

    def _open_again(self, picture: Picture) -> Claims:
        return {"HubSpot waits on us": picture.pair(self._mia).records[0]["stage"] == "Waiting on us"}

    def _note_in_nextcap(self, _before: Picture) -> None:
        self._nextcap.act("agent_note", ticket=self._mia, content="Asked the provider to let us through.", agent=ADA)

    def _both_notes(self, picture: Picture) -> Claims:
        return {"Next Cap has two notes": len(_entries(picture, self._mia, "note")) == 2}

    def _close(self, before: Picture) -> None:
        self._move(before, self._mia, "Closed")

    def _done(self, picture: Picture) -> Claims:
        return {"Next Cap's ticket is resolved": picture.pair(self._mia).ticket["status"] == "resolved"}

    # -- Noah's ticket, and the caller's

    def _noah_asks(self, __before: Picture) -> None:
        ticket = self._nextcap.act(
            "create_ticket",
            subject="Invoice twice",
            description="I was charged two times.",
            customer_name="Noah Kim",
            customer_email="noah@home.example",
        )
        self._noah = ticket["id"]

    def _second_in_hubspot(self, picture: Picture) -> Claims:
        return {"HubSpot shows it as New": picture.pair(self._noah).records[0]["stage"] == "New"}

    def _close_at_once(self, before: Picture) -> None:
        self._move(before, self._noah, "Closed")

    def _two_hops(self, picture: Picture) -> Claims:
        return {
            "Next Cap moved new to open to resolved": picture.moves(self._noah) == ["open", "resolved"],
            "no illegal move was tried": not picture.nextcap["illegal_moves"],
        }

    def _noah_answers(self, _before: Picture) -> None:
        self._nextcap.act("customer_reply", ticket=self._noah, content="The second charge is still there.")

    def _reopened(self, picture: Picture) -> Claims:
        pair = picture.pair(self._noah)
        return {
            "Next Cap reopened it": pair.ticket["status"] == "reopened",
            "HubSpot waits on us": pair.records[0]["stage"] == "Waiting on us",
        }

    def _call(self, _before: Picture) -> None:
        self._hubspot.act(
            "create_ticket",
            subject="Wants to change the plan",
            content="Asked by phone what the larger plan costs.",
            contact="lea@home.example",
            by=BEN,
        )

    def _in_nextcap(self, picture: Picture) -> Claims:
        return {"Next Cap has three tickets": len(picture.nextcap["tickets"]) == 3}

    # -- trouble

    def _twice(self, before: Picture) -> None:
        self._repeats = before.repeats
        self._nextcap.disturb(duplicate=1)
        self._hubspot.disturb(duplicate=1)
        self._nextcap.act("set_fields", ticket=self._noah, fields={"priority": "high"}, agent=ADA)
        changes = {"subject": "Charged twice"}
        self._hubspot.act("set_properties", ticket=_record(before, self._noah), properties=changes, by=BEN)

    def _known_already(self, picture: Picture) -> Claims:
        pair = picture.pair(self._noah)
        return {
            "HubSpot has the priority": pair.records[0]["properties"]["hs_ticket_priority"] == "HIGH",
            "Next Cap has the subject": pair.ticket["subject"] == "Charged twice",
            "both repeats were recognised": picture.repeats == self._repeats + 2,
        }

    def _disorder(self, before: Picture) -> None:
        self._late = before.late
        self._nextcap.disturb(reorder=2)
        for subject in ("Login codes: being mended", "Login codes: mended"):
            self._nextcap.act("set_fields", ticket=self._mia, fields={"subject": subject}, agent=ADA)

    def _newest_stays(self, picture: Picture) -> Claims:
        pair = picture.pair(self._mia)
        return {
            "HubSpot has the newest subject": pair.records[0]["properties"]["subject"] == "Login codes: mended",
            "the webhook that came late was recognised": picture.late > self._late,
        }

    def _outage(self, _before: Picture) -> None:
        self._world.sandbox.hubspot.stop()
        self._nextcap.act("customer_reply", ticket=self._mia, content="Now the mails come too, thank you!")
        self._nextcap.act("set_fields", ticket=self._noah, fields={"priority": "normal"}, agent=ADA)

    def _waits(self, picture: Picture) -> Claims:
        return {
            "the connector says what it waits for": "not reached" in picture.waits_for,
            "it has tried again": picture.failures > 1,
        }

    def _back(self, _before: Picture) -> None:
        self._world.sandbox.hubspot.start()

    def _caught_up(self, picture: Picture) -> Claims:
        return {"nothing waits any more": not picture.waits_for}

    # -- what several steps need

    def _move(self, before: Picture, ticket_id: str, stage: str) -> None:
        self._hubspot.act("move_stage", ticket=_record(before, ticket_id), stage=stage, by=BEN)

    def _write(self, before: Picture, ticket_id: str, html: str) -> None:
        self._hubspot.act("write_note", ticket=_record(before, ticket_id), html=html, by=BEN)


def _record(picture: Picture, ticket_id: str) -> str:
    """The id of a ticket's HubSpot ticket."""
    return str(picture.pair(ticket_id).records[0]["id"])


def _entries(picture: Picture, ticket_id: str, kind: str) -> list[State]:
    """The entries of one kind in a ticket's timeline."""
    return [one for one in picture.pair(ticket_id).timeline if one["type"] == kind]
