"""E-mails and feed posts beside the comments of a case: read, written, found again, never seen by the wrong people."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connector.adapters.base import Change, ChangeKind, Commented, EventKind, NewComment
from connector.adapters.salesforce.forms import FORMS
from connector.adapters.testing.salesforce import SalesforceArena
from connector.domain.errors import NotSupported, Refused, RetryLater, UnknownOutcome
from connector.domain.ticket import CommentKind
from connector.sandbox.salesforce import Salesforce as Imitation
from connector.sandbox.salesforce_stock import RIGHTS

NOTE, REPLY, CUSTOMER = CommentKind.NOTE, CommentKind.REPLY, CommentKind.CUSTOMER_REPLY
ALL = frozenset(form.name for form in FORMS)
JO = "jo@customer.example"


@pytest.fixture
def arena(arena: SalesforceArena) -> SalesforceArena:
    """A mapping that names every form, a user who may read a feed, and an org that was looked at once."""
    arena.sandbox.configure(rights=list(RIGHTS))
    arena.adapter = arena.salesforce = arena.new_adapter(forms=lambda: ALL)
    arena.timeline(arena.gone_ticket())
    return arena


def as_post(
    arena: SalesforceArena, case: str, kind: CommentKind = NOTE, text: str = "Words", key: str = "k"
) -> NewComment:
    return replace(arena.note(case, key, text, kind), form="post")


def posts(org: Imitation) -> list[dict[str, Any]]:
    """What stands in feeds because somebody wrote it there."""
    return [one["fields"] for one in org.state()["feed"] if one["fields"]["Type"] == "TextPost"]


def test_every_form_is_read_once_and_in_order_in_one_call(arena: SalesforceArena) -> None:
    """The feed repeats comments and e-mails as events of its own."""
    cases = [arena.new_ticket() for _ in range(3)]
    for place, act in enumerate((arena.sandbox.comment, arena.sandbox.email, arena.sandbox.post)):
        for case in cases:
            act(case, f"Words {place}")
        arena.imitation.clock.advance(5)
    arena.forget_calls()

    timelines = arena.salesforce.comments(cases)

    told = [(one.form, one.text) for one in timelines[cases[0]]]
    assert told == [("", "Words 0"), ("email", "Words 1"), ("post", "Words 2")]
    assert all(len(one) == 3 for one in timelines.values())
    assert arena.calls() == ["POST /composite"]


def test_a_mapping_that_names_no_form_reads_comments_alone(arena: SalesforceArena) -> None:
    case = arena.new_ticket()
    arena.sandbox.email(case, "Words")
    arena.sandbox.post(case, "Words")

    assert arena.new_adapter().comments([case])[case] == []


@pytest.mark.parametrize(
    ("mail", "kind", "author"),
    [
        ({"incoming": True}, CUSTOMER, JO),
        ({"incoming": False, "to": f"Someone@else.example; {JO.upper()}"}, REPLY, "Ana Agent"),
        ({"incoming": False, "to": "lawyer@acme.example"}, NOTE, "Ana Agent"),
        ({"incoming": False, "to": f"not-{JO}"}, NOTE, "Ana Agent"),
        ({"incoming": False, "to": ""}, NOTE, "Ana Agent"),
    ],
)
def test_an_email_is_public_only_where_the_customer_has_it(
    arena: SalesforceArena, mail: dict[str, Any], kind: CommentKind, author: str
) -> None:
    case = arena.new_ticket()

    arena.sandbox.email(case, "It burns", **mail)

    found = arena.timeline(case)[0]
    assert (found.kind, found.text, found.form, found.author_name) == (kind, "It burns", "email", author)


def test_an_email_of_a_case_without_a_customer_is_internal(arena: SalesforceArena) -> None:
    case = arena.sandbox.create_case("Nobody's")
    arena.sandbox.email(case, "Out", incoming=False, to="")

    assert arena.timeline(case)[0].kind is NOTE


def test_an_email_of_html_is_read_as_words_and_a_draft_not_before_it_is_sent(arena: SalesforceArena) -> None:
    case = arena.new_ticket()
    arena.sandbox.email(case, "", html="<p>Hi &amp; <b>bye</b></p><script>alert(1)</script>")
    draft = arena.sandbox.email(case, "Perhaps", incoming=False, to=JO, draft=True)
    assert [one.text for one in arena.timeline(case)] == ["Hi & bye"]

    arena.sandbox.send_draft(draft)

    assert [(one.id, one.kind) for one in arena.timeline(case)][1:] == [(draft, REPLY)]


def test_only_a_colleagues_post_for_all_is_a_reply(arena: SalesforceArena) -> None:
    case = arena.new_ticket()
    portal = arena.sandbox.add_user("cus@home.example", "Cus", "Tomer", "CspLitePortal")
    arena.sandbox.post(case, "Between us")
    arena.sandbox.post(case, "<p>For <b>all</b></p>", public=True, rich=True)
    arena.sandbox.post(case, "Mine", public=True, by=portal)
    arena.sandbox.post(case, "Not yet", public=True, status="PendingReview")

    assert {one.text: one.kind for one in arena.timeline(case)} == {
        "Between us": NOTE,
        "For all": REPLY,
        "Mine": CUSTOMER,
    }


def test_a_note_written_as_a_post_is_internal_and_is_found_again(arena: SalesforceArena) -> None:
    case, sent_at = arena.new_ticket(), arena.now()
    arena.forget_calls()

    written = arena.add(as_post(arena, case), as_post(arena, case, REPLY, "For all", "k2"), arena.note(case, "k3", "x"))

    assert [one.error for one in written.values()] == [None] * 3
    assert [(one["Visibility"], "Words" in one["Body"]) for one in posts(arena.sandbox)] == [
        ("InternalUsers", True),
        ("AllUsers", False),
    ]
    assert arena.recognise(as_post(arena, case), sent_at) == written["k"].id
    assert arena.recognise(arena.note(case, "k", "Words"), sent_at) is None
    assert arena.sandbox.state()["emails"] == []


def test_entries_of_two_forms_for_many_cases_are_one_call(arena: SalesforceArena) -> None:
    cases = [arena.new_ticket() for _ in range(20)]
    notes = [as_post(arena, case, key=case) for case in cases[::2]]
    notes += [arena.note(case, case, "Words") for case in cases[1::2]]
    arena.forget_calls()

    written = arena.add(*notes)

    assert all(one.error is None for one in written.values())
    assert arena.calls() == ["POST /composite/sobjects"]


def test_a_thousand_changes_of_two_hundred_cases_with_their_conversations_are_five_calls(
    arena: SalesforceArena,
) -> None:
    """Four fields and an entry each: read whole, timelines of every form, written, said, swept."""
    cases = [arena.sandbox.create_case(f"S{number}") for number in range(200)]
    arena.salesforce.schema()
    arena.forget_calls()
    values = {"Subject": "New", "Status": "Working", "Priority": "Low", "Origin": "Web"}

    arena.salesforce.read(cases, arena.fields)
    arena.salesforce.comments(cases)
    written = arena.write(*(Change(ChangeKind.UPDATE, one, values, one) for one in cases))
    said = arena.add(*(arena.note(one, one, "Words") for one in cases))
    arena.salesforce.changes(arena.now() - timedelta(hours=1), arena.fields)

    assert not [one for one in (*written.values(), *said.values()) if one.error]
    assert arena.calls() == [
        "GET /query",
        "POST /composite",
        "PATCH /composite/sobjects",
        "POST /composite/sobjects",
        "POST /composite",
    ]


@pytest.mark.parametrize(("kind", "made"), [("lost_answer", 1), ("drop_before", 0)])
def test_a_post_of_unknown_outcome_is_looked_for(arena: SalesforceArena, kind: str, made: int) -> None:
    case, sent_at = arena.new_ticket(), arena.now()
    arena.fault(kind, **arena.comment_call)

    written = arena.add(as_post(arena, case))["k"]

    assert isinstance(written.error, UnknownOutcome)
    assert len(posts(arena.sandbox)) == made
    assert (arena.recognise(as_post(arena, case), sent_at) is not None) == bool(made)


def test_a_long_post_is_split_and_read_as_one(arena: SalesforceArena) -> None:
    case, sent_at = arena.new_ticket(), arena.now()
    long = as_post(arena, case, text="wört 漢字 " * 900)

    written = arena.add(long)["k"]

    assert len(posts(arena.sandbox)) > 1
    assert [one.id for one in arena.timeline(case)] == [written.id]
    assert arena.recognise(long, sent_at) == written.id


def test_an_org_without_outsiders_keeps_notes_as_posts_and_refuses_public_ones(arena: SalesforceArena) -> None:
    """FeedItem has no Visibility there."""
    arena.sandbox.configure(experiences=False)
    arena.adapter = arena.salesforce = arena.new_adapter(forms=lambda: ALL)
    case = arena.new_ticket()

    written = arena.add(
        as_post(arena, case),
        as_post(arena, arena.new_ticket(), REPLY, key="k2"),
        as_post(arena, arena.new_ticket(), key="k3"),
    )

    assert (written["k"].error, written["k3"].error) == (None, None)
    assert isinstance(written["k2"].error, Refused)
    assert written["k2"].error.field == "Visibility"
    assert [one.kind for one in arena.timeline(case)] == [NOTE]


def test_a_note_waits_where_nobody_knows_whether_it_can_be_kept_from_outsiders(arena: SalesforceArena) -> None:
    arena.adapter = arena.salesforce = arena.new_adapter(forms=lambda: ALL)
    case = arena.new_ticket()
    arena.fault("status", method="GET", path="FeedItem/describe", status=503, times=None)

    written = arena.add(as_post(arena, case))["k"]

    assert isinstance(written.error, RetryLater)
    assert posts(arena.sandbox) == []


def test_an_email_is_never_written(arena: SalesforceArena) -> None:
    """Nobody would send it."""
    written = arena.add(replace(arena.note(arena.new_ticket(), "k", "x", REPLY), form="email"))["k"]

    assert isinstance(written.error, NotSupported)
    assert arena.sandbox.state()["emails"] == []


def test_a_sweep_finds_all_forms_in_one_call(arena: SalesforceArena) -> None:
    old = arena.new_ticket()
    arena.sandbox.post(old, "Long ago")
    arena.imitation.clock.advance(3600)
    since, case = arena.now(), arena.new_ticket()
    made = [act(case, "Words") for act in (arena.sandbox.comment, arena.sandbox.email, arena.sandbox.post)]
    arena.salesforce.schema()
    arena.forget_calls()

    found = arena.salesforce.changes(since, arena.fields)

    assert arena.calls() == ["POST /composite"]
    assert list(found.commented) == [Commented(case, one) for one in made]


def test_a_form_that_may_not_be_read_holds_up_no_sweep_and_is_told(arena: SalesforceArena) -> None:
    arena.sandbox.configure(rights=[], enhanced_email=False)
    since, case = arena.now(), arena.new_ticket()
    comment = arena.sandbox.comment(case, "Words")

    found = arena.salesforce.changes(since, arena.fields)

    assert ([one.id for one in found.records], list(found.commented)) == ([case], [Commented(case, comment)])
    with pytest.raises(Refused):
        arena.salesforce.comments([case])
    told = {one.what: one.ok for one in arena.salesforce.check() if one.what.startswith("reading")}
    assert (told["reading CaseComment"], told["reading EmailMessage"], told["reading FeedItem"]) == (True, False, False)


def test_an_entry_of_any_form_leads_to_its_case(arena: SalesforceArena) -> None:
    case = arena.new_ticket()
    made = [act(case, "Words") for act in (arena.sandbox.comment, arena.sandbox.email, arena.sandbox.post)]

    events = [event for one in made for event in arena.salesforce.parse(arena.signed({"ids": [one[:15]]}))]
    told = [arena.salesforce.parse(arena.message(one))[0] for one in made]

    assert [(one.kind, one.subject) for one in events] == [(EventKind.COMMENT, one) for one in made]
    assert [(one.kind, one.subject, one.ticket_id) for one in told] == [(EventKind.COMMENT, one, case) for one in made]
    assert arena.salesforce.tickets_of(made) == {one: [case] for one in made}


def test_a_timeline_of_many_pages_is_read_whole(arena: SalesforceArena) -> None:
    arena.sandbox.configure(query_page=3)
    case = arena.new_ticket()
    for number in range(8):
        arena.sandbox.comment(case, f"Comment {number}")
        arena.sandbox.email(case, f"Email {number}")

    assert len(arena.timeline(case)) == 16


@pytest.mark.parametrize("kind", [REPLY, NOTE])
def test_entries_of_ours_are_read_as_what_they_were_sent_as(arena: SalesforceArena, kind: CommentKind) -> None:
    case = arena.new_ticket()
    arena.add(as_post(arena, case, kind))
    arena.imitation.clock.advance(timedelta(seconds=5).total_seconds())

    assert [one.kind for one in arena.timeline(case)] == [kind]
