"""The knobs of the imitation: what differs between accounts, and what nobody has confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

CHOICES: Mapping[str, tuple[str, ...]] = {
    "refresh": ("rotated", "kept", "omitted"),
    "role": ("ADMIN", "NORMAL"),
    "deleted_payload": ("id", "whole"),
    "hook_prefix": ("kase", "project"),
    "entry_link": ("kase", "project"),
    "ownership": ("owner clears team", "pair"),
}
RULE_KEYS = frozenset({"stage", "set"})


@dataclass(slots=True)
class Settings:
    """Settable at any time through `change`; times are seconds.

    rate_limit            calls per hour and user
    search_lag            how long the index behind filters is behind
    token_lifetime        of an OAuth access token
    refresh               whether a refresh gives a new refresh token (the old one dies), the same one, or none
    role                  of the user who gave us the token: only an ADMIN manages hooks
    scope                 what the tokens may do
    foreign_hooks         hooks of other applications, which count among the account's twenty
    hook_prefix           how events of projects are named
    deleted_payload       what a `deleted` event tells of its record
    overlapping_events    a move or a close raises `updated` as well
    note_touches_record   a new entry moves its project's `updatedAt` and raises `updated`
    entry_link            the one name by which a new note may refer to its project
    ownership             what a PUT of one half of owner and team does to the other
    surplus_members       add members that no client knows
    automation            [{"stage": name, "set": {"owner": username, "team": name}}], run when a project enters it
    bare_steps            a record's stage or milestone does not say on which board or pipeline it is
    embed_on_write        the answers to POST and PUT heed `embed`
    large_party           a party with more records than this is deleted by a job, answered 202
    retry_factor          shrinks the time between tries of a delivery
    """

    rate_limit: int = 4_000
    search_lag: float = 1.0
    token_lifetime: int = 604_799
    refresh: str = "rotated"
    role: str = "ADMIN"
    scope: str = "read write"
    foreign_hooks: int = 0
    hook_prefix: str = "kase"
    deleted_payload: str = "id"
    overlapping_events: bool = False
    note_touches_record: bool = False
    entry_link: str = "kase"
    ownership: str = "owner clears team"
    surplus_members: bool = False
    automation: list[dict[str, Any]] = field(default_factory=list)
    bare_steps: bool = False
    embed_on_write: bool = False
    large_party: int = 20
    retry_factor: float = 0.005

    def change(self, wanted: Mapping[str, Any]) -> None:
        """Set several knobs; ValueError, and nothing is set, if one of them is unknown or of a wrong kind."""
        known = {one.name for one in fields(self)}
        for name, value in wanted.items():
            if name not in known:
                raise ValueError(f"no setting {name!r}; there are {', '.join(sorted(known))}")
            _check(name, value, present=getattr(self, name))
        for name, value in wanted.items():
            setattr(self, name, value)

    def view(self) -> dict[str, Any]:
        """All knobs as JSON."""
        return asdict(self)


def _check(name: str, value: Any, *, present: object) -> None:
    if name in CHOICES and value not in CHOICES[name]:
        raise ValueError(f"{name} must be one of {', '.join(CHOICES[name])}")
    if not isinstance(value, (int, float) if isinstance(present, float) else type(present)):
        raise ValueError(f"{name} must be of type {type(present).__name__}")
    if name == "automation" and isinstance(value, list) and any(set(rule) != RULE_KEYS for rule in value):
        raise ValueError("each of automation must have exactly set, stage")
