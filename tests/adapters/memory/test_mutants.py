"""The contract suite judged: for each promise an adapter that breaks it, and the promise must notice."""

from __future__ import annotations

import inspect
import itertools
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.adapters.base import Answer, Change, ChangeKind, Check, Event, EventKind, Step, Sweep, Written
from connector.adapters.testing.contract import AdapterContract
from connector.adapters.testing.run import promises
from connector.adapters.transport import NoAnswer
from connector.domain.errors import BadDelivery, ConnectorError, Gone, Refused, RetryLater, UnknownOutcome
from connector.domain.schema import Schema
from connector.domain.ticket import CommentKind, Record

from .arena import MemoArena
from .crm import FIELDS, TOKEN, Memo

Mutant = Callable[[MemoArena], None]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def call(method: str, broken: Callable[..., Any]) -> Mutant:
    """An adapter whose method is `broken`, which is given the good one first."""

    def mutate(arena: MemoArena) -> None:
        good = getattr(arena.memo, method)
        setattr(arena.memo, method, lambda *args, **named: broken(good, *args, **named))

    return mutate


def result(method: str, broken: Callable[[Any], Any]) -> Mutant:
    """An adapter whose method's result is changed."""
    return call(method, lambda good, *args, **named: broken(good(*args, **named)))


def claims(**changes: Any) -> Mutant:
    """An adapter that claims something else of itself."""

    def mutate(arena: MemoArena) -> None:
        arena.memo.capabilities = replace(arena.memo.capabilities, **changes)

    return mutate


def raising(error: ConnectorError) -> Callable[..., Any]:
    def broken(*_: object, **__: object) -> Any:
        raise error

    return broken


def meaning(error: ConnectorError) -> Callable[[Any], Any]:
    """Outcomes in which every error means this."""

    def broken(written: Any) -> Any:
        if isinstance(written, Written):
            return replace(written, error=error) if written.error else written
        return [broken(one) for one in written]

    return broken


LATE = RetryLater("later", code="later", scope="connection")
LOST = UnknownOutcome("lost", code="lost", answered=True)


def everybody_fails(written: list[Written]) -> list[Written]:
    """One failure is everybody's."""
    error = next((one.error for one in written if one.error), None)
    return [replace(one, error=error) for one in written]


def silently(good: Callable[..., Any], nothing: Any) -> Callable[..., Any]:
    def quiet(*args: Any, **named: Any) -> Any:
        with suppress(ConnectorError):
            return good(*args, **named)
        return nothing

    return quiet


def blind(method: str, nothing: Any) -> Mutant:
    """An adapter that takes trouble for nothing."""
    return call(method, lambda good, *args, **named: silently(good, nothing)(*args, **named))


def told(**changes: Any) -> Mutant:
    """An adapter that tells the vendor something else of every change."""
    return call(
        "told",
        lambda good, change: {
            **good(change),
            **{name: one(change) if callable(one) else one for name, one in changes.items()},
        },
    )


def said(**changes: Any) -> Mutant:
    """An adapter that adds another comment than it was given."""
    return call(
        "_add",
        lambda good, note: good(
            replace(note, **{name: one(note) if callable(one) else one for name, one in changes.items()})
        ),
    )


def small_trouble(arena: MemoArena) -> None:
    """What is everybody's wait is taken for one record's."""

    def broken(good: Callable[..., Any], *args: Any, **named: Any) -> Any:
        try:
            return good(*args, **named)
        except RetryLater as error:
            raise RetryLater(str(error), code=error.code, scope="record") from error

    call("ask", broken)(arena)


def forgets_nobody(arena: MemoArena) -> None:
    """What was gone once is thought gone for ever."""
    gone: set[str] = set()

    def broken(good: Callable[..., Any], ids: Iterable[str], fields: Any) -> Any:
        found = good([one for one in ids if one not in gone], fields)
        gone.update(set(ids) - set(found))
        return found

    call("read", broken)(arena)


def thrifty(arena: MemoArena) -> None:
    """Equal comments are added once."""
    known: dict[str, Written] = {}

    def broken(good: Callable[..., Any], note: Any) -> Written:
        if note.text not in known:
            known[note.text] = good(note)
        return replace(known[note.text], key=note.key)

    call("_add", broken)(arena)


