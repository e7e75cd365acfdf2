"""The transport's promises: where it sends, how long it takes, and what each answer or silence becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from connector.adapters.budget import Limit, MemoryBudget
from connector.adapters.transport import (
    Call,
    HeaderCredentials,
    NoAnswer,
    NotSent,
    Rate,
    Request,
    Response,
    Sort,
    Transport,
    retry_after,
    vendor_message,
)
from connector.domain.errors import ConfigError, ConnectorError, Gone, Refused, RetryLater, UnknownOutcome

from .conftest import ScriptedWire

READ = Request("GET", "/tickets/7", "/tickets/:id")
SEARCH = Request("POST", "/search", "/search", json={"q": "words"}, repeatable=True)
WRITE = Request("POST", "/tickets/7/reply", "/tickets/:id/reply", json={"content": "private words"})


class Time:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Renewable:
    """Credentials with one more token in reserve."""

    def __init__(self, tokens: Sequence[str] = ("first", "second")) -> None:
        self.tokens = list(tokens)

    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens[0]}"}

    def renew(self) -> bool:
        if len(self.tokens) == 1:
            return False
        self.tokens.pop(0)
        return True


class Sender:
    """A transport with everything around it scripted."""

    def __init__(
        self,
        *answers: Response | Exception,
        sort: Sort = lambda *_: None,
        limit: Limit | None = None,
        base_url: str = "https://api.example.test/v1/",
        rate: Callable[[Response], Rate | None] = lambda _: None,
    ) -> None:
        self.time = Time()
        self.wire = ScriptedWire(*answers)
        self.calls: list[Call] = []
        self.budget = MemoryBudget({"default": limit} if limit else {}, clock=self.time)
        self.transport = Transport(
            system="acme",
            base_url=base_url,
            wire=self.wire,
            credentials=Renewable(),
            budget=self.budget,
            sort=sort,
            rate=rate,
            observe=self.calls.append,
            sleep=self.time.sleep,
            clock=self.time,
        )

    def send(self, request: Request) -> Response:
        return self.transport.send(request)

    def failure(self, request: Request) -> ConnectorError:
        with pytest.raises(ConnectorError) as caught:
            self.transport.send(request)
        return caught.value


def test_an_answer_comes_back_with_its_call_told() -> None:
    """The base address is kept whole, the credentials are added, the observer sees the route and not the path."""
    sender = Sender(Response(200, {}, b'{"id": "7"}'))

    answer = sender.send(READ)

    assert answer.json == {"id": "7"}
    assert sender.wire.sent[0][1:3] == ("https://api.example.test/v1/tickets/7", {"authorization": "Bearer first"})
    assert sender.calls == [Call("acme", "/tickets/:id", "GET", 200, 0.0)]


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.test/tickets",
        "//evil.test/tickets",
        "tickets",
        "/tickets/../keys",
        "/tickets/%2e%2E/keys",
        "/tickets/.",
        "/tickets/a%2F..%2fkeys",
        "/tickets/a%5Ckeys",
        "/tickets?x=1",
        "/tickets#x",
        "/tickets/a b",
        "/tickets/a\r\nHost: evil",
        "/tickets\\evil",
        "/tickets/é",
    ],
)
def test_a_path_that_would_leave_its_place_is_refused(path: str) -> None:
    sender = Sender()

    error = sender.failure(Request("GET", path, "/tickets/:id"))

    assert isinstance(error, Refused)
    assert error.code == "unsafe_path"
    assert sender.wire.sent == []


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.example.test",
        "ftp://127.0.0.1",
        "https://user:pass@api.example.test",
        "https://api.example.test/?key=1",
        "api.example.test",
        "http://127.0.0.1.evil.test",
    ],
)
def test_only_https_or_this_machine_is_a_base_address(base_url: str) -> None:
    with pytest.raises(ConfigError):
        Sender(base_url=base_url)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:1", "https://x.test"])
def test_this_machine_may_be_plain_http(base_url: str) -> None:
    assert Sender(base_url=base_url).transport.base_url == base_url


def test_a_call_that_never_left_may_be_made_later() -> None:
    """Nothing was sent, so even a write is only late."""
    error = Sender(NotSent("ConnectError")).failure(WRITE)

    assert isinstance(error, RetryLater)
    assert (error.code, error.scope, error.system) == ("unreachable", "connection", "acme")


@pytest.mark.parametrize("read", [READ, SEARCH])
def test_a_silent_read_is_repeated_three_times_at_most(read: Request) -> None:
    sender = Sender(NoAnswer("a"), NoAnswer("b"), NoAnswer("c"), Response(200, {}, b"{}"))

    error = sender.failure(read)

    assert isinstance(error, RetryLater)
    assert error.code == "no_answer"
    assert len(sender.wire.sent) == 3
    assert sum(sender.time.slept) < 2.0
    assert [call.status for call in sender.calls] == [None, None, None]


def test_a_read_that_is_answered_the_second_time_succeeds() -> None:
    assert Sender(NoAnswer("a"), Response(200, {}, b"{}")).send(READ).json == {}


def test_a_silent_write_is_sent_once_and_its_outcome_is_unknown() -> None:
    sender = Sender(NoAnswer("ReadTimeout"), Response(200))

    error = sender.failure(WRITE)

    assert isinstance(error, UnknownOutcome)
    assert not error.answered
    assert len(sender.wire.sent) == 1


def test_a_5xx_leaves_a_write_unknown_and_a_read_late() -> None:
    write, read = Sender(Response(502)).failure(WRITE), Sender(Response(502)).failure(READ)

    assert isinstance(write, UnknownOutcome)
    assert write.answered
    assert isinstance(read, RetryLater)
    assert read.scope == "record"


def test_an_adapter_cannot_call_a_5xx_on_a_write_refused() -> None:
    """Only "certainly not applied" (RetryLater) is taken from it there."""
    refusing = Sender(Response(500), sort=lambda *_: Refused("no", code="no"))
    knowing = Sender(Response(503), sort=lambda *_: RetryLater("shed", code="shed", after=3.0))

    assert isinstance(refusing.failure(WRITE), UnknownOutcome)
    assert isinstance(knowing.failure(WRITE), RetryLater)


def test_a_limit_stops_everybody_for_as_long_as_the_vendor_asks() -> None:
    sender = Sender(
        Response(429), sort=lambda *_: RetryLater("limit", code="rate_limited", after=7.0), limit=Limit(100, 1.0)
    )

    first, second = sender.failure(READ), sender.failure(READ)

    assert isinstance(first, RetryLater)
    assert first.system == "acme"
    assert isinstance(second, RetryLater)
    assert second.after == pytest.approx(7.0)
    assert len(sender.wire.sent) == 1
    assert sender.budget.pauses() == {"default": "rate_limited"}


@pytest.mark.parametrize(
    ("headers", "after"), [({"retry-after": "12"}, 12.0), ({}, 1.0), ({"retry-after": "soon"}, 1.0)]
)
def test_a_429_that_the_adapter_does_not_read_is_a_limit(headers: dict[str, str], after: float) -> None:
    error = Sender(Response(429, headers)).failure(WRITE)

    assert isinstance(error, RetryLater)
    assert (error.code, error.after) == ("rate_limited", after)


def test_the_vendors_own_count_is_learned() -> None:
    """The second call finds nothing left and says how long the window still is."""
    sender = Sender(Response(200), rate=lambda _: Rate(limit=60, remaining=0, reset_in=30.0), limit=Limit(60, 60.0))
    sender.send(READ)

    error = sender.failure(READ)

    assert isinstance(error, RetryLater)
    assert error.after == pytest.approx(30.0)


def test_a_short_wait_for_the_budget_is_sat_out_and_a_long_one_is_not() -> None:
    short, long = (
        Sender(Response(200), Response(200), limit=Limit(1, 0.5)),
        Sender(Response(200), limit=Limit(1, 60.0)),
    )

    for sender in (short, long):
        sender.send(READ)
    short.send(READ)
    error = long.failure(READ)

    assert short.time.slept == [pytest.approx(0.5, abs=0.06)]
    assert long.time.slept == []
    assert isinstance(error, RetryLater)
    assert error.code == "rate_limited"


def test_waiting_for_the_budget_uses_up_the_calls_own_time() -> None:
    sender = Sender(Response(200), Response(200), limit=Limit(1, 0.5))
    sender.send(READ)

    sender.send(READ)

    assert sender.wire.sent[1][3] == pytest.approx(READ.timeout - 0.5, abs=0.06)


def test_a_401_is_answered_with_one_new_token_and_one_repeat() -> None:
    sender = Sender(Response(401), Response(200, {}, b"{}"))

    sender.send(WRITE)

    assert [headers["authorization"] for _, _, headers, _ in sender.wire.sent] == ["Bearer first", "Bearer second"]


def test_a_second_401_ends_it_without_pausing_the_budget() -> None:
    sender = Sender(Response(401), Response(401))

    error = sender.failure(READ)

    assert isinstance(error, RetryLater)
    assert (error.code, error.scope, error.after) == ("unauthorized", "connection", 60.0)
    assert sender.budget.pauses() == {}


def test_a_redirect_is_not_followed() -> None:
    moved = Response(302, {"location": "https://evil.test/"})
    sender = Sender(moved, moved)

    error = sender.failure(READ)
    answer = sender.send(Request("GET", "/attachments/1/download", "/attachments/:id/download", redirects=True))

    assert isinstance(error, RetryLater)
    assert error.code == "redirected"
    assert answer.headers["location"] == "https://evil.test/"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, Refused, "http_400"),
        (403, Refused, "http_403"),
        (404, Gone, "gone"),
        (408, RetryLater, "http_408"),
        (410, Gone, "gone"),
        (413, Refused, "http_413"),
    ],
)
def test_a_4xx_has_a_meaning_without_the_adapter(status: int, kind: type[ConnectorError], code: str) -> None:
    error = Sender(Response(status)).failure(WRITE)

    assert type(error) is kind
    assert error.code == code


def test_an_answer_that_is_not_json_is_late_after_a_read_and_unknown_after_a_write() -> None:
    page = Response(200, {"content-type": "text/html"}, b"<html>please log in</html>")

    with pytest.raises(RetryLater) as read:
        _ = Sender(page).send(READ).json
    with pytest.raises(UnknownOutcome) as write:
        _ = Sender(page).send(WRITE).json

    assert read.value.code == write.value.code == "unreadable_answer"
    assert "log in" not in str(read.value)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"{}"])
def test_an_answer_of_another_shape_is_no_answer(body: bytes) -> None:
    """A proxy's polite nothing must not read as: there is no such record."""
    answer = Response(200, {}, body)

    with pytest.raises(RetryLater):
        _ = Sender(answer).send(READ).json["results"]
    with pytest.raises(UnknownOutcome):
        _ = Sender(answer).send(WRITE).json["results"]


