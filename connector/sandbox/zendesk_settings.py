"""The knobs of the imitation of Zendesk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .kernel_settings import Knobs


@dataclass(slots=True)
class Settings(Knobs):
    """What differs between accounts.

    rate_limit            calls per minute of the whole account (Team 200 … Enterprise Plus 2,500)
    update_limit          ticket updates per minute
    same_ticket_limit     updates of one ticket by one user within ten minutes
    export_limit          incremental exports per minute
    export_age            seconds by which the newest changes are left out of an export
    export_page           tickets in one page of an export
    job_seconds           how long a job is queued before it is done
    most_jobs             jobs that may be queued or working
    access_lifetime       seconds that an access token serves; `refresh_lifetime` in days
    scope                 what the tokens may do: `read write`, or narrower ones
    role                  of the user behind the tokens: only an `admin` exports and sets up
    hold                  the administrator switched the status "on hold" on
    custom_statuses       custom ticket statuses are activated
    assign_on_solve       who solves an unassigned ticket becomes its assignee
    search_lag            seconds until a change can be found by a search
    merge_via             a merge names its target in the audit's `via`, and its comment has other words
    unknown_events        event types of tickets that no webhook can subscribe to: `type_changed` …
    bare_statuses         the status field lists only what people choose from: neither New nor Closed
    numeric_ids           ids in webhooks are numbers, not texts
    triggers              [{"when": {field: value}, "set": {field: value}}], run after every update of a ticket
    retry_factor          shrinks the time between tries of a delivery
    """

    rate_limit: int = 700
    update_limit: int = 100
    same_ticket_limit: int = 30
    export_limit: int = 10
    export_age: float = 60.0
    export_page: int = 1000
    job_seconds: float = 0.15
    most_jobs: int = 30
    access_lifetime: int = 1_800
    refresh_lifetime: int = 30
    scope: str = "read write"
    role: str = "admin"
    hold: bool = False
    custom_statuses: bool = False
    assign_on_solve: bool = False
    search_lag: float = 1.0
    merge_via: bool = False
    unknown_events: list[str] = field(default_factory=list)
    bare_statuses: bool = False
    numeric_ids: bool = False
    triggers: list[dict[str, Any]] = field(default_factory=list)
    retry_factor: float = 0.005
