"""What every adapter promises the engine, proved against a working imitation of its vendor.

A vendor's test module gives an `Arena` and inherits `AdapterContract`:

    class TestAcme(AdapterContract):
        @pytest.fixture
        def arena(self) -> Iterator[Arena]: ...

A bug found in one adapter becomes a promise here, for all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from connector.adapters.base import Adapter, Change, ChangeKind, Delivery, EventKind, NewComment, Written
from connector.adapters.transport import Request, Response
from connector.adapters.wires import HttpxWire
from connector.domain.errors import (
    BadDelivery,
    Gone,
    NotSupported,
    Refused,
    RetryLater,
    UnknownOutcome,
)
from connector.domain.text import fingerprint
from connector.domain.ticket import Comment, CommentKind, Record, Value
from connector.sandbox.kernel import Imitation

GREETING = "Grüße aus 東京 👋 — “quoted” <b>not bold</b> & more"


class RecordingWire:
    """A real wire that remembers where it was sent."""

    def __init__(self) -> None:
        self.wire = HttpxWire()
        self.urls: list[str] = []

    def send(self, request: Request, *, url: str, headers: Mapping[str, str], timeout: float) -> Response:
        self.urls.append(url)
        return self.wire.send(request, url=url, headers=headers, timeout=timeout)


class Arena(ABC):
    """An adapter joined to an imitation of its vendor, and what people do there."""

    adapter: Adapter
    imitation: Imitation
    wire: RecordingWire
    base_url: str
    """The one address that the adapter may call."""
    secrets: Sequence[str]
    """What must never be seen in a repr or an error."""
    fields: Sequence[str]
    """Native fields of a ticket to read; `text_field` and `option_field` are among them."""
    text_field: str
    option_field: str
    option: str
    """Another value of `option_field` than a new ticket has, which may be written by an UPDATE."""
    bad_option: str
    unknown_field: str
    renews_credentials: bool
    rate_limited: Mapping[str, object]
    """How the vendor answers over the limit, as a fault: status, headers, body. It asks for `limit_wait` seconds."""
    limit_wait: float
    longest_comment: int

    @abstractmethod
    def new_ticket(self) -> str:
        """A ticket that people made; its id."""

    @abstractmethod
    def gone_ticket(self) -> str:
        """The id of a ticket that we cannot see, or not any more."""

    @abstractmethod
    def creation(self, key: str, external_id: str) -> Change:
        """A CREATE as the engine would ask for it."""

    @abstractmethod
    def say(self, ticket_id: str, text: str) -> None:
        """Somebody adds an internal note in the vendor's own pages."""

    @abstractmethod
    def customer_sees(self, ticket_id: str) -> Sequence[str]:
        """The comments of a ticket that its customer can see or was sent."""

    @abstractmethod
    def tickets(self) -> int:
        """How many tickets the vendor has."""

    @abstractmethod
    def delivery(self, ticket_id: str) -> Delivery:
        """A genuine, fresh webhook request about this ticket, as it arrived."""

    # -- for all arenas alike

    def now(self) -> datetime:
        return self.imitation.now()

    def fault(self, kind: str, **rule: object) -> None:
        """What happens to coming calls."""
        self.imitation.faults.add(kind, **rule)

    def read(self, ticket_id: str) -> Record:
        return self.adapter.read([ticket_id], self.fields)[ticket_id]

    def write(self, *changes: Change) -> dict[str, Written]:
        return {written.key: written for written in self.adapter.write(changes)}

    def update(self, ticket_id: str, values: Mapping[str, Value], key: str = "update-1") -> Written:
        return self.write(Change(ChangeKind.UPDATE, key, values, ticket_id))[key]

    def create(self, key: str, external_id: str) -> Written:
        return self.write(self.creation(key, external_id))[key]

    def add(self, *comments: NewComment) -> dict[str, Written]:
        return {written.key: written for written in self.adapter.add_comments(comments)}

    def timeline(self, ticket_id: str) -> list[Comment]:
        return sorted(self.adapter.comments([ticket_id])[ticket_id], key=lambda one: (one.created_at, one.id))

    def note(self, ticket_id: str, key: str, text: str, kind: CommentKind = CommentKind.NOTE) -> NewComment:
        return NewComment(key, ticket_id, kind, text, author="Ana Agent", created_at=self.now())

    def recognise(self, note: NewComment, sent_at: datetime, *taken: str) -> str | None:
        """The entry that the engine would adopt for this comment now."""
        timeline = self.adapter.comments([note.ticket_id])[note.ticket_id]
        return self.adapter.recognise(note, timeline, sent_at=sent_at, taken=frozenset(taken))

    def is_said(self, ticket_id: str, text: str) -> int:
        """How many entries of the timeline hold this text."""
        wanted = fingerprint(text)
        return sum(wanted in fingerprint(one.text) for one in self.timeline(ticket_id))


