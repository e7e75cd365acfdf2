"""Finding tickets although the search is late, and following those that were merged."""

from __future__ import annotations

import pytest

from connector.adapters.testing.zendesk import ZendeskArena
from connector.adapters.zendesk.schema import as_json
from connector.domain.errors import Gone, NotSupported


def test_our_id_is_found_at_once_whatever_the_search_knows(arena: ZendeskArena) -> None:
    arena.sandbox.configure(search_lag=3600.0)
    ticket = arena.create("key-1", "outside-1").id

    found = arena.adapter.find("external_id", ["outside-1", "outside-2"], arena.fields)

    assert {value: [one.id for one in each] for value, each in found.items()} == {
        "outside-1": [ticket],
        "outside-2": [],
    }


@pytest.mark.parametrize("value", ["It does not work", 'It "does not" work'])
def test_another_field_is_searched_and_what_is_found_is_read(arena: ZendeskArena, value: str) -> None:
    """The index shows a ticket as it was, and words that are only contained."""
    good, longer, moved, gone = (arena.new_ticket(subject=value) for _ in range(4))
    arena.sandbox.change(longer, {"subject": f"{value} at all"})
    arena.imitation.clock.advance(60)
    arena.sandbox.change(moved, {"subject": "It works"})
    arena.sandbox.delete_ticket(gone)

    found = arena.adapter.find("subject", [value], arena.fields)

    assert [one.id for one in found[value]] == [good]


def test_a_field_that_no_search_knows_is_not_supported(arena: ZendeskArena) -> None:
    with pytest.raises(NotSupported):
        arena.adapter.find("description", ["At all"], arena.fields)


@pytest.mark.parametrize("via", [True, False])
def test_a_merged_ticket_is_gone_into_its_survivor(arena: ZendeskArena, via: bool) -> None:
    arena.sandbox.configure(merge_via=via)
    since, source, target = arena.now(), arena.new_ticket(), arena.new_ticket(subject="See #999999")
    arena.sandbox.merge_tickets(source, target)
    arena.imitation.clock.advance(120)

    assert set(arena.adapter.read([source, target], arena.fields)) == {target}
    assert isinstance(fate := arena.adapter.fate(source), Gone)
    assert fate.survivor == target
    assert source in {one for part in arena.swept(since) for one in part.gone}


def test_a_tag_that_somebody_copied_makes_no_merge(arena: ZendeskArena) -> None:
    """A follow-up inherits it too."""
    ticket = arena.new_ticket(tags=["closed_by_merge"], assignee_id=9002, status="solved")
    arena.sandbox.note(ticket, "Like #12")
    arena.sandbox.close_ticket(ticket)
    arena.forget_calls()

    assert set(arena.adapter.read([ticket], arena.fields)) == {ticket}
    assert set(arena.adapter.read([ticket], arena.fields)) == {ticket}
    assert len([one for one in arena.calls() if one.endswith("/audits")]) == 1


def test_the_description_of_a_new_ticket_is_no_comment_that_a_sweep_lists(arena: ZendeskArena) -> None:
    """Or the timeline of every new ticket would be read for nothing."""
    since = arena.now()
    ticket = arena.new_ticket()
    arena.imitation.clock.advance(arena.adapter.capabilities.lag)
    told = [one for part in arena.swept(since) for one in part.commented]

    arena.say(ticket, "A note")
    arena.imitation.clock.advance(arena.adapter.capabilities.lag)

    assert told == []
    assert {one.ticket_id for part in arena.swept(since) for one in part.commented} == {ticket}


def test_closed_for_good_is_a_custom_status_too(arena: ZendeskArena) -> None:
    """The ticket keeps the one that it was solved with; a mapping that speaks of custom statuses must see the end."""
    arena.sandbox.configure(custom_statuses=True)
    ticket = arena.new_ticket(assignee_id=9002, status="solved")
    before = arena.adapter.read([ticket], ["custom_status_id"])[ticket]
    arena.sandbox.close_ticket(ticket)

    after = arena.adapter.read([ticket], ["custom_status_id"])[ticket]
    offered = next(one for one in arena.adapter.schema().fields if one.name == "custom_status_id").options

    assert before.get("custom_status_id") != after.get("custom_status_id") == "closed"
    assert offered[-1].label == "Closed"
    assert as_json({"custom_status_id": "closed"}) == {"status": "closed"}
