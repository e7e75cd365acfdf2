"""What the contract's promises need of a vendor: an adapter, its imitation, and what people do there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

from connector.adapters.base import Adapter, Change, ChangeKind, Delivery, NewComment, Sweep, Written
from connector.adapters.transport import NoAnswer, Request, Response, Wire
from connector.adapters.wires import HttpxWire
from connector.domain.text import fingerprint
from connector.domain.ticket import Comment, CommentKind, Record, Value
from connector.sandbox.kernel import Imitation

GREETING = "Grüße aus 東京 👋 — “quoted” <b>not bold</b> & more"

MOST_PARTS = 50


class ClosableWire(Wire, Protocol):
    """What carries bytes, and can be let go of."""

    def close(self) -> None:
        """Let go of what is held."""


class RecordingWire:
    """A wire that remembers where it was sent; pooled httpx unless another is given."""

    def __init__(self, wire: ClosableWire | None = None) -> None:
        self.wire: ClosableWire = wire or HttpxWire()
        self.urls: list[str] = []
        self.is_slow = False
        """Whether every answer comes too late from now on."""

    def send(self, request: Request, *, url: str, headers: Mapping[str, str], timeout: float) -> Response:
        self.urls.append(url)
        answer = self.wire.send(request, url=url, headers=headers, timeout=timeout)
        if self.is_slow:
            raise NoAnswer(f"none within {timeout:g} s")
        return answer


class Arena(ABC):
    """An adapter joined to an imitation of its vendor, and what people do there."""

    @abstractmethod
    def __init__(self, imitation: Any) -> None:
        """Join a new adapter to an imitation that `imitate` made and that remembers nothing."""

    imitate: ClassVar[Callable[[], Imitation]]
    """Makes the imitation, which is started once and reset before each promise."""
    files: ClassVar[Sequence[Path]] = ()
    """What must be there beside the package, if anything."""
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
    comment_call: Mapping[str, str] = {"method": "POST", "path": "note"}
    """Which calls add a comment, as a fault names them."""
    create_call: Mapping[str, str] = {"method": "POST", "path": "tickets"}
    """Which calls make a ticket."""

    @abstractmethod
    def new_ticket(self) -> str:
        """A ticket that people made; its id."""

    def set_up(self) -> None:
        """What an administrator and `connector setup` do before anything is promised; its calls are not counted."""
        self.wire.urls.clear()

    def close(self) -> None:
        """Let go of what one promise held."""
        self.wire.wire.close()

    @abstractmethod
    def gone_ticket(self) -> str:
        """The id of a ticket that we cannot see, or not any more."""

    @abstractmethod
    def restore(self, ticket_id: str) -> None:
        """Undo what made that ticket one that we cannot see."""

    def merge(self, ticket_id: str, into: str) -> str:
        """Merge a ticket into another as people do; the id of what remains. Asked where `merges` is claimed."""
        raise NotImplementedError(f"`merges` is claimed: tell how people merge {ticket_id} into {into}")

    def close_for_good(self, ticket_id: str) -> None:
        """Make a ticket one that takes no change any more. Asked where `follow_ups` is claimed."""
        raise NotImplementedError(f"`follow_ups` is claimed: tell how {ticket_id} is closed for good")

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

    def forged(self, delivery: Delivery) -> Delivery:
        """The delivery, changed by somebody who does not know the secret; its address, where that is the secret."""
        return replace(delivery, body=delivery.body + b" ")

    def bare(self, delivery: Delivery) -> Delivery:
        """The delivery without what vouches for it."""
        return replace(
            delivery, headers={name: one for name, one in delivery.headers.items() if "signature" not in name}
        )

    # -- for all arenas alike

    def swept(self, since: datetime, fields: Sequence[str] | None = None) -> list[Sweep]:
        """All parts of one sweep."""
        parts = [self.adapter.changes(since, self.fields if fields is None else fields)]
        while parts[-1].after:
            assert len(parts) < MOST_PARTS, "the sweep does not end"
            parts.append(self.adapter.changes(since, self.fields if fields is None else fields, parts[-1].after))
        return parts

    def now(self) -> datetime:
        return self.imitation.now()

    def fault(self, kind: str, **rule: object) -> None:
        """What happens to coming calls."""
        self.imitation.faults.add(kind, **rule)

    def has(self, ticket_id: str) -> bool:
        """Whether a read shows the ticket."""
        return ticket_id in self.adapter.read([ticket_id], self.fields)

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
