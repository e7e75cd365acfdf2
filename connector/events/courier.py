"""Sends what waits for one endpoint: in order per ticket, the same id at every try, later and later, at last given up.

A message is sent at least once: who dies between the endpoint's answer and its being stored sends it again. Whether
and when anything is tried again is decided in SQL alone.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa

from connector.adapters.budget import MemoryBudget
from connector.adapters.oauth import Anonymous
from connector.adapters.transport import Call, Request, Response, Transport, Wire, retry_after
from connector.domain.errors import ConnectorError, Gone, RetryLater
from connector.events import signing
from connector.events.announcer import new_id
from connector.events.catalogue import Endpoint, EventType
from connector.events.payload import Notice, TicketView, body
from connector.store import counters, outbox
from connector.store.database import Database
from connector.store.outbox import Message

ROUTE: Final = "(its address)"
"""In the place of a path, which may hold a secret."""
TIMEOUT: Final = 10.0
AT_ONCE: Final = 8
"""Messages of different tickets that are on their way together."""
BATCH: Final = 16
"""After so many it is stored what became of them: a death sends no more than these again."""
AHEAD: Final = 256
"""So many are looked up together: each of another ticket, so they stay the first of theirs."""
LEASE: Final = timedelta(seconds=30)
"""Longer than a batch may take: two batches' time-outs, one after the other."""
TURN: Final = 5.0
"""Seconds after which whoever sends lets others work."""
STRIKES: Final = 3
"""So many failures in a row, of whichever messages, are the endpoint's own."""
FIRST_REPEAT, LONGEST_REPEAT = 1.0, 600.0
LONGEST_WAIT: Final = 24 * 3600.0
"""Seconds for which an endpoint may ask to be left alone."""
GIVE_UP: Final = timedelta(days=3)
GONE: Final = "it answered 410 Gone: it does not want any more"
UNAUTHORIZED: Final = "the listener answered 401: does it know the secret?"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one try: taken where `cause` is empty. `after` are seconds that the endpoint asked for."""

    cause: str = ""
    after: float | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """What one turn came to."""

    taken: int = 0
    failed: int = 0
    given_up: int = 0
    cause: str = ""

    def __add__(self, other: Sent) -> Sent:
        return Sent(
            self.taken + other.taken,
            self.failed + other.failed,
            self.given_up + other.given_up,
            other.cause or self.cause,
        )


class Courier:
    """Sends to one endpoint. Any number of processes may have one; one of them sends at a time."""

    def __init__(
        self,
        db: Database,
        endpoint: Endpoint,
        wire: Wire,
        *,
        now: Callable[[], datetime],
        observe: Callable[[Call], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.endpoint = endpoint
        self._db = db
        self._now = now
        self._clock = clock
        parts = urlsplit(endpoint.url)
        self._path, self._query = parts.path or "/", parse_qs(parts.query, keep_blank_values=True)
        self._transport = Transport(
            system=f"events.{endpoint.name}",
            base_url=f"{parts.scheme}://{parts.netloc}",
            wire=wire,
            credentials=Anonymous(),
            budget=MemoryBudget(),
            sort=lambda _, response: _sorted(response),
            observe=observe,
        )

    @property
    def name(self) -> str:
        return self.endpoint.name

    def run(self) -> Sent:
        """Send what is due, for a few seconds; nothing where somebody else does, or it is not to be called."""
        with self._db.read() as connection:
            if not outbox.has_due(connection, self.name, self._now()):
                return Sent()
        owner, until = uuid.uuid4().hex, self._clock() + TURN
        with self._db.write() as connection:
            if not outbox.acquire(connection, self.name, owner=owner, now=self._now(), until=self._now() + LEASE):
                return Sent()
            left, sent = self._held(connection, owner, self._next(connection)), Sent()
        while left:
            outcomes = self._send_all(left[:BATCH])
            with self._db.write() as connection:
                made = self.keep(connection, outcomes)
                left = left[BATCH:] if not made.failed else []
                left = left or self._next(connection)
                left = self._held(connection, owner, left if self._clock() < until else [])
            sent += made
        return sent

    def _held(self, connection: sa.Connection, owner: str, messages: list[Message]) -> list[Message]:
        """These messages, if there are any and they may still be sent by us; if not, the lease is given back."""
        if messages and outbox.hold(connection, self.name, owner=owner, until=self._now() + LEASE):
            return messages
        outbox.hold(connection, self.name, owner=owner, until=None)
        return []

    def send(self, message: Message) -> Outcome:
        """One try."""
        content = message.body.encode()
        signed = signing.headers(self.endpoint.secrets, message.message_id, content, at=self._now())
        request = Request(
            "POST",
            self._path,
            ROUTE,
            query=self._query,
            content=content,
            headers={"content-type": "application/json", **signed},
            timeout=TIMEOUT,
        )
        try:
            self._transport.send(request)
        except ConnectorError as problem:
            after = problem.after if isinstance(problem, RetryLater) else None
            told = UNAUTHORIZED if problem.code == "unauthorized" else str(problem)
            return Outcome(told, after, gone=isinstance(problem, Gone) and problem.status == 410)
        return Outcome()

    def test(self) -> Outcome:
        """Send an event of type `connector.test`, once and at once, whatever the endpoint's state; it is not kept."""
        notice = Notice(EventType.TEST, TicketView(None))
        now = self._now()
        told = body(notice, words=False, at=now)
        return self.send(Message(0, new_id(), str(notice.type), told, 0, now))

    def keep(self, connection: sa.Connection, outcomes: Mapping[Message, Outcome]) -> Sent:
        """Store what became of these tries, for the messages and for the endpoint."""
        now = self._now()
        taken = [message.id for message, one in outcomes.items() if not one.cause]
        failed = {message: one for message, one in outcomes.items() if one.cause}
        if taken:
            outbox.delivered(connection, taken, now)
        self._judge(connection, len(taken), list(failed.values()), now)
        for message, one in failed.items():
            due = now + _backoff(message.attempts)
            outbox.postpone(connection, message.id, cause=one.cause, due_at=due)
        given_up = self.give_up(connection) if failed else 0
        counted = {"taken": len(taken), "not_taken": len(failed), "given_up": given_up}
        amounts = {("events_sent", f"{self.name}:{what}"): count for what, count in counted.items() if count}
        counters.add(connection, amounts)
        return Sent(len(taken), len(failed), given_up, *(one.cause for one in list(failed.values())[-1:]))

    def give_up(self, connection: sa.Connection) -> int:
        """Do not try any more what is too old; what was never tried only where nothing has gone through since."""
        now = self._now()
        before, row = now - GIVE_UP, outbox.endpoint(connection, self.name)
        since = min((one for one in (row.failing_since, row.off_at) if one), default=now)
        return outbox.give_up(connection, self.name, before=before, now=now, untried=since < before)

    def _next(self, connection: sa.Connection) -> list[Message]:
        """What to send now: one message alone where the last one failed, to see whether it goes again."""
        now, row = self._now(), outbox.endpoint(connection, self.name)
        if row.off_at or (row.closed_until and row.closed_until > now):
            return []
        return outbox.due(connection, self.name, now, 1 if row.failures else AHEAD)

    def _send_all(self, messages: Sequence[Message]) -> dict[Message, Outcome]:
        if len(messages) == 1:
            return {messages[0]: self.send(messages[0])}
        with ThreadPoolExecutor(min(AT_ONCE, len(messages))) as pool:
            return dict(zip(messages, pool.map(self.send, messages), strict=True))

    def _judge(self, connection: sa.Connection, taken: int, failed: Sequence[Outcome], now: datetime) -> None:
        """What these tries say of the endpoint itself: that it is well, wants to be left alone, is away, or gone."""
        row = outbox.endpoint(connection, self.name)
        if any(one.gone for one in failed):
            outbox.turn_off(connection, self.name, why=GONE, now=now)
        if taken:
            outbox.answered(connection, self.name, now, was_closed=bool(row.closed_until))
        if not failed:
            return
        failures = len(failed) + (0 if taken else row.failures)
        asked = [one.after for one in failed if one.after is not None]
        closed = None
        if asked:
            closed = now + timedelta(seconds=min(max(asked), LONGEST_WAIT))
        elif failures >= STRIKES and not taken:
            closed = now + _backoff(failures - STRIKES)
        cause = failed[-1].cause
        outbox.failing(connection, self.name, now, failures=failures, cause=cause, closed_until=closed)


def _sorted(response: Response) -> ConnectorError | None:
    """Every answer that is no success means "again later", except 410."""
    told = f"the listener answered {response.status}"
    if response.status == 410:
        return Gone(told, status=410)
    wait = retry_after(response) if response.status in (429, 503) else None
    code = f"http_{response.status}"
    return RetryLater(told, code=code, scope="record", after=wait, system=response.system)


def _backoff(tries: int) -> timedelta:
    """From half a second, doubling to ten minutes, with jitter."""
    shortest = min(LONGEST_REPEAT / 2, FIRST_REPEAT / 2 * 2 ** min(tries, 20))
    return timedelta(seconds=shortest * random.uniform(1.0, 2.0))  # noqa: S311 - jitter, not a secret
