"""What people on both sides do at random, and what goes wrong meanwhile: one seed, one history."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from typing import Any

from connector.sandbox.kernel import Refusal

from .world import World

STATUSES = ("open", "in_progress", "waiting_customer", "waiting_internal", "resolved", "closed", "reopened")
STAGES = ("New", "Waiting on us", "Waiting on contact", "Closed")
LIMITS: dict[str, dict[str, Any]] = {
    "nextcap": {"success": False, "error": {"code": "RATE_LIMITED", "message": "slow down", "retryAfter": 1}},
    "hubspot": {"status": "error", "message": "slow down", "errorType": "RATE_LIMIT", "policyName": "SECONDLY"},
}
FAULTS = ("status", "status", "lost_answer", "error_after", "drop_before", "delay")


class People:
    """Acts on both sides of a world. `written` remembers every comment: its words → (ticket id, side)."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.tickets: list[str] = []
        self.written: dict[str, tuple[str, str]] = {}
        self._count = 0

    def open_tickets(self, in_nextcap: int, in_hubspot: int) -> None:
        """Customers open tickets in Next Cap, and agents open some in HubSpot."""
        for number in range(in_nextcap):
            email = f"customer{number % 3}@home.example"
            made = self.world.nextcap.create_ticket(subject=f"T{number}", description="It", customer_email=email)
            self.tickets.append(made["id"])
        for number in range(in_hubspot):
            self.world.hubspot.create_ticket(f"H{number}", "It", contact=f"caller{number}@home.example")

    def act(self) -> None:
        """One person does one thing somewhere."""
        ticket = self.random.choice(self.tickets)
        records = self.world.hubspot.tickets_of(ticket)
        acts = [self._edit, self._move, self._speak]
        if records:
            acts += [self._edit_in_hubspot, self._move_in_hubspot, self._speak_in_hubspot]
        self.random.choice(acts)(ticket, records[0]["id"] if records else "")

    def _words(self, kind: str) -> str:
        self._count += 1
        return f"{kind} number {self._count}"

    def _edit(self, ticket: str, _record: str) -> None:
        choice = self.random.choice(
            [{"priority": self._one("low", "normal", "high", "urgent")}, {"subject": self._words("S")}]
        )
        self.world.nextcap.set_fields(ticket, choice)

    def _move(self, ticket: str, _record: str) -> None:
        with suppress(Refusal):  # A person who tries an illegal move is told so.
            self.world.nextcap.move(ticket, self._one(*STATUSES))

    def _speak(self, ticket: str, _record: str) -> None:
        act = self._one("customer_reply", "agent_reply", "agent_note")
        words = self._words(act)
        getattr(self.world.nextcap, act)(ticket, words)
        self.written[words] = (ticket, "nextcap")

    def _edit_in_hubspot(self, _ticket: str, record: str) -> None:
        choice = self.random.choice(
            [{"hs_ticket_priority": self._one("LOW", "MEDIUM", "HIGH", "URGENT")}, {"subject": self._words("HS")}]
        )
        self.world.hubspot.set_properties(record, choice)

    def _move_in_hubspot(self, _ticket: str, record: str) -> None:
        self.world.hubspot.move_stage(record, self._one(*STAGES))

    def _speak_in_hubspot(self, ticket: str, record: str) -> None:
        marker = self._one("", "#reply ")
        words = self._words("answer" if marker else "remark")
        self.world.hubspot.write_note(record, f"<p>{marker}{words}</p>")
        self.written[words] = (ticket, "hubspot")

    def _one(self, *choices: str) -> str:
        return self.random.choice(choices)


def trouble(world: World, dice: random.Random) -> None:
    """The next call or the next deliveries of one side go wrong, somehow."""
    name = dice.choice(["nextcap", "hubspot"])
    side = getattr(world, name)
    side.faults.clear()
    if dice.random() < 0.4:
        getattr(side.deliveries, dice.choice(["duplicate", "reorder"]))(2)
        return
    kind = dice.choice(FAULTS)
    details: dict[str, Any] = {}
    if kind == "status":
        status = dice.choice([429, 500, 503])
        details = {"status": status, "body": LIMITS[name] if status == 429 else None}
    elif kind == "delay":
        details = {"seconds": 0.3}
    side.faults.add(kind, path="/(api|crm)/", times=1, **details)


def rest(dice: random.Random, longest: float) -> None:
    """People take a moment between one thing and the next."""
    time.sleep(dice.random() * longest)
