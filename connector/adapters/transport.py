"""The one sender. Every call to every vendor goes through `Transport.send`, whatever wire carries it.

It stays on the configured address, takes its turn from a shared budget, keeps a total time, repeats what is safe to
repeat, renews credentials once, and turns every answer and every silence into a value or an error that says what
happens next. It follows no redirect and logs nothing: `observe` is told of every call.
"""

from __future__ import annotations

import json as jsonlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cached_property
from ipaddress import ip_address
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_random_exponential

from connector.adapters import lanes
from connector.adapters.lanes import Lane
from connector.adapters.times import http_date, seconds_until
from connector.adapters.told import Told
from connector.domain.errors import OUT_OF_TURN, ConfigError, ConnectorError, Gone, Refused, RetryLater, UnknownOutcome

READ_TRIES: Final = 3
READ_TRIES_WITHIN: Final = 2.0
UNAUTHORIZED_WAIT: Final = 60.0
LONGEST_VENDOR_MESSAGE: Final = 300
LIMIT_USED_UP, OTHERS_FIRST = "its call limit is used up", "more urgent calls go first"
UNSAFE_PATH = re.compile(r"[\x00-\x20\x7f\\?#]|[^\x00-\x7f]|^//|/(?:\.|%2e){1,2}(?:/|$)|%2f|%5c", re.IGNORECASE)

Query = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class File:
    """One part of a multipart body."""

    name: str
    content: bytes = field(repr=False)
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Request:
    """One call. Only method and route are shown in a repr: all else may hold ids, secrets or customers' words.

    `path` is percent-encoded, begins with a slash and holds no query. `route` is its template, for metrics and
    messages. `repeatable` marks a read made by another method than GET (a search, a batch read): it is repeated
    after a silence and never has an unknown outcome. Never set it on a write: repeats of writes belong to the
    engine. `redirects` lets a 3xx answer through, unfollowed; otherwise it is an error.
    """

    method: str
    path: str = field(repr=False)
    route: str
    query: Query = field(default_factory=dict, repr=False)
    json: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    files: Mapping[str, File] = field(default_factory=dict, repr=False)
    content: bytes | None = field(default=None, repr=False)
    """A body that is sent as it is: one that was signed."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    repeatable: bool = False
    redirects: bool = False
    timeout: float = 10.0
    """Seconds for all of it: waiting for the budget, every try, the answer's last byte."""
    bucket: str = "default"
    shape: type = dict
    """What the answer's JSON is where somebody looks at it: an object, a `list`, or any (`object`)."""

    @property
    def is_read(self) -> bool:
        """Whether the call changes nothing at the vendor."""
        return self.repeatable or self.method in ("GET", "HEAD")


@dataclass(frozen=True)
class Response:
    """An answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)
    request: Request | None = None
    system: str = ""

    @cached_property
    def json(self) -> Any:
        """The body as JSON. An unreadable one raises RetryLater after a read, UnknownOutcome after a write.

        So does one of another shape than was asked for, and so does looking up what an object should have and has not.
        """
        try:
            told = jsonlib.loads(self.content)
        except (ValueError, RecursionError) as error:
            raise self.unreadable() from error
        if self.request is not None and not isinstance(told, self.request.shape):
            raise self.unreadable()
        return Told(told, self.unreadable) if isinstance(told, dict) else told

    @property
    def maybe_json(self) -> Any:
        """The body as JSON, or None where it is empty or something else: for error bodies."""
        try:
            return jsonlib.loads(self.content)
        except (ValueError, RecursionError):
            return None

    def unreadable(self) -> ConnectorError:
        """What is raised where the answer is not what was asked for."""
        told = f"{_about(self.system, self.request)}: the answer with status {self.status} is not what was asked for"
        if self.request is not None and not self.request.is_read:
            return UnknownOutcome(told, code="unreadable_answer", answered=True, system=self.system)
        return RetryLater(told, code="unreadable_answer", scope="record", system=self.system)


@dataclass(frozen=True, slots=True)
class Call:
    """What `observe` is told about one try. `status` is None where no answer came."""

    system: str
    route: str
    method: str
    status: int | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Rate:
    """What an answer says about the vendor's limits; None where it does not say. `reset_in` is in seconds.

    `day_limit` and `day_remaining` are those of a long window beside the short one.
    """

    limit: int | None = None
    remaining: int | None = None
    reset_in: float | None = None
    day_limit: int | None = None
    day_remaining: int | None = None

    @property
    def is_used_up(self) -> bool:
        """Whether the vendor takes no further call before `reset_in`."""
        return self.remaining == 0 and bool(self.reset_in)


@dataclass(frozen=True, slots=True)
class Wait:
    """No call now: ask again after so many seconds. `for_everybody`: no lane may. `limit` tells which one."""

    seconds: float
    for_everybody: bool
    limit: str = ""


class NotSent(Exception):
    """No byte of the request left this machine. The message is a short reason without an address."""


class NoAnswer(Exception):
    """The request was sent, at least in part, and no whole answer came in time."""


class Wire(Protocol):
    """What carries bytes. One wire may serve many transports and threads."""

    def send(self, request: Request, *, url: str, headers: Mapping[str, str], timeout: float) -> Response:
        """Send once, follow nothing, repeat nothing, end within `timeout` seconds. Raises NotSent or NoAnswer."""


class Budget(Protocol):
    """How often one account may be called, shared by all its callers."""

    def take(self, bucket: str, lane: Lane) -> Wait | None:
        """None and the call is counted, or for how long to wait."""

    def learn(self, bucket: str, rate: Rate) -> None:
        """Take the vendor's own word about the bucket."""

    def pause(self, bucket: str, seconds: float, reason: str) -> None:
        """Let nobody call for this long."""


