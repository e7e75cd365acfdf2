"""The body of an event: what counts as a change, what is left out, and what no receiver could read."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from connector.events.catalogue import EventType
from connector.events.payload import Notice, TicketView, body, changes, without_words

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({"status": "new"}, {"status": "new"}, {}),
        ({"status": "new"}, {"status": "open"}, {"status": {"old": "new", "new": "open"}}),
        ({"status": "new"}, {}, {}),
        ({}, {"status": "open"}, {}),
        ({"tags": ["b", "a"]}, {"tags": ["a", "b"]}, {}),
        ({"tags": ["a"]}, {"tags": None}, {"tags": {"old": ["a"], "new": []}}),
        ({"custom_fields": "plan: gold", "custom_fields.plan": "gold"}, {"status": "new"}, {}),
        (
            {"custom_fields": None},
            {"custom_fields": "plan: gold", "custom_fields.plan": "gold"},
            {"custom_fields.plan": {"old": None, "new": "gold"}},
        ),
        (
            {"custom_fields": "plan: gold", "custom_fields.plan": "gold"},
            {"custom_fields": None},
            {"custom_fields.plan": {"old": "gold", "new": None}},
        ),
        ({"url": "a", "department.name": "x"}, {"url": "b", "department.name": "y"}, {}),
    ],
)
def test_a_change_is_what_both_readings_tell_and_tell_otherwise(
    before: dict[str, object], after: dict[str, object], changed: dict[str, object]
) -> None:
    assert changes(before, after) == changed


def test_of_words_only_that_they_changed_is_told() -> None:
    changed = changes({"subject": "a", "priority": "low"}, {"subject": "b", "priority": "high"})

    assert without_words(changed) == {"subject": None, "priority": {"old": "low", "new": "high"}}


def test_half_a_character_and_nul_stop_nobody() -> None:
    ticket = TicketView("1", fields={"subject": "Ze\ud83dbra\0", "custom_fields.a\ud83d": "x"})

    told = body(Notice(EventType.UPDATED, ticket), words=True, at=NOON)

    shown = json.loads(told.encode())["data"]["ticket"]
    assert shown["subject"] == "Ze\ufffdbra"
    assert shown["custom_fields"] == {"a\ufffd": "x"}


def test_a_ticket_that_is_not_there_yet_is_told_of_by_its_record() -> None:
    notice = Notice(EventType.PARKED, TicketView(None), connection="hubspot", record_id="7")

    assert notice.subject == "hubspot:7"
