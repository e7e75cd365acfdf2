"""One field seen from both sides: what each says now beside what they last settled on, and whose value counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from connector.domain.decision import QUARANTINED, Decision, LinkState, Outcome, Shadow, Values, newer_side
from connector.domain.lifecycle import Status
from connector.domain.rules import Direction, Owner, Rule, StatusRule
from connector.domain.ticket import Side, Value

Winner = tuple[Side, str]
"""The side whose value counts, and why."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What both sides say of one field now. Without a shadow they have never settled it: first contact."""

    name: str
    ours: Value
    theirs: Value
    shadow: Shadow | None

    @classmethod
    def of(cls, name: str, link: LinkState, nextcap: Values, crm: Values) -> Self:
        """The field of that name in both sides' values. One that was not observed counts as unchanged."""
        shadow = link.shadows.get(name)
        if shadow is None:
            return cls(name, nextcap.get(name), crm.get(name), None)
        return cls(name, nextcap.get(name, shadow.nextcap), crm.get(name, shadow.crm), shadow)

    @property
    def ours_changed(self) -> bool:
        """Whether Next Cap's value is off its shadow, or has none."""
        return self.shadow is None or self.ours != self.shadow.nextcap

    @property
    def theirs_changed(self) -> bool:
        """Whether the CRM's value is off its shadow, or has none."""
        return self.shadow is None or self.theirs != self.shadow.crm

    def decided(
        self,
        outcome: Outcome,
        code: str,
        reason: str,
        *,
        write_nextcap: Value = None,
        write_crm: Value = None,
        path: tuple[Status, ...] = (),
        substituted: bool = False,
    ) -> Decision:
        """What the comparison came to."""
        return Decision(
            self.name, outcome, code, reason, self.ours, self.theirs, write_crm, write_nextcap, path, substituted
        )

    def waiting(self, link: LinkState) -> Decision | None:
        """The decision where a person is waited for: in quarantine whatever is said, else while both say the same."""
        if self.name in link.quarantined:
            return self.decided(Outcome.HELD, "quarantined", QUARANTINED)
        if link.held.get(self.name) == (self.ours, self.theirs):
            return self.decided(Outcome.HELD, "waits", "still waits for a person")
        return None

    def unchanged(self) -> Decision:
        """Neither side is off its shadow."""
        return self.decided(Outcome.UNCHANGED, "unchanged", "neither side changed")

    def agreed(self) -> Decision:
        """The sides say the same, each in its own words."""
        return self.decided(Outcome.AGREED, "agreed", "both sides say the same")

    def asking(self) -> Decision:
        """A person chooses."""
        if self.shadow is None:
            return self.decided(Outcome.HELD, "first_ask", "first contact: a person chooses")
        return self.decided(Outcome.HELD, "conflict", "both sides changed; a person chooses")

    def one_way(self, reason: str) -> Decision:
        """The value that counts does not travel to the other side."""
        return self.decided(Outcome.LEFT, "one_way", f"{reason}, and the field does not travel that way")

    def winner(self, rule: Rule | StatusRule, link: LinkState, now: datetime) -> Winner | None:
        """Whose change counts, where there is one; None where the mapping lets a person choose."""
        if not self.theirs_changed:
            return Side.NEXTCAP, "Next Cap changed"
        if not self.ours_changed:
            return Side.CRM, "the CRM changed"
        if rule.direction is Direction.TO_CRM:
            return Side.NEXTCAP, "both changed; the field travels only to the CRM"
        if rule.direction is Direction.TO_NEXTCAP:
            return Side.CRM, "both changed; the field travels only to Next Cap"
        if rule.owner is Owner.ASK:
            return None
        if rule.owner is Owner.NEWEST:
            return newer_side(link, self.name, now)
        side = Side.NEXTCAP if rule.owner is Owner.NEXTCAP else Side.CRM
        return side, f"both sides changed; the mapping names {side} as the owner"


def first_taken(side: Side) -> Winner:
    """Where a field has no shadow, and the mapping lets this side's value count."""
    return side, f"first contact: {'the CRM' if side is Side.CRM else 'Next Cap'}'s value is taken"
