"""Setting Next Cap up and looking it over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector.adapters.base import ChangeKind
from connector.adapters.nextcap import NextCap
from connector.domain.errors import RetryLater
from connector.domain.schema import Schema

from .arena import SECRET, NextCapArena
from .helpers import change, ticket_of

URL = "https://connector.example.test/webhooks/nextcap"


def test_a_webhook_is_registered_once_and_its_secret_is_kept(arena: NextCapArena) -> None:
    arena.webhook_secrets.clear()

    dry = arena.adapter.subscribe(URL, dry_run=True)
    first = arena.adapter.subscribe(URL, dry_run=False)
    second = arena.adapter.subscribe(URL, dry_run=False)
    hook = next(iter(arena.imitation.world.webhooks.values()))

    assert [step.state for step in (*dry, *first, *second)] == ["would", "done", "ok"]
    assert arena.webhook_secrets == [hook.secret]
    assert "ticket.customer_reply" in hook.events
    assert len(arena.imitation.world.webhooks) == 1
    assert hook.secret not in repr((*first, *second))


def test_a_kept_secret_is_believed_at_once(arena: NextCapArena) -> None:
    arena.webhook_secrets.clear()
    arena.adapter.subscribe(URL, dry_run=False)

    arena.adapter.verify(arena.signed(b"{}", "x", secret=arena.webhook_secrets[0]), now=arena.now())


def test_without_a_data_key_or_a_place_for_the_secret_a_person_does_it(arena: NextCapArena) -> None:
    keyless = NextCap(arena.transport("key"), secrets=[])
    homeless = NextCap(arena.transport("key"), data_transport=arena.transport("key"), secrets=[])

    for adapter in (keyless, homeless):
        (step,) = adapter.subscribe(URL, dry_run=False)
        assert step.state == "manual"
        assert "ticket.reply" in step.advice
    assert arena.wire.urls == []


def test_a_list_that_is_missing_makes_no_second_webhook(arena: NextCapArena) -> None:
    arena.imitation.configure(webhook_routes=False)
    arena.webhook_secrets.clear()

    first = arena.adapter.subscribe(URL, dry_run=False)
    second = arena.adapter.subscribe(URL, dry_run=False)

    assert [step.state for step in (*first, *second)] == ["done", "manual"]
    assert len(arena.imitation.world.webhooks) == 1


@pytest.mark.parametrize("trouble", ["inactive", "too few events", "secret lost"])
def test_a_webhook_that_cannot_work_is_a_problem_with_a_remedy(arena: NextCapArena, trouble: str) -> None:
    arena.adapter.subscribe(URL, dry_run=False)
    hook = next(iter(arena.imitation.world.webhooks.values()))
    if trouble == "inactive":
        hook.is_active = False
    elif trouble == "too few events":
        hook.events = ("ticket.created",)
    else:
        arena.webhook_secrets.clear()

    (step,) = arena.adapter.subscribe(URL, dry_run=False)

    assert step.state == "problem"
    assert "Delete it" in step.advice


def checks(arena: NextCapArena) -> dict[str, bool]:
    return {check.what: check.ok for check in arena.adapter.check()}


def test_each_missing_right_is_a_line_of_its_own(arena: NextCapArena) -> None:
    arena.imitation.configure(permissions=["tickets:view"])

    assert checks(arena) == {
        "tickets": True,
        "clock": True,
        "team directory": False,
        "conversations": True,
        "chat queue": True,
        "webhooks": True,
    }


def test_a_removed_seat_and_a_dead_webhook_are_seen(arena: NextCapArena) -> None:
    arena.adapter.subscribe(URL, dry_run=False)
    next(iter(arena.imitation.world.webhooks.values())).is_active = False
    arena.imitation.configure(seat_active=False)

    found = checks(arena)

    assert (found["tickets"], found["webhooks"]) == (False, False)


def test_a_clock_that_is_wrong_is_seen(arena: NextCapArena) -> None:
    def wrong() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=90)

    adapter = NextCap(arena.transport("nextcap_ck_sandbox"), secrets=[SECRET], now=wrong)

    (clock,) = (check for check in adapter.check() if check.what == "clock")

    assert not clock.ok
    assert clock.detail.endswith("s ahead of the vendor's")


def test_the_schema_says_what_may_be_written(arena: NextCapArena) -> None:
    schema: Schema = arena.adapter.schema()
    status = schema.field("status")

    assert status is not None
    assert len(status.options) == 8
    assert {field.name for field in schema.fields if field.writable} == {
        "subject",
        "description",
        "status",
        "priority",
        "category",
        "tags",
        "department_id",
        "assigned_agent_id",
    }
    assert set(arena.read(ticket_of(arena)).fields) - {"custom_fields.plan"} <= {field.name for field in schema.fields}


def test_a_removed_seat_stops_the_connection_and_blames_no_ticket(arena: NextCapArena) -> None:
    ticket = ticket_of(arena)
    arena.imitation.configure(seat_active=False)

    error = change(arena, ChangeKind.UPDATE, ticket, {"priority": "high"}).error

    assert isinstance(error, RetryLater)
    assert (error.code, error.scope) == ("unauthorized", "connection")
