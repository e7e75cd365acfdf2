"""What people on both sides do at random, and what goes wrong meanwhile: one seed, one history."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from connector.sandbox.kernel import Refusal

from .desks import PRIORITIES
from .site import Site

STATUSES = ("open", "in_progress", "waiting_customer", "waiting_internal", "resolved", "closed", "reopened")
FAULTS = ("status", "status", "lost_answer", "error_after", "drop_before", "delay")
CALLS = r"^/(?!.*(oauth|_control))"
"""Every call but those that renew our access: what is lost there is a matter of its own."""
SLOW_DOWN: dict[str, dict[str, Any]] = {
    "nextcap": {"success": False, "error": {"code": "RATE_LIMITED", "message": "slow down", "retryAfter": 1}},
    "hubspot": {"status": "error", "message": "slow down", "errorType": "RATE_LIMIT", "policyName": "SECONDLY"},
}


class People:
    """Acts on both sides of a site. `written` remembers every comment: its words → (ticket id, side)."""

    def __init__(self, site: Site, seed: int) -> None:
        self.site = site
        self.random = random.Random(seed)
        self.tickets: list[str] = []
        self.written: dict[str, tuple[str, str]] = {}
        self._opened = self._count = 0

    def open_tickets(self, in_nextcap: int, in_crm: int = 0) -> None:
        """Customers open tickets in Next Cap, and agents open some in the CRM."""
        for _ in range(in_nextcap):
            self._opened += 1
            told = {"subject": f"T{self._opened}", "customer_email": f"customer{self._opened % 3}@home.example"}
            made = self.site.nextcap.create_ticket(**told, description="It", assignee=self.site.desk.assignee)
            self.tickets.append(made["id"])
        for _ in range(in_crm):
            self._opened += 1
            self.site.desk.open(f"C{self._opened}", f"caller{self._opened}@home.example")

    def act(self) -> None:
        """One person does one thing somewhere."""
        ticket = self.random.choice(self.tickets)
        records = self.site.desk.of(ticket)
        with suppress(Refusal):  # A person who tries what the system forbids is told so.
            if records and self.random.random() < 0.5:
                self._one(self._edit_in_crm, self._move_in_crm, self._speak_in_crm)(ticket, records[0].id)
            else:
                self._one(self._edit, self._move, self._speak)(ticket)

    def bring_about(self, kind: str) -> None:
        """Somebody does what makes the connector make a write of this kind."""
        ticket = self.random.choice(self.tickets)
        record = next((one.id for one in self.site.desk.of(ticket)), "")
        acts: dict[str, Callable[[], object]] = {
            "create_crm": lambda: self.open_tickets(1),
            "create_nextcap": lambda: self.open_tickets(0, 1),
            "update_crm": lambda: self._edit(ticket),
            "comment_crm": lambda: self._speak(ticket),
            "nextcap": lambda: self._edit(ticket),
        }
        if record:
            acts |= {
                "update_nextcap": lambda: self._edit_in_crm(ticket, record),
                "reply_nextcap": lambda: self._speak_in_crm(ticket, record, public=True),
                "note_nextcap": lambda: self._speak_in_crm(ticket, record, public=False),
                "walk": lambda: self._make_a_walk(ticket),
                "follow_up": lambda: self._speak_after_the_end(ticket, record),
                self.site.desk.name: lambda: self._edit_in_crm(ticket, record),
            }
        with suppress(Refusal), self.site.nextcap.lock, self.site.desk.account.lock:
            acts.get(kind, lambda: None)()

    def _make_a_walk(self, ticket: str) -> None:
        """Take up in the CRM a ticket that is closed on both sides: that leads over a hop. Without one, close this."""
        statuses, desk = self.site.desk.statuses, self.site.desk
        waiting = (statuses["waiting_customer"], statuses["waiting_internal"])
        closed = [one["id"] for one in self.site.nextcap.state()["tickets"] if one["status"] == "closed"]
        both = [one for one in desk.records() if one.ours in closed and one.status == statuses["closed"]]
        if both:
            desk.move(self.random.choice(both).id, next(one for one in waiting if one != statuses["open"]))
        else:
            self.site.nextcap.move(ticket, "closed")

    def _speak_after_the_end(self, ticket: str, record: str) -> None:
        """A customer writes on what the CRM has closed for good."""
        self.site.desk.close_for_good(record)
        self._say(ticket, "customer_reply")

    def _words(self, kind: str) -> str:
        self._count += 1
        return f"{kind} number {self._count}"

    def _edit(self, ticket: str) -> None:
        choice = self._one({"priority": self._one(*PRIORITIES)}, {"subject": self._words("S")})
        self.site.nextcap.set_fields(ticket, choice)

    def _move(self, ticket: str) -> None:
        self.site.nextcap.move(ticket, self._one(*STATUSES))

    def _speak(self, ticket: str) -> None:
        self._say(ticket, self._one("customer_reply", "agent_reply", "agent_note"))

    def _say(self, ticket: str, act: str) -> None:
        words = self._words(act.replace("_", " "))
        getattr(self.site.nextcap, act)(ticket, words)
        self.written[words] = (ticket, "nextcap")

    def _edit_in_crm(self, _ticket: str, record: str) -> None:
        value = self.site.desk.priorities[self._one(*PRIORITIES)]
        self.site.desk.edit(record, *self._one(("priority", value), ("subject", self._words("CS"))))

    def _move_in_crm(self, _ticket: str, record: str) -> None:
        self.site.desk.move(record, self._one(*self.site.desk.choices))

    def _speak_in_crm(self, ticket: str, record: str, public: bool | None = None) -> None:
        is_public = self._one(True, False) if public is None else public
        words = self._words("answer" if is_public else "remark")
        self.site.desk.say(record, words, public=is_public)
        self.written[words] = (ticket, self.site.desk.name)

    def _one(self, *choices: Any) -> Any:
        return self.random.choice(choices)


def trouble(site: Site, dice: random.Random) -> None:
    """The next call or the next deliveries of one side go wrong, somehow."""
    side = dice.choice(site.sides)
    side.faults.clear()
    if dice.random() < 0.4:
        getattr(side.deliveries, dice.choice(["duplicate", "reorder"]))(2)
        return
    kind = dice.choice(FAULTS)
    details: dict[str, Any] = {}
    if kind == "status":
        status = dice.choice([429, 500, 503])
        details = {"status": status}
        if status == 429:
            details |= {"body": SLOW_DOWN.get(side.name), "headers": {"Retry-After": "1"}}
    elif kind == "delay":
        details = {"seconds": 0.3}
    side.faults.add(kind, path=CALLS, times=1, **details)


def rest(dice: random.Random, longest: float) -> None:
    """People take a moment between one thing and the next."""
    time.sleep(dice.random() * longest)