WRITES = ("POST", "PATCH", "PUT")


class AdapterContract:
    """The promises. `write` and `add_comments` never raise for one item: they give an outcome for each."""

    # -- reading

    def test_reading_gives_every_field_that_was_asked_for(self, arena: Arena) -> None:
        ticket = arena.new_ticket()

        record = arena.read(ticket)

        assert record.id == ticket
        assert set(arena.fields) <= set(record.fields)
        assert isinstance(record.fields[arena.text_field], str)
        assert record.version is not None
        assert record.version.utcoffset() == timedelta(0)

    def test_what_we_cannot_see_is_left_out(self, arena: Arena) -> None:
        ticket, gone = arena.new_ticket(), arena.gone_ticket()

        records = arena.adapter.read([ticket, gone], arena.fields)

        assert set(records) == {ticket}

    def test_reading_nothing_costs_nothing(self, arena: Arena) -> None:
        assert dict(arena.adapter.read([], arena.fields)) == {}
        assert arena.wire.urls == []

    def test_many_are_read_in_fewer_calls(self, arena: Arena) -> None:
        wanted = [arena.new_ticket() for _ in range(12)]

        records = arena.adapter.read(wanted, arena.fields)

        assert set(records) == set(wanted)
        assert len(arena.wire.urls) <= 2

    def test_more_than_one_batch_is_read_whole(self, arena: Arena) -> None:
        wanted = [arena.new_ticket() for _ in range(101)]

        assert set(arena.adapter.read(wanted, arena.fields)) == set(wanted)

    def test_what_changed_is_found_by_time(self, arena: Arena) -> None:
        since = arena.now() - timedelta(seconds=1)
        wanted = {arena.new_ticket() for _ in range(3)}

        records = arena.adapter.changes(since, arena.fields)
        versions = [record.version for record in records if record.version]

        assert wanted <= {record.id for record in records}
        assert versions == sorted(versions)

    # -- writing

    def test_an_update_shows_in_its_outcome_and_in_the_next_read(self, arena: Arena) -> None:
        ticket = arena.new_ticket()

        written = arena.update(ticket, {arena.text_field: GREETING, arena.option_field: arena.option})
        record = arena.read(ticket)

        assert written.error is None
        assert written.id == ticket
        assert record.fields[arena.text_field] == GREETING
        assert record.fields[arena.option_field] == arena.option
        assert written.record is None or written.record.fields[arena.text_field] == GREETING

    def test_every_change_has_its_own_outcome(self, arena: Arena) -> None:
        first, gone, last = arena.new_ticket(), arena.gone_ticket(), arena.new_ticket()

        written = arena.write(
            *(
                Change(ChangeKind.UPDATE, f"key-{number}", {arena.text_field: f"Subject {number}"}, ticket)
                for number, ticket in enumerate((first, gone, last))
            )
        )

        assert set(written) == {"key-0", "key-1", "key-2"}
        assert isinstance(written["key-1"].error, Gone | Refused)
        assert [arena.read(ticket).fields[arena.text_field] for ticket in (first, last)] == ["Subject 0", "Subject 2"]

    def test_two_changes_of_one_record_are_made_in_order(self, arena: Arena) -> None:
        ticket = arena.new_ticket()

        arena.write(
            *(Change(ChangeKind.UPDATE, f"key-{text}", {arena.text_field: text}, ticket) for text in ("one", "two"))
        )

        assert arena.read(ticket).fields[arena.text_field] == "two"

    def test_an_unknown_field_is_refused(self, arena: Arena) -> None:
        written = arena.update(arena.new_ticket(), {arena.unknown_field: "value"})

        assert isinstance(written.error, Refused)
        assert written.error.field in (arena.unknown_field, None)

    def test_a_refused_option_names_its_field(self, arena: Arena) -> None:
        written = arena.update(arena.new_ticket(), {arena.option_field: arena.bad_option})

        assert isinstance(written.error, Refused)
        assert written.error.field == arena.option_field

    def test_a_created_record_is_there(self, arena: Arena) -> None:
        if not arena.adapter.capabilities.creates:
            pytest.skip("the vendor cannot create")

        written = arena.create("key-1", "outside-1")

        assert written.error is None
        assert written.created
        assert arena.read(written.id).id == written.id

    def test_creating_again_makes_no_second_record(self, arena: Arena) -> None:
        """Claimed by `idempotent_create`; elsewhere the probe finds the first."""
        if not arena.adapter.capabilities.creates:
            pytest.skip("the vendor cannot create")
        sent_at, first = arena.now(), arena.create("key-1", "outside-1")
        before = arena.tickets()

        if arena.adapter.capabilities.idempotent_create:
            again = arena.create("key-2", "outside-1")
            found = again.id
        else:
            record = arena.adapter.probe_create(arena.creation("key-1", "outside-1"), sent_at=sent_at)
            found = record.id if record else ""

        assert found == first.id
        assert arena.tickets() == before

    def test_a_create_of_unknown_outcome_is_found(self, arena: Arena) -> None:
        if not arena.adapter.capabilities.creates:
            pytest.skip("the vendor cannot create")
        sent_at, change = arena.now(), arena.creation("key-1", "outside-1")
        before = arena.adapter.probe_create(change, sent_at=sent_at)
        tickets = arena.tickets()
        arena.fault("lost_answer", method="POST", path="tickets")

        written = arena.write(change)["key-1"]
        found = arena.adapter.probe_create(change, sent_at=sent_at)

        assert before is None
        assert isinstance(written.error, UnknownOutcome)
        assert arena.tickets() == tickets + 1
        assert found is not None

    # -- comments

    def test_a_note_is_added_once_and_nobody_outside_sees_it(self, arena: Arena) -> None:
        """Words that look like mark-up must not make our own entry a stranger's."""
        ticket, sent_at = arena.new_ticket(), arena.now()
        note = arena.note(ticket, "key-1", GREETING)

        written = arena.add(note)["key-1"]
        entry = next(one for one in arena.timeline(ticket) if one.id == written.id)

        assert written.error is None
        assert entry.kind is CommentKind.NOTE
        assert "Grüße aus 東京 👋" in entry.text
        assert arena.recognise(note, sent_at) == written.id
        assert arena.customer_sees(ticket) == []

    def test_a_reply_reaches_the_customer_only_where_the_vendor_can(self, arena: Arena) -> None:
        ticket = arena.new_ticket()

        arena.add(arena.note(ticket, "key-1", "We are on it", CommentKind.REPLY))
        seen = [fingerprint("We are on it") in fingerprint(text) for text in arena.customer_sees(ticket)]

        assert seen == ([True] if arena.adapter.capabilities.public_comments else [])
        assert arena.is_said(ticket, "We are on it") == 1

    def test_comments_are_added_in_their_order(self, arena: Arena) -> None:
        ticket, other = arena.new_ticket(), arena.new_ticket()
        texts = ["alpha word", "bravo word", "charlie word"]

        arena.add(
            *(arena.note(one, f"key-{one}-{text}", text) for text in texts for one in (ticket, other)),
        )

        for one in (ticket, other):
            said = [fingerprint(entry.text) for entry in arena.timeline(one)]
            places = [next(at for at, told in enumerate(said) if fingerprint(text) in told) for text in texts]
            assert places == sorted(places)
            assert len(set(places)) == 3

    def test_a_later_comment_waits_for_an_earlier_one(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        comments = [arena.note(ticket, f"key-{text}", text) for text in ("first words", "second words")]
        arena.fault("status", method="POST", path="note", status=500, times=None)

        written = arena.add(*comments)
        arena.imitation.faults.clear()

        assert written["key-first words"].error is not None
        assert "key-second words" not in written or written["key-second words"].error is not None
        assert arena.is_said(ticket, "second words") == 0

    def test_long_texts_arrive_whole(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        text = ("Zeile mit Umlauten äöü und Zeichen 漢字. " * arena.longest_comment)[: arena.longest_comment].strip()

        written = arena.add(arena.note(ticket, "key-1", text))["key-1"]

        assert written.error is None
        assert arena.is_said(ticket, text) == 1

    def test_what_people_say_is_read(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.say(ticket, "A person's words")

        entry = next(one for one in arena.timeline(ticket) if "person" in one.text)

        assert entry.kind is CommentKind.NOTE
        assert entry.created_at.utcoffset() == timedelta(0)

    def test_a_comment_of_unknown_outcome_is_found_once(self, arena: Arena) -> None:
        ticket, sent_at = arena.new_ticket(), arena.now()
        note = arena.note(ticket, "key-1", "Only once, please")
        before = arena.recognise(note, sent_at)
        arena.fault("lost_answer", method="POST", path="note")

        written = arena.add(note)["key-1"]
        found = arena.recognise(note, sent_at)

        assert before is None
        assert isinstance(written.error, UnknownOutcome)
        assert found in {one.id for one in arena.timeline(ticket)}
        assert arena.recognise(note, sent_at, found or "") is None

    def test_a_comment_that_was_never_made_is_not_found(self, arena: Arena) -> None:
        ticket, sent_at = arena.new_ticket(), arena.now()
        note = arena.note(ticket, "key-1", "Never arrived")
        arena.fault("drop_before", method="POST", path="note")

        written = arena.add(note)["key-1"]

        assert isinstance(written.error, UnknownOutcome)
        assert arena.recognise(note, sent_at) is None

    # -- trouble

    def test_an_expired_token_is_renewed_once(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("status", status=401, times=1, body={"message": "expired"})

        if arena.renews_credentials:
            assert arena.read(ticket).id == ticket
            return
        with pytest.raises(RetryLater) as caught:
            arena.read(ticket)
        assert (caught.value.code, caught.value.scope) == ("unauthorized", "connection")

    def test_credentials_that_stay_wrong_end_the_call(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("status", status=401, times=None, body={"message": "expired"})

        with pytest.raises(RetryLater) as caught:
            arena.read(ticket)

        assert (caught.value.code, caught.value.scope) == ("unauthorized", "connection")
        assert len(arena.wire.urls) <= 2 + arena.renews_credentials

    def test_a_limit_is_everybodys_wait(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("status", **arena.rate_limited)

        with pytest.raises(RetryLater) as caught:
            arena.read(ticket)
        with pytest.raises(RetryLater):
            arena.read(ticket)

        assert caught.value.scope == "connection"
        assert caught.value.after == pytest.approx(arena.limit_wait, abs=1.5)
        assert len(arena.wire.urls) == 1

    def test_a_limit_without_a_word_about_time_is_waited_for_too(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("status", status=429)

        with pytest.raises(RetryLater) as caught:
            arena.read(ticket)

        assert caught.value.scope == "connection"
        assert caught.value.after is not None
        assert 0 < caught.value.after <= 300

    def test_a_limit_met_by_a_write_leaves_it_certainly_undone(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("status", **{**arena.rate_limited, "times": None})

        error = arena.update(ticket, {arena.text_field: "late"}).error

        assert isinstance(error, RetryLater)
        assert error.scope == "connection"

    def test_a_broken_read_is_only_late(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("status", status=502, times=None)

        with pytest.raises(RetryLater):
            arena.read(ticket)

    def test_a_dropped_read_is_repeated(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("drop_before", times=2)

        assert arena.read(ticket).id == ticket

    @pytest.mark.parametrize("kind", ["error_after", "lost_answer", "drop_before"])
    def test_a_write_without_a_clear_answer_is_unknown(self, arena: Arena, kind: str) -> None:
        ticket = arena.new_ticket()
        for method in WRITES:
            arena.fault(kind, method=method, times=None)

        error = arena.update(ticket, {arena.text_field: "perhaps"}).error

        assert isinstance(error, UnknownOutcome)
        assert error.answered == (kind == "error_after")

    def test_an_outage_is_the_connections_trouble(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.imitation.stop()
        try:
            with pytest.raises(RetryLater) as caught:
                arena.read(ticket)
            error = arena.update(ticket, {arena.text_field: "late"}).error
        finally:
            arena.imitation.start()

        assert caught.value.scope == "connection"
        assert isinstance(error, RetryLater)

    def test_an_answer_that_is_a_page_is_not_believed(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("status", status=200, times=None, body="<html>Maintenance</html>")

        with pytest.raises(RetryLater):
            arena.read(ticket)

    # -- secrecy

    def test_nothing_secret_is_shown(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        told = [repr(arena.adapter), repr(arena.creation("key", "outside"))]
        for status in (400, 401, 403, 404, 429, 500):
            arena.fault("status", status=status, times=None, body={"message": "no"})
            for attempt in (
                lambda: arena.update(ticket, {arena.text_field: "customer's words"}).error,
                lambda: arena.add(arena.note(ticket, "key", "customer's words"))["key"].error,
            ):
                error = attempt()
                told += [str(error), repr(error), repr(error.__cause__) if error else ""]
            arena.imitation.faults.clear()

        assert not [secret for secret in (*arena.secrets, "customer's words") if any(secret in one for one in told)]

    def test_only_the_configured_address_is_called(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.update(ticket, {arena.text_field: "x"})
        arena.add(arena.note(ticket, "key", "x"))
        arena.timeline(ticket)
        arena.adapter.check()

        assert arena.wire.urls
        assert all(url.startswith(arena.base_url) for url in arena.wire.urls)

    @pytest.mark.parametrize("hostile", ["../members", "..", "a/../../b", "//evil.test", "x?y=z", "a#b", "%2e%2e"])
    def test_an_id_cannot_lead_elsewhere(self, arena: Arena, hostile: str) -> None:
        """An id comes from outside: it names nothing, or the call is refused, but it never becomes a path."""
        with suppress(Refused):
            assert dict(arena.adapter.read([hostile], arena.fields)) == {}

    # -- webhooks

    def test_a_genuine_delivery_is_believed_and_names_its_ticket(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        delivery = arena.delivery(ticket)

        arena.adapter.verify(delivery, now=arena.now())
        events = arena.adapter.parse(delivery)

        assert ticket in {event.ticket_id or event.subject for event in events}
        assert all(event.key for event in events)
        assert len({event.key for event in events}) == len(events)

    def test_the_same_bytes_have_the_same_keys(self, arena: Arena) -> None:
        delivery = arena.delivery(arena.new_ticket())

        first, again = arena.adapter.parse(delivery), arena.adapter.parse(delivery)

        assert [event.key for event in first] == [event.key for event in again]

    def test_a_delivery_that_was_changed_is_refused(self, arena: Arena) -> None:
        delivery = arena.delivery(arena.new_ticket())

        with pytest.raises(BadDelivery):
            arena.adapter.verify(replace(delivery, body=delivery.body + b" "), now=arena.now())

    def test_a_delivery_without_a_signature_is_refused(self, arena: Arena) -> None:
        delivery = arena.delivery(arena.new_ticket())
        bare = {name: value for name, value in delivery.headers.items() if "signature" not in name}

        with pytest.raises(BadDelivery):
            arena.adapter.verify(replace(delivery, headers=bare), now=arena.now())

    @pytest.mark.parametrize("body", [b"", b"not json", b"\xff\xfe", b"3", b"null", b'"text"'])
    def test_bytes_that_say_nothing_are_a_bad_delivery(self, arena: Arena, body: bytes) -> None:
        with pytest.raises(BadDelivery):
            arena.adapter.parse(replace(arena.delivery(arena.new_ticket()), body=body))

    @pytest.mark.parametrize("body", [b"{}", b'{"event": "something.new", "data": {"id": "1"}}', b"[]"])
    def test_news_we_do_not_know_is_no_ticket(self, arena: Arena, body: bytes) -> None:
        """Vendors add events: an unknown one is put aside or is a bad delivery, never a crash or a guess."""
        try:
            events = arena.adapter.parse(replace(arena.delivery(arena.new_ticket()), body=body))
        except BadDelivery:
            return

        assert all(event.kind is EventKind.OTHER for event in events)

    # -- set-up

    def test_people_have_lower_case_addresses_or_the_list_is_not_supported(self, arena: Arena) -> None:
        try:
            people = arena.adapter.people()
        except NotSupported:
            return

        assert len({person.id for person in people}) == len(people)
        assert all(person.email is None or person.email == person.email.lower().strip() for person in people)
        assert any(person.active and person.email for person in people)

    def test_the_schema_knows_the_fields(self, arena: Arena) -> None:
        schema = arena.adapter.schema()
        option = schema.field(arena.option_field)

        assert schema.field(arena.text_field) is not None
        assert option is not None
        assert arena.option in {one.value for one in option.options}
        assert schema.field(arena.unknown_field) is None

    def test_a_dry_run_writes_nothing(self, arena: Arena) -> None:
        steps = [
            *arena.adapter.ensure_schema(dry_run=True),
            *arena.adapter.subscribe("https://connector.example.test/webhooks/acme", dry_run=True),
        ]

        assert all(step.state in ("ok", "would", "manual", "problem") for step in steps)
        assert all(arena.imitation.calls.count(method=method) == 0 for method in ("PATCH", "PUT", "DELETE"))

    def test_setting_up_twice_changes_nothing_the_second_time(self, arena: Arena) -> None:
        def set_up() -> list[str]:
            steps = [
                *arena.adapter.ensure_schema(dry_run=False),
                *arena.adapter.subscribe("https://connector.example.test/webhooks/acme", dry_run=False),
            ]
            return [step.state for step in steps]

        first, second = set_up(), set_up()

        assert set(first) <= {"ok", "done", "manual"}
        assert "done" not in second

    def test_a_healthy_account_passes_every_check(self, arena: Arena) -> None:
        arena.adapter.ensure_schema(dry_run=False)
        arena.adapter.subscribe("https://connector.example.test/webhooks/acme", dry_run=False)

        checks = arena.adapter.check()

        assert checks
        assert [check for check in checks if not check.ok] == []

    def test_a_check_of_an_account_in_trouble_says_so_and_does_not_raise(self, arena: Arena) -> None:
        arena.fault("status", status=401, times=None)

        checks = arena.adapter.check()

        assert [check for check in checks if not check.ok]
        assert not [secret for secret in arena.secrets if secret in repr(checks)]

    def test_what_is_missing_is_said_plainly(self, arena: Arena) -> None:
        """`find` and `tickets_of` work or raise NotSupported; nothing answers as if it had looked."""
        arena.new_ticket()
        for ask in (
            lambda: arena.adapter.find(arena.text_field, ["nothing like this"], arena.fields),
            lambda: arena.adapter.tickets_of(["1"]),
        ):
            try:
                found = ask()
            except NotSupported:
                continue
            assert arena.wire.urls
            assert not any(found.values())