def test_a_call_that_is_answered_with_a_list_says_so() -> None:
    answer = Response(200, {}, b"[1]")

    assert Sender(answer).send(replace(READ, shape=list)).json == [1]
    assert Sender(answer).send(replace(READ, shape=object)).json == [1]


def test_nothing_secret_is_in_a_repr_or_a_message() -> None:
    request = Request(
        "POST",
        "/members/by-email/ana%40example.test",
        "/members/by-email/:email",
        query={"q": "hidden-query"},
        json={"content": "hidden-body"},
        headers={"x-extra": "hidden-header"},
    )
    sender = Sender(Response(500, {"x": "hidden-header"}, b"hidden-body"))

    told = repr(request) + str(sender.failure(request)) + repr(Response(500, {}, b"hidden-body"))
    told += repr(sender.transport) + repr(HeaderCredentials("X-Api-Key", "hidden-key"))

    assert "/members/by-email/:email" in told
    assert "hidden" not in told
    assert "ana" not in told.replace("acme", "")


def test_a_wait_that_is_told_is_read_as_seconds_or_as_a_date_by_the_clock_of_who_answers() -> None:
    asked = ("2", "0.5", "Sat, 28 Nov 2026 00:02:00 GMT", "Fri, 27 Nov 2026 00:00:00 GMT")
    unclear = ("", "-1", "1e9", "soon", "Wed, 21 Oct", "Sat, 99 Nov 2026 00:00:00 GMT")
    date = {"date": "Sat, 28 Nov 2026 00:00:00 GMT"}

    told = [retry_after(Response(429, {"retry-after": text, **date})) for text in (*asked, *unclear)]

    assert told == [2.0, 0.5, 120.0, 0.0, *[None] * len(unclear)]


def test_a_vendors_words_are_cut() -> None:
    assert vendor_message("a\n  b") == "«a b»"
    assert len(vendor_message("x" * 1000)) == 302
