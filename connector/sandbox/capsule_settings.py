"""The knobs of the imitation: what differs between accounts, and what nobody has confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .kernel_settings import Knobs


@dataclass(slots=True)
class Settings(Knobs):
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

    choices: ClassVar[Mapping[str, tuple[object, ...]]] = {
        "refresh": ("rotated", "kept", "omitted"),
        "role": ("ADMIN", "NORMAL"),
        "deleted_payload": ("id", "whole"),
        "hook_prefix": ("kase", "project"),
        "entry_link": ("kase", "project"),
        "ownership": ("owner clears team", "pair"),
    }
    rules: ClassVar[Mapping[str, frozenset[str]]] = {"automation": frozenset({"stage", "set"})}

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
