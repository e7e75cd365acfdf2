"""What the demo compares: two states in, differences out; each way to differ is found and named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from connector.demo.agreement import differences
from connector.demo.figures import Count, Figures, Taken, miscounts

State = dict[str, Any]
FRAME = "<p><strong>Customer Mia wrote in Next Cap</strong></p>{}<p><small>Reference ncref-1</small></p>"


def entry(number: int, kind: str, content: str) -> State:
    return {"id": f"e{number}", "type": kind, "content": content, "is_internal": kind == "note"}


def note(number: int, body: str, *, ours: bool = False) -> State:
    source = "INTEGRATION" if ours else "CRM_UI"
    return {"id": f"n{number}", "body": body, "source": source, "timestamp": f"{number}", "archived": False}


@pytest.fixture
def sides() -> tuple[State, State]:
    """One ticket that both sides hold alike: a customer's words, an internal note and a mailed reply."""
    nextcap = {
        "members": [{"id": "m1", "email": "ben@acme.example"}],
        "tickets": [
            {
                "id": "t1",
                "ticket_number": 1001,
                "subject": "Printer",
                "description": "It burns.",
                "status": "in_progress",
                "priority": "high",
                "assigned_agent_id": "m1",
                "customer_email": "mia@home.example",
            }
        ],
        "timelines": {
            "t1": [
                {"id": "e0", "type": "created", "content": "It burns.", "is_internal": False},
                entry(1, "customer_reply", "Still <on> fire\nhere"),
                entry(2, "note", "She sounds calm"),
                entry(3, "reply", "On our way"),
            ]
        },
        "emails": [{"reply_id": "e3", "ticket_id": "t1", "content": "On our way", "to": "mia@home.example"}],
        "illegal_moves": [],
    }
    record = {
        "id": "30",
        "archived": False,
        "stage": "Waiting on us",
        "properties": {
            "nextcap_ticket_id": "t1",
            "subject": "Printer",
            "content": "It burns.",
            "nextcap_status": "in_progress",
            "hs_ticket_priority": "HIGH",
            "hubspot_owner_id": "o1",
        },
        "contacts": ["c1"],
        "notes": [
            note(1, FRAME.format("<p>Still &lt;on&gt; fire<br>here</p>"), ours=True),
            note(2, "<p>She <b>sounds</b> calm</p>"),
            note(3, "<p>#reply On our way</p>"),
        ],
    }
    hubspot = {
        "tickets": [record],
        "owners": [{"id": "o1", "email": "ben@acme.example"}],
        "contacts": [{"id": "c1", "properties": {"email": "mia@home.example"}}],
    }
    return nextcap, hubspot


def test_sides_that_say_the_same_do_not_differ(sides: tuple[State, State]) -> None:
    assert differences(*sides) == []


def _of(hubspot: State) -> State:
    found: State = hubspot["tickets"][0]
    return found


CHANGES: dict[str, tuple[Callable[[State, State], object], str]] = {
    "subject": (lambda n, h: _of(h)["properties"].update(subject="Scanner"), "subject"),
    "description": (lambda n, h: n["tickets"][0].update(description="It smokes."), "description"),
    "stage": (lambda n, h: _of(h).update(stage="Closed"), "status: Next Cap's means 'Waiting on us'"),
    "exact status": (lambda n, h: _of(h)["properties"].update(nextcap_status="open"), "exact status"),
    "priority": (lambda n, h: n["tickets"][0].update(priority="low"), "priority: Next Cap's means 'LOW'"),
    "assignee": (lambda n, h: _of(h)["properties"].update(hubspot_owner_id=""), "assignee"),
    "customer": (lambda n, h: _of(h).update(contacts=[]), "customer"),
    "a doubled ticket": (lambda n, h: h["tickets"].append(_of(h)), "#1001 has 2 HubSpot tickets"),
    "a lost ticket": (lambda n, h: _of(h).update(archived=True), "#1001 has 0 HubSpot tickets"),
    "a ticket of nobody": (
        lambda n, h: h["tickets"].append({**_of(h), "id": "31", "properties": {}}),
        "HubSpot ticket 31 has no Next Cap ticket",
    ),
    "a lost note": (lambda n, h: _of(h)["notes"].pop(0), "stands 1 times in Next Cap, 0 times in HubSpot"),
    "a doubled note": (
        lambda n, h: _of(h)["notes"].append(note(4, "<p>She sounds calm</p>")),
        "stands 1 times in Next Cap, 2 times in HubSpot",
    ),
    "a cut reply": (lambda n, h: n["timelines"]["t1"][1].update(content="Still"), "'Still' stands 1 times"),
    "a second mail": (lambda n, h: n["emails"].append(n["emails"][0]), "was mailed 2 times"),
    "no mail": (lambda n, h: n["emails"].clear(), "was mailed 0 times"),
    "a public note": (
        lambda n, h: n["timelines"]["t1"][2].update(is_internal=False),
        "'She sounds calm' can be read by the customer",
    ),
    "a note sent as a reply": (
        lambda n, h: n["timelines"]["t1"][2].update(type="reply", is_internal=False),
        "'She sounds calm' can be read by the customer",
    ),
    "an illegal move": (
        lambda n, h: n["illegal_moves"].append({"before": "open", "after": "new"}),
        "an illegal move was tried: open to new",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_difference_is_found_and_named(name: str, sides: tuple[State, State]) -> None:
    nextcap, hubspot = copy.deepcopy(sides)
    change, told = CHANGES[name]
    change(nextcap, hubspot)

    found = differences(nextcap, hubspot)

    assert any(told in one for one in found), found


def figures(**kept: Any) -> Figures:
    """Next Cap counted alike on both ends, but for what the connector is said to have kept."""
    calls = {("GET", "2xx"): 5, ("POST", "2xx"): 2}
    seen = Count(webhooks=7, repeats=1, calls=calls)
    told = {"webhooks": 7, "repeats": 1, "calls": calls, **kept}
    return Figures({"nextcap": seen, "hubspot": Count()}, {"nextcap": Count(**told), "hubspot": Count()}, Taken())


def test_counts_that_agree_are_no_difference() -> None:
    assert miscounts(figures()) == []


def test_a_call_whose_answer_was_lost_may_have_been_seen_by_the_vendor() -> None:
    calls = {("GET", "2xx"): 4, ("GET", "silent"): 1, ("POST", "2xx"): 2}

    assert miscounts(figures(calls=calls)) == []
    assert figures(calls=calls).kept["nextcap"].failed == 1


@pytest.mark.parametrize(
    "kept",
    [
        {"webhooks": 6},
        {"repeats": 0},
        {"calls": {("GET", "2xx"): 4, ("POST", "2xx"): 2}},
        {"calls": {("GET", "2xx"): 6, ("POST", "2xx"): 2}},
        {"calls": {("GET", "2xx"): 5, ("POST", "2xx"): 1, ("GET", "silent"): 1}},
        {"calls": {("GET", "2xx"): 5, ("POST", "2xx"): 2, ("PATCH", "2xx"): 1}},
    ],
)
def test_a_miscount_is_found(kept: dict[str, Any]) -> None:
    assert len(miscounts(figures(**kept))) == 1