def follows(arena: MemoArena) -> None:
    """Goes wherever an answer leads."""

    def broken(good: Callable[..., Any], *args: Any) -> Any:
        try:
            return good(*args)
        except RetryLater:
            arena.wire.urls.append("http://127.0.0.1:9/elsewhere")
            raise

    call("read", broken)(arena)


def gives_up(arena: MemoArena) -> None:
    """Takes a silence for a refusal."""
    good = arena.wire.send

    def broken(*args: Any, **named: Any) -> Any:
        try:
            return good(*args, **named)
        except NoAnswer as silence:
            raise Refused("no answer", code="silence") from silence

    arena.wire.send = broken  # type: ignore[method-assign]


def talks(arena: MemoArena) -> None:
    class Talkative(type(arena.memo)):  # type: ignore[misc]
        def __repr__(self) -> str:
            return f"MemoAdapter({TOKEN})"

    arena.memo.__class__ = Talkative


def logs(good: Callable[..., Any]) -> Any:
    logging.getLogger("acme").warning("asked with %s", TOKEN)
    return good()


def disconnected(arena: MemoArena) -> None:
    arena.credentials.is_connected = False


def stubborn(arena: MemoArena) -> None:
    """Asks again and again."""

    def broken(good: Callable[..., Any], *args: Any, **named: Any) -> Any:
        for _ in range(3):
            with suppress(RetryLater):
                return good(*args, **named)
        return good(*args, **named)

    call("ask", broken)(arena)


def wanders(arena: MemoArena) -> None:
    result("check", lambda checks: arena.wire.urls.append("https://elsewhere.example/") or checks)(arena)  # type: ignore[func-returns-value]


def shouted(email: str | None) -> str:
    return (email or "").upper()


