"""Writes in turns, batches that are refused, and the other rules that adapters share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.adapters.base import Change, ChangeKind, NewComment, Step, Written
from connector.adapters.calls import Outcome, halved
from connector.adapters.checks import clock_told, ensured
from connector.adapters.reading import by_value, place_in, place_text, places_in, places_text
from connector.adapters.splitting import put_together, split
from connector.adapters.times import iso, moment
from connector.adapters.transport import Response, retry_after
from connector.adapters.turns import add_in_order, one_by_one, write_changes
from connector.adapters.values import shortened, worded
from connector.domain.errors import ConnectorError, NeedsReview, NotSupported, Refused, RetryLater, UnknownOutcome
from connector.domain.ticket import Comment, CommentKind, Record

BUSY = RetryLater("busy", code="busy", scope="record")
LIMIT = RetryLater("no more calls", code="rate_limited")
LOST = UnknownOutcome("silence", code="no_answer", answered=False)
NO = Refused("no", code="no", status=400)


def update(key: str, record: str) -> Change:
    return Change(ChangeKind.UPDATE, key, {"subject": key}, record_id=record)


def creation(key: str) -> Change:
    return Change(ChangeKind.CREATE, key, {"subject": key}, external_id=key)


def comment(key: str, ticket: str) -> NewComment:
    return NewComment(key, ticket, CommentKind.NOTE, key)


class Vendor:
    """Answers each key as told, and remembers the calls by their keys."""

    def __init__(self, **errors: ConnectorError) -> None:
        self.errors = errors
        self.calls: list[str] = []

    def send(self, part: Sequence[Any]) -> list[Written]:
        self.calls.append("".join(one.key for one in part))
        return [Written(one.key, id="x", error=self.errors.get(one.key)) for one in part]

    def write(self, *changes: Change, size: int = 10, **more: Any) -> dict[str, ConnectorError | None]:
        acts = {"create": self.send, "update": self.send}
        outcomes = write_changes(changes, **acts, size=size, system="crm", **more)
        assert sorted(one.key for one in outcomes) == sorted(one.key for one in changes)
        return {one.key: one.error for one in outcomes}

    def add(self, *comments: NewComment, **more: Any) -> dict[str, str]:
        outcomes = add_in_order(comments, self.send, **more)
        return {one.key: one.error.code if one.error else "" for one in outcomes}


def test_a_record_comes_once_a_call_and_its_changes_in_order() -> None:
    vendor = Vendor()

    vendor.write(update("a", "1"), update("b", "2"), update("c", "1"), creation("d"), update("e", "1"))

    assert vendor.calls == ["d", "ab", "c", "e"]


def test_no_call_is_larger_than_the_vendor_takes() -> None:
    vendor = Vendor()

    vendor.write(*(update(key, key) for key in "abcde"), size=2)

    assert vendor.calls == ["ab", "cd", "e"]


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (BUSY, True),
        (LOST, True),
        (NeedsReview("two", code="ambiguous"), True),
        (NO, False),
        (NotSupported("never", code="not_supported"), False),
    ],
)
def test_behind_a_change_that_is_open_the_later_ones_of_its_record_wait(error: ConnectorError, waits: bool) -> None:
    vendor = Vendor(a=error)

    outcomes = vendor.write(update("a", "1"), update("b", "2"), update("c", "1"))

    held_back = outcomes["c"]
    assert (isinstance(held_back, RetryLater) and held_back.code == "held_back") is waits
    assert outcomes["b"] is None


def test_after_trouble_of_the_connection_nothing_more_is_sent() -> None:
    vendor = Vendor(a=LIMIT)

    outcomes = vendor.write(update("a", "1"), update("b", "2"), update("c", "1"), size=1)

    assert vendor.calls == ["a"]
    assert set(outcomes.values()) == {LIMIT}


def test_what_the_vendor_cannot_do_is_not_sent() -> None:
    vendor = Vendor()
    move = Change(ChangeKind.MOVE, "a", {"status": "open"}, record_id="1")

    assert isinstance(vendor.write(move, Change(ChangeKind.CREATE, "b", {}))["a"], NotSupported)
    assert vendor.calls == []


def test_fields_that_cannot_be_known_stop_every_change() -> None:
    def expect(names: Any) -> None:
        assert list(names) == ["subject", "subject"]
        raise LIMIT

    vendor = Vendor()

    assert set(vendor.write(update("a", "1"), update("b", "2"), expect=expect).values()) == {LIMIT}
    assert vendor.calls == []
    assert vendor.write(expect=expect) == {}


@pytest.mark.parametrize("error", [NO, BUSY, LOST])
def test_behind_a_comment_that_did_not_succeed_no_later_one_of_its_ticket_is_tried(error: ConnectorError) -> None:
    """Those are nobody's failure: they wait for it, and have no outcome of their own."""
    vendor = Vendor(a=error)

    assert vendor.add(comment("a", "1"), comment("b", "2"), comment("c", "1")) == {"a": error.code, "b": ""}
    assert vendor.calls == ["a", "b"]