class Credentials(Protocol):
    """What proves who we are."""

    def headers(self) -> Mapping[str, str]:
        """The headers that authenticate a call."""

    def renew(self) -> bool:
        """Called after a 401. True: another token is in force now, the call may be repeated once."""


@dataclass(frozen=True, slots=True)
class HeaderCredentials:
    """A key that never changes, sent in one header."""

    name: str
    value: str = field(repr=False)

    def headers(self) -> Mapping[str, str]:
        """The header with the key."""
        return {self.name: self.value}

    def renew(self) -> bool:
        """A fixed key cannot be renewed."""
        return False


may_send: ContextVar[Callable[[], None] | None] = ContextVar("may_send", default=None)
"""Called just before each write of this context goes out, where somebody set it: it raises if that must not be."""

Sort = Callable[[Request, Response], ConnectorError | None]
"""The adapter's reading of an answer of 400 or more; None leaves it to the transport's own rule."""


class Transport:
    """Sends one system's calls. Thread-safe where its wire, budget and credentials are."""

    def __init__(
        self,
        *,
        system: str,
        base_url: str,
        wire: Wire,
        credentials: Credentials,
        budget: Budget,
        sort: Sort,
        rate: Callable[[Response], Rate | None] = lambda _: None,
        observe: Callable[[Call], None] = lambda _: None,
        address: Callable[[], str] = str,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        patience: float = 1.0,
    ) -> None:
        """`sort` reads refusals, `rate` the vendor's limit headers. `patience` is the longest wait for the budget.

        `address` gives where the API is, where the vendor tells it with a token; otherwise it is at `base_url`.
        """
        self.system = system
        self.base_url = checked_base_url(base_url, system)
        self._wire = wire
        self._credentials = credentials
        self._budget = budget
        self._sort = sort
        self._rate = rate
        self._observe, self._address = observe, address
        self._sleep = sleep
        self._clock = clock
        self._patience = patience

    def send(self, request: Request) -> Response:
        """The answer, if it is a success. Raises RetryLater, UnknownOutcome, Refused or Gone otherwise."""
        if UNSAFE_PATH.search(request.path) or not request.path.startswith("/"):
            raise Refused(f"{_about(self.system, request)}: the path would leave its place", code="unsafe_path")
        deadline = self._clock() + request.timeout
        response = self._ask(request, deadline)
        if response.status == 401 and self._credentials.renew():
            response = self._ask(request, deadline)
        error = self._error(request, response)
        if error is None:
            return response
        self._hold_back(request, error)
        raise error

    def _ask(self, request: Request, deadline: float) -> Response:
        """An answer of any status. A read is repeated after a silence, a few times within two seconds."""
        tries = Retrying(
            retry=retry_if_exception_type(NoAnswer),
            stop=stop_after_attempt(READ_TRIES if request.is_read else 1) | stop_after_delay(READ_TRIES_WITHIN),
            wait=wait_random_exponential(multiplier=0.1, max=0.5),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return tries(self._try, request, deadline)
        except NotSent as error:
            raise self._later(request, f"not reached ({error})", code="unreachable") from error
        except NoAnswer as error:
            if request.is_read:
                raise self._later(request, f"no answer ({error})", code="no_answer") from error
            told = f"{_about(self.system, request)}: no answer ({error})"
            raise UnknownOutcome(told, code="no_answer", answered=False, system=self.system) from error

    def _try(self, request: Request, deadline: float) -> Response:
        self._await_turn(request, deadline)
        headers = {**self._credentials.headers(), **request.headers}
        if not request.is_read and (check := may_send.get()):
            check()
        started, status = self._clock(), None
        try:
            if started >= deadline:
                raise NotSent("no time left")
            url = (self._address() or self.base_url) + request.path
            answer = self._wire.send(request, url=url, headers=headers, timeout=deadline - started)
            status = answer.status
        finally:
            self._observe(Call(self.system, request.route, request.method, status, self._clock() - started))
        response = replace(answer, request=request, system=self.system)
        if rate := self._rate(response):
            self._budget.learn(request.bucket, rate)
        return response

    def _await_turn(self, request: Request, deadline: float) -> None:
        """Return once the budget has counted this call; give up early where that takes too long."""
        until = min(self._clock() + self._patience, deadline)
        while (wait := self._budget.take(request.bucket, lanes.current())) is not None:
            if self._clock() + wait.seconds > until:
                if wait.for_everybody:
                    raise self._later(request, LIMIT_USED_UP + wait.limit, code="rate_limited", after=wait.seconds)
                raise self._later(request, OTHERS_FIRST, code=OUT_OF_TURN, after=wait.seconds)
            self._sleep(wait.seconds)

    def _error(self, request: Request, response: Response) -> ConnectorError | None:
        status = response.status
        if status < 300 or (status < 400 and request.redirects):
            return None
        if status < 400:
            return self._later(request, f"{status}, a redirect: the address is not the API's", code="redirected")
        if status == 401:
            return self._later(request, "401, configure another key", code="unauthorized", after=UNAUTHORIZED_WAIT)
        error = self._sort(request, response)
        if error is None or (status >= 500 and not isinstance(error, RetryLater)):
            error = self._by_status(request, response)
        if isinstance(error, RetryLater | UnknownOutcome) and not error.system:
            error.system = self.system
        return error

    def _by_status(self, request: Request, response: Response) -> ConnectorError:
        """What a status means where the vendor has not said more. Only a write answered with 5xx is uncertain."""
        status, told = response.status, f"{_about(self.system, request)}: answered {response.status}"
        if status == 429:
            return RetryLater(told, code="rate_limited", after=retry_after(response) or 1.0, system=self.system)
        if status >= 500 and not request.is_read:
            return UnknownOutcome(told, code=f"http_{status}", answered=True, system=self.system)
        if status >= 500 or status in (408, 425):
            code, after = f"http_{status}", retry_after(response)
            return RetryLater(told, code=code, scope="record", after=after, system=self.system)
        if status in (404, 410):
            return Gone(told, status=status)
        return Refused(told, code=f"http_{status}", status=status)

    def _hold_back(self, request: Request, error: ConnectorError) -> None:
        """A limit that one call met holds for everybody who shares the budget."""
        if not isinstance(error, RetryLater) or error.code == "unauthorized":
            return
        if error.scope == "connection" and error.after:
            self._budget.pause(request.bucket, error.after, error.code)

    def _later(self, request: Request, what: str, *, code: str, after: float | None = None) -> RetryLater:
        return RetryLater(f"{_about(self.system, request)}: {what}", code=code, after=after, system=self.system)


def retry_after(response: Response) -> float | None:
    """The seconds of a `Retry-After` header, told as a number or a date; None where there is none that can be read."""
    told = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,6}(\.\d+)?", told):
        return float(told)
    at = http_date(told)
    return None if at is None else max(0.0, seconds_until(at, response.headers))


def vendor_message(text: object) -> str:
    """A vendor's own words about a refusal, on one line, short enough for an error message, and marked as a quotation.

    Vendors quote the value that they refuse. People who may see the ticket are shown it; logs and Flower leave out
    whatever stands between these marks (`log.washed`).
    """
    line = " ".join(str(text).replace("«", "<").replace("»", ">").split())
    short = line if len(line) <= LONGEST_VENDOR_MESSAGE else line[: LONGEST_VENDOR_MESSAGE - 1] + "…"
    return f"«{short}»" if short else ""


def checked_base_url(base_url: str, system: str) -> str:
    """The address without a slash at its end. Raises ConfigError unless it is https, or http on this machine."""
    parts = urlsplit(base_url)
    is_plain = not (parts.query or parts.fragment or parts.username or parts.password)
    is_private = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not parts.hostname or not is_plain or not (parts.scheme == "https" or is_private):
        raise ConfigError(f"{system}: the API address must be https://host[/path], or http on this machine only")
    return base_url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _about(system: str, request: Request | None) -> str:
    return f"{system} {request.method} {request.route}" if request else system