COUNT = itertools.count()
MUTANTS: Mapping[str, Mutant] = {
    "reading gives every field that was asked for": result("record", lambda one: replace(one, fields={"subject": "x"})),
    "what we cannot see is left out": call(
        "read",
        lambda good, ids, fields: {**{one: Record(one, dict.fromkeys(fields)) for one in ids}, **good(ids, fields)},
    ),
    "reading nothing costs nothing": call(
        "read", lambda good, ids, fields: good([*ids, "1"], fields) if not ids else {}
    ),
    "many are read in fewer calls": call(
        "read", lambda good, ids, fields: {key: one for each in ids for key, one in good([each], fields).items()}
    ),
    "more than one batch is read whole": call("read", lambda good, ids, fields: good(ids[:100], fields)),
    "what changed is found by time": call(
        "changes", lambda good, since, *more: good(since + timedelta(hours=1), *more)
    ),
    "an old ticket that was changed is found by time too": call("changes", lambda good, _, *more: good(EPOCH, *more)),
    "a sweep is not gone on with from a place that never was": call(
        "changes", lambda good, since, fields, after="": good(since, fields, after if "|" in after else "")
    ),
    "a sweep goes on later and passes nothing over": result("changes", lambda sweep: replace(sweep, after="")),
    "changed comments are listed where that is claimed": claims(lists_comments=False),
    "a change makes a later version": result("record", lambda one: replace(one, version=EPOCH)),
    "the customer of a ticket is known": result(
        "requesters", lambda found: {key: replace(one, email=shouted(one.email)) for key, one in found.items()}
    ),
    "hostile words find nothing": call(
        "find", lambda good, field, values, fields: {one: [Record("1", {})] for one in values}
    ),
    "what was deleted is gone": call("fate", lambda good, one: Gone("merged", survivor="1")),
    "what was restored is read again": forgets_nobody,
    "what was merged names its survivor where that is claimed": call("fate", lambda good, one: Gone("gone")),
    "what is closed for good can be followed where that is claimed": claims(follow_ups=True, lacks={}),
    "a write to what is gone makes no record": told(id=None),
    "an update shows in its outcome and in the next read": told(values={}),
    "every change has its own outcome": result("write", lambda written: written[:1]),
    "two changes of one record are made in order": call("write", lambda good, changes: good(changes[::-1])),
    "an unknown field is refused": told(
        values=lambda change: {name: value for name, value in change.values.items() if name in FIELDS}
    ),
    "a refused option names its field": result("write", meaning(Refused("no", code="no"))),
    "a refused change holds up no other": result("write", everybody_fails),
    "writing nothing costs nothing": call(
        "write", lambda good, changes: good(changes) if changes else good([Change(ChangeKind.UPDATE, "k", {}, "1")])
    ),
    "what is read can be written back and is the same": result(
        "record", lambda one: replace(one, fields={**one.fields, "subject": f"{one.fields['subject']}!"})
    ),
    "a text that is too long is never cut without a word": told(
        values=lambda change: {name: value and value[:200] for name, value in change.values.items()}
    ),
    "a change that was decided on an old reading is turned down where that is claimed": told(version=None),
    "a created record is there": result("write", lambda written: [replace(one, id="999") for one in written]),
    "a created record has our id and our customer": told(email=""),
    "several are created with an outcome for each": result("write", everybody_fails),
    "creating again makes no second record": told(external_id=lambda change: change.key),
    "a create of unknown outcome is found": call("probe_create", lambda good, change, sent_at: None),
    "a create that was never made is not found": call("probe_create", lambda good, change, sent_at: Record("1", {})),
    "a note is added once and nobody outside sees it": said(kind=CommentKind.REPLY),
    "a reply reaches the customer only where the vendor can": said(kind=CommentKind.NOTE),
    "comments are added in their order": call("add_comments", lambda good, comments: good(comments[::-1])),
    "a later comment waits for an earlier one": call(
        "add_comments", lambda good, comments: [one for each in comments for one in good([each])]
    ),
    "long texts arrive whole": said(text=lambda note: note.text[:1000]),
    "what people say is read": result(
        "comments",
        lambda found: {key: [replace(one, kind=CommentKind.REPLY) for one in each] for key, each in found.items()},
    ),
    "a comment of unknown outcome is found once": call(
        "recognise", lambda good, note, timeline, **named: good(note, timeline, **{**named, "taken": frozenset()})
    ),
    "a comment that was never made is not found": call("recognise", lambda good, *args, **named: "1-1"),
    "two equal comments stay two": thrifty,
    "the comments of many are kept apart": result(
        "comments", lambda found: {key: [one for each in found.values() for one in each] for key in found}
    ),
    "looking at what is new only passes nothing over": call(
        "comments", lambda good, ids, since=None: {one: [] for one in ids} if since else good(ids)
    ),
    "a comment on what is gone fails alone": result("add_comments", everybody_fails),
    "a comment that is too long is never cut without a word": said(text=lambda note: note.text[:1000]),
    "lines stay lines": said(text=lambda note: " ".join(note.text.split())),
    "who said it is told": said(author=""),
    "what people said before is never taken for ours": call(
        "recognise",
        lambda good, note, timeline, **_: next((one.id for one in timeline if note.text in one.text), None),
    ),
    "a limit met by a comment leaves it certainly unsaid": result("_add", meaning(LOST)),
    "an expired token is renewed once": disconnected,
    "credentials that stay wrong end the call": stubborn,
    "a limit is everybodys wait": small_trouble,
    "a limit without a word about time is everybodys too": small_trouble,
    "a limit met by a write leaves it certainly undone": result("write", meaning(LOST)),
    "credentials that are wrong leave a write certainly undone": result("write", meaning(Refused("no", code="no"))),
    "a write that is forbidden is refused": result("write", meaning(Gone("no"))),
    "a slow read is only late": blind("read", {}),
    "a write whose answer is too late is unknown": result("write", meaning(LATE)),
    "an answer from elsewhere is not followed": follows,
    "a broken read is only late": blind("read", {}),
    "a dropped read is repeated": gives_up,
    "a write without a clear answer is unknown": result("write", meaning(LATE)),
    "an outage is the connections trouble": small_trouble,
    "an answer that is a page is not believed": blind("read", {}),
    "an answer that makes no sense is not believed": blind("read", {}),
    "a sweep and a timeline that break are only late": blind("changes", Sweep()),
    "a create that is sent again takes nothing back": result(
        "write", lambda written: [replace(one, created=True) for one in written]
    ),
    "a create that is answered with an error of theirs is unknown": result("write", meaning(LATE)),
    "nothing secret is shown": talks,
    "only the configured address is called": wanders,
    "no address and no log line holds a secret": call("check", logs),
    "an id cannot lead elsewhere": call("read", lambda good, ids, fields: {one: Record(one, {}) for one in ids}),
    "a genuine delivery is believed and names its ticket": call("verify", raising(BadDelivery("no", code="no"))),
    "the same bytes have the same keys": result(
        "parse", lambda events: [replace(one, key=f"{next(COUNT)}") for one in events]
    ),
    "an event tells a value as a read shows it": result(
        "parse", lambda events: [replace(one, field="subject", value="HELP", has_value=True) for one in events]
    ),
    "a delivery that was changed is refused": call("verify", lambda good, delivery, now: None),
    "a delivery without a signature is refused": call(
        "verify", lambda good, delivery, now: delivery.headers.get("x-memo-signature") and good(delivery, now=now)
    ),
    "a delivery of another time is refused where times are signed": call(
        "verify",
        lambda good, one, now: good(one, now=datetime.fromtimestamp(int(one.headers["x-memo-time"]), UTC)),
    ),
    "what vouches for one delivery vouches for no other": call("verify", lambda good, delivery, now: None),
    "a genuine delivery is answered as taken": call("answer", lambda good, delivery: Answer(500)),
    "bytes that say nothing are a bad delivery": blind("parse", []),
    "news we do not know is no ticket": result(
        "parse", lambda events: [Event("news", EventKind.TICKET, "1", one.key) for one in events]
    ),
    "whatever is missing has its reason": claims(lacks={}),
    "its sizes are sizes": claims(batch=0),
    "people have lower case addresses or the list is not supported": result(
        "people", lambda people: [replace(one, email=shouted(one.email)) for one in people]
    ),
    "the schema knows the fields": result("schema", lambda schema: Schema(())),
    "a dry run writes nothing": call("ensure_schema", lambda good, dry_run: good(dry_run=False)),
    "setting up twice changes nothing the second time": result(
        "subscribe", lambda steps: [Step(one.what, "done") for one in steps]
    ),
    "a healthy account passes every check": result("check", lambda checks: [Check("access", ok=False)]),
    "setting up an account in trouble raises or tells a problem": call(
        "ensure_schema", lambda good, dry_run: [Step("our field", "done")]
    ),
    "a check of an account in trouble says so and does not raise": result(
        "check", lambda checks: [Check("all", ok=True)]
    ),
    "what is missing is said plainly": call("tickets_of", lambda good, ids: {one: ["1"] for one in ids}),
}
"""By the words of the promise that it breaks."""