def test_after_trouble_of_the_connection_every_comment_waits_for_it() -> None:
    vendor = Vendor(a=LIMIT)

    assert vendor.add(comment("a", "1"), comment("b", "2")) == dict.fromkeys("ab", LIMIT.code)
    assert vendor.calls == ["a"]


def test_comments_of_one_ticket_share_a_call_only_where_the_vendor_keeps_their_order() -> None:
    together, apart = Vendor(), Vendor()
    comments = [comment("a", "1"), comment("b", "1"), comment("c", "2")]

    together.add(*comments, size=10, together=True)
    apart.add(*comments, size=10)

    assert (together.calls, apart.calls) == (["abc"], ["ac", "b"])


def test_one_by_one_an_error_is_an_outcome_and_trouble_is_everybodys() -> None:
    errors, sent = {"a": NO, "b": LIMIT}, []

    def act(change: Change) -> Written:
        sent.append(change.key)
        if change.key in errors:
            raise errors[change.key]
        return Written(change.key)

    outcomes = one_by_one(act)([update(key, key) for key in "abc"])

    assert [one.error for one in outcomes] == [NO, LIMIT, LIMIT]
    assert [one.id for one in outcomes] == ["a", "b", "c"]
    assert sent == ["a", "b"]


def test_a_refused_batch_is_halved_until_the_culprit_stands_alone() -> None:
    calls: list[str] = []

    def send(part: Any) -> dict[str, Outcome]:
        calls.append("".join(part))
        if "d" in part:
            raise NO
        return dict.fromkeys(part, "done")

    outcomes = halved(dict.fromkeys("abcdef"), send, splits=lambda error: error.status == 400)

    assert outcomes == {**dict.fromkeys("abcef", "done"), "d": NO}
    assert calls == ["abcdef", "abc", "def", "de", "d", "e", "f"]


@pytest.mark.parametrize(("error", "status"), [(NO, 403), (LIMIT, 400), (LOST, 400)])
def test_a_batch_is_not_halved_for_what_is_nobodys_fault(error: ConnectorError, status: int) -> None:
    calls: list[int] = []

    def send(part: Any) -> dict[str, Outcome]:
        calls.append(len(part))
        raise error

    outcomes = halved(dict.fromkeys("abc"), send, splits=lambda refused: refused.status == status)

    assert outcomes == dict.fromkeys("abc", error)
    assert calls == [3]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("2026-11-28T10:00:00Z", datetime(2026, 11, 28, 10, tzinfo=UTC)),
        ("2026-11-28T10:00:00.000+0000", datetime(2026, 11, 28, 10, tzinfo=UTC)),
        ("2026-11-28T12:00:00+02:00", datetime(2026, 11, 28, 10, tzinfo=UTC)),
        ("2026-11-28T10:00:00", datetime(2026, 11, 28, 10, tzinfo=UTC)),
        (1_795_860_000, datetime(2026, 11, 28, 10, tzinfo=UTC)),
        ("1795860000000", datetime(2026, 11, 28, 10, tzinfo=UTC)),
        *(
            (odd, None)
            for odd in (None, True, "", "soon", float("nan"), 10**30, "9" * 400, "0001-01-01T00:00:00+14:00")
        ),
    ],
)
def test_a_time_is_read_however_it_is_written(told: object, expected: datetime | None) -> None:
    assert moment(told) == expected
    assert expected is None or iso(expected) == "2026-11-28T10:00:00Z"


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("9", 9.0),
        ("1.5", 1.5),
        ("Sat, 28 Nov 2026 10:00:12 GMT", 12.0),
        ("Sat, 28 Nov 2026 09:59:00 GMT", 0.0),
        *((odd, None) for odd in ("", "-3", "soon", "Sat, 99 Nov 99999999999 10:00:12 GMT")),
    ],
)
def test_a_wait_is_told_as_a_number_or_as_a_date_of_the_vendors_clock(told: str, seconds: float | None) -> None:
    headers = {"date": "Sat, 28 Nov 2026 10:00:00 GMT", "retry-after": told}

    assert retry_after(Response(429, headers)) == seconds


@pytest.mark.parametrize(("seconds", "ok", "detail"), [(-90, False, "90 s behind"), (30, True, "30 s ahead of")])
def test_a_clock_that_differs_is_told_from_an_answers_date(seconds: int, ok: bool, detail: str) -> None:
    answer = Response(200, {"date": "Sat, 28 Nov 2026 10:00:00 GMT"})
    now = datetime(2026, 11, 28, 10, tzinfo=UTC) + timedelta(seconds=seconds)

    (line,) = clock_told(answer, now)

    assert (line.ok, line.detail) == (ok, f"{detail} the vendor's")
    assert list(clock_told(Response(200, {"date": "today"}), now)) == []


def made(error: ConnectorError, *, there: bool) -> Step:
    def make() -> None:
        raise error

    return ensured("our field", None, make=make, look=lambda: there or None, judge=lambda _: "", dry_run=False)


@pytest.mark.parametrize(("error", "there", "state"), [(NO, True, "ok"), (LOST, True, "ok"), (NO, False, "problem")])
def test_what_cannot_be_made_is_looked_for_before_a_person_is_told(
    error: ConnectorError, there: bool, state: str
) -> None:
    assert made(error, there=there).state == state


def test_what_may_have_been_made_and_is_not_there_is_made_again_later() -> None:
    with pytest.raises(RetryLater, match="our field: silence"):
        made(LOST, there=False)


def test_a_place_in_a_sweep_survives_being_written_down() -> None:
    assert place_in(place_text("notes", 7, 0), parts=("tickets", "notes"), numbers=2, system="crm") == ("notes", [7, 0])


@pytest.mark.parametrize("odd", ["", "nowhere 1 2", "notes 1", "notes 1 2 3", "notes 1 -2", "notes 1 x"])
def test_a_place_that_means_nothing_begins_the_sweep_again(odd: str) -> None:
    with pytest.raises(Refused) as caught:
        place_in(odd, parts=("tickets", "notes"), numbers=2, system="crm")

    assert caught.value.code == "bad_place"


def test_records_are_found_in_whatever_case_and_among_several() -> None:
    records = [Record("1", {"mail": "Jo@x.example"}), Record("2", {"mail": ("a", "jo@X.example")}), Record("3", {})]

    found = by_value(records, "mail", ["jo@x.example", "none"])

    assert {value: [one.id for one in held] for value, held in found.items()} == {
        "jo@x.example": ["1", "2"],
        "none": [],
    }


def test_a_text_of_several_entries_is_read_as_one_and_other_entries_are_left_alone() -> None:
    parts = split("wört 漢字 " * 100, 400)
    texts = ["before", *parts, "a list\n(2/3)", "after\n(1/2)"]
    entries = [
        Comment(str(place), CommentKind.NOTE, text, datetime(2026, 11, 28, tzinfo=UTC))
        for place, text in enumerate(texts)
    ]

    whole = put_together(entries)

    assert len(parts) > 2
    assert all(len(one.encode()) <= 400 for one in parts)
    assert [one.id for one in whole] == ["0", "1", str(len(parts) + 1), str(len(parts) + 2)]
    assert whole[1].text.split() == ["wört", "漢字"] * 100
    assert split("short", 400) == ["short"]


@pytest.mark.parametrize(
    ("told", "expected"),
    [(True, "true"), (False, "false"), (3.0, "3"), (2.5, "2.5"), ("x", "x"), (None, None)],
)
def test_booleans_and_numbers_in_words(told: object, expected: object) -> None:
    assert worded(told) == expected


def test_a_text_is_shortened_visibly_and_never_within_a_character() -> None:
    assert shortened("😀" * 5, 5) == "😀😀…"
    assert shortened("whole", 5) == "whole"
    assert shortened("of any length", 0) == "of any length"


def test_a_sweep_of_several_lists_goes_on_where_each_was() -> None:
    after = places_text({"tickets": "/p2", "gone": "/p7"})

    assert places_in(after, lists={"tickets", "gone"}, system="crm") == {"tickets": "/p2", "gone": "/p7"}
    assert places_in(after, lists={"tickets"}, system="crm") == {"tickets": "/p2"}
    assert places_text({}) == ""
    for wrong in ("x", "[1]", "7"):
        with pytest.raises(Refused):
            places_in(wrong, lists={"tickets"}, system="crm")