PROMISES = {one.name: name for name, one in promises().items()}


def test_every_promise_has_an_adapter_that_breaks_it() -> None:
    assert list(MUTANTS) == list(PROMISES)


@pytest.mark.parametrize("words", MUTANTS)
def test_a_broken_promise_is_noticed(words: str, request: pytest.FixtureRequest) -> None:
    noticed = [broken for arguments in cases(PROMISES[words], request) if (broken := breaks(words, arguments))]

    assert noticed, "the adapter that breaks it passes"


def breaks(words: str, arguments: Mapping[str, Any]) -> str:
    """What one case says of the adapter that breaks the promise; nothing where it notices nothing."""
    arena = MemoArena(Memo())
    MUTANTS[words](arena)
    try:
        getattr(AdapterContract(), PROMISES[words])(arena, **arguments)
    except (AssertionError, pytest.fail.Exception, ConnectorError, KeyError, NotImplementedError) as noticed:
        return repr(noticed)
    return ""


def cases(name: str, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """What a promise is given beside the arena, once for each of its cases."""
    test = getattr(AdapterContract, name)
    asked = [one for one in inspect.signature(test).parameters if one not in ("self", "arena")]
    marks = {mark.args[0]: mark.args[1] for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"}
    fixtures = {one: request.getfixturevalue(one) for one in asked if one not in marks}
    given = [dict(zip(marks, values, strict=True)) for values in itertools.product(*marks.values())]
    return [{**fixtures, **one} for one in given]
