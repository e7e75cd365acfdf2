"""The adapter protocol: what every system must be able to do for the engine, and the values that pass between.

An adapter knows a system's grammar (addresses, signatures, envelopes, paging, error codes) and none of its
vocabulary: field names and values come from the mapping. It builds requests, sends them through the transport it is
given and returns values; it never sleeps, retries or opens a connection itself.

A capability may be missing only where the vendor lacks it. Calling a missing one raises `NotSupported`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from connector.domain.errors import BadDelivery, ConnectorError, Gone
from connector.domain.schema import Schema
from connector.domain.ticket import Attachment, Comment, CommentKind, Person, Record, Requester, Value, storable

LONGEST_NAME = 255
"""Characters that an id, an event's name or a field's name has at most."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Bytes that somebody posted to us. `headers` have lower-case names; `path` is raw, with its query if any."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor takes for "got it": sent once the delivery is committed."""

    status: int = 202
    body: bytes = b""
    content_type: str = "text/plain"


TAKEN = Answer()


def taken(delivery: Delivery) -> Answer:  # noqa: ARG001 - every delivery of such a vendor is answered alike
    """The usual answer: any 2xx will do."""
    return TAKEN


class EventKind(StrEnum):
    """What an event asks to be looked at."""

    CREATED = "created"
    TICKET = "ticket"
    COMMENT = "comment"
    DELETED = "deleted"
    RESTORED = "restored"
    MERGED = "merged"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Event:
    """What a delivery says: look at this record.

    CREATED says nothing of a record that is known already; TICKET without a `field` says that it may have changed.
    `name` is the vendor's own event name. `subject` is the id of the record looked at: a ticket id for TICKET,
    a comment's id for COMMENT when the event does not name the ticket (then `ticket_id` is None). `key` identifies
    the event among duplicates. `field` and `value` are set where the event names one property and its new value;
    `record` where it carries the whole ticket; `survivor` for a merge. `moment` is the vendor's time of the change.
    Raises BadDelivery for a name or an id that no vendor gives and no store holds: too long, NUL, half a character.
    """

    name: str
    kind: EventKind
    subject: str
    key: str
    ticket_id: str | None = None
    field: str | None = None
    value: Value = None
    has_value: bool = False
    record: Record | None = None
    survivor: str | None = None
    moment: datetime | None = None
    version: datetime | None = None
    """TICKET, with a `field`: the record's version as it was told, where writes are checked against versions."""

    def __post_init__(self) -> None:
        for told in (self.name, self.subject, self.ticket_id, self.field, self.survivor):
            if told and (len(told) > LONGEST_NAME or storable(told) != told):
                raise BadDelivery("an event has a name or an id that no record can have", code="bad_id")


class ChangeKind(StrEnum):
    """What a write does."""

    CREATE = "create"
    UPDATE = "update"
    MOVE = "move"
    ASSIGN = "assign"
    TRANSFER = "transfer"


@dataclass(frozen=True, slots=True)
class Change:
    """One write to one record, in native values. `key` names the effect and is unique among all writes.

    CREATE: `external_id` is the other side's id, by which the vendor recognises a repeated create; `requester` is
    joined as the record's contact. UPDATE: `record_id` and `values`. MOVE (Next Cap): one legal status step in
    `values["status"]`. ASSIGN, TRANSFER (Next Cap): `values["assigned_agent_id"]`, `values["department_id"]`.
    """

    kind: ChangeKind
    key: str
    values: Mapping[str, Value]
    record_id: str | None = None
    external_id: str | None = None
    requester: Requester = field(default_factory=Requester)
    metadata: Mapping[str, str] = field(default_factory=dict)
    version: datetime | None = None
    """UPDATE: the version of the reading that it was decided on, where known, for vendors that refuse a stale one."""
    repeated: bool = False
    """CREATE: it was sent before, perhaps long ago, and nobody knows what became of it. If its record is there, it is
    left as it is: people may have changed it since.
    """
    follows: str = ""
    """CREATE: the record that was closed for good and that this one follows; only where `Capabilities.follow_ups`."""

    @property
    def target(self) -> str:
        """What all changes of one record have in common."""
        return f"id {self.record_id}" if self.record_id else f"ours {self.external_id}"


@dataclass(frozen=True, slots=True)
class NewComment:
    """One comment to add. `key` names the effect; adapters leave it in the entry where the vendor has room for it.

    `kind` NOTE is internal, always. `author` and `created_at` tell people who wrote it and when, as the entry
    itself is authored by our own account. `form` names what it is written as, where that is not the usual comment.
    """

    key: str
    ticket_id: str
    kind: CommentKind
    text: str
    author: str = ""
    created_at: datetime | None = None
    html: str | None = None
    ticket_number: str = ""
    attachments: tuple[Attachment, ...] = ()
    form: str = ""

    @property
    def target(self) -> str:
        """What all comments of one record have in common."""
        return self.ticket_id


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of one write: the record or entry id and what the target shows now, or the error.

    `record` holds at least the written fields in normal form where the vendor answered with them. `created` is
    False where an upsert met an existing record.
    """

    key: str
    id: str = ""
    record: Record | None = None
    created: bool = True
    error: ConnectorError | None = None
    warnings: tuple[str, ...] = ()
    """What went less well beside the write (a contact that could not be joined), for the journal."""


@dataclass(frozen=True, slots=True)
class Commented:
    """A ticket with a comment that was made or changed; `comment_id` is empty where the list does not say which."""

    ticket_id: str
    comment_id: str = ""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One part of a look at what changed: one page of the vendor's list, or a few.

    `records` hold of the asked fields what the list shows. That may be late, as a search index is: the engine takes it
    as a hint and reads by id whatever differs from what it knows. `commented` are tickets whose comments may have
    changed, `gone` ids of records that were deleted; both only where the vendor lists such things. `after` is to be
    given to `changes` for the next part, and is empty after the last.
    """

    records: Sequence[Record] = ()
    commented: Sequence[Commented] = ()
    gone: Sequence[str] = ()
    after: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that `setup` did or would do, or that a person must do by hand."""

    what: str
    state: str
    """`ok` (already so), `done`, `would` (dry run), `manual` or `problem`."""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a system can do. `batch` is the most records one read or write call takes (1: no batches)."""

    batch: int = 1
    together: int = 0
    """How many tickets one pass takes, where several batches at once cost less than one by one; 0: a batch."""
    spacing: float = 0.0
    """Seconds between the starts of two drains of a busy connection."""
    stretch: float = 1.0
    """How many times as long the spacing becomes in a burst, so that what comes in one comes together."""
    creates: bool = True
    public_comments: bool = False
    """Whether a comment can be shown to the customer by this system itself."""
    idempotent_create: bool = True
    follow_ups: bool = False
    """Whether a record can be made that follows one closed for good. It is repeatable where creates are."""
    webhooks: bool = True
    dated_webhooks: bool = False
    """Whether a delivery vouches for its time, so that one that is posted again much later is refused."""
    batch_comments: bool = False
    lag: float = 60.0
    """Seconds by which a change may come late in `changes`, so that every sweep must go back so far again."""
    lists_comments: bool = False
    """Whether `changes` names the tickets with changed comments; where not, a slow rotation finds them."""
    merges: bool = False
    """Whether a record that was merged into another is left out by `read`, and `fate` names the survivor."""
    checks_versions: bool = False
    """Whether a write that was decided on a stale reading (`Change.version`) is turned down as a conflict."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Why each of the above that is missing is missing: what the vendor lacks, and where its documentation says so."""

    @property
    def missing(self) -> tuple[str, ...]:
        """The capabilities that are not there; `batch` where a call takes one record."""
        flags = [one.name for one in fields(self) if getattr(self, one.name) is False]
        return tuple(flags if self.batch > 1 else ["batch", *flags])


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `doctor`: what was looked at, whether it is well, and what to do if not."""

    what: str
    ok: bool
    detail: str = ""
    advice: str = ""


class Listens(Protocol):
    """What a vendor sends us."""

    def verify(self, delivery: Delivery, *, now: datetime) -> None:
        """Check the raw bytes. Raises `BadDelivery` for a wrong, missing, too old or too new signature.

        Where the vendor does not sign, our address ends with a secret: see `signing.check_path_token`.
        """

    def parse(self, delivery: Delivery) -> Sequence[Event]:
        """The events of a verified delivery. Raises `BadDelivery` when the bytes cannot be read."""

    def answer(self, delivery: Delivery) -> Answer:
        """What this vendor takes for "got it", once the delivery is kept."""

    def subscribe(self, url: str, *, dry_run: bool) -> Sequence[Step]:
        """Make the vendor send us its events, or say what a person must do. Idempotent."""


class Reads(Protocol):
    """The tickets as records."""

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Record]:
        """The records by id, with at least these native fields; ids the system no longer shows are left out."""

    def find(self, field: str, values: Sequence[str], fields: Sequence[str]) -> Mapping[str, Sequence[Record]]:
        """Records whose native field equals one of the values, by value."""

    def changes(self, since: datetime, fields: Sequence[str], after: str = "") -> Sweep:
        """One part of what was modified since then (inclusive), in any order, repeats allowed.

        A sweep begins without `after` and goes on with that of the part before and the same `since`, perhaps in another
        process and minutes later. What moves during a sweep may be left for the next one. Nothing else may be missing.
        Raises Refused where `after` is not taken any more: the sweep begins again.
        """

    def fate(self, record_id: str) -> Gone:
        """What became of a record that `read` left out: deleted, or merged into a survivor."""

    def requesters(self, ids: Sequence[str]) -> Mapping[str, Requester]:
        """The customers of these tickets, where the system keeps them apart from the record."""


class Writes(Protocol):
    """Changes to records."""

    def write(self, changes: Sequence[Change]) -> Sequence[Written]:
        """Carry out the changes, batched where the vendor can; one outcome for each, in any order."""

    def probe_create(self, change: Change, *, sent_at: datetime) -> Record | None:
        """The record that a CREATE of unknown outcome left behind, or None."""


class Talks(Protocol):
    """Tickets' conversations."""

    def comments(self, ids: Sequence[str], *, since: datetime | None = None) -> Mapping[str, Sequence[Comment]]:
        """The timelines of these records. `since` only saves cost: more may come back."""

    def add_comments(self, comments: Sequence[NewComment]) -> Sequence[Written]:
        """Add comments in the given order; behind one that did not succeed, its ticket's later ones are not tried.

        What was not tried has no outcome.
        """

    def recognise(
        self, comment: NewComment, timeline: Sequence[Comment], *, sent_at: datetime, taken: frozenset[str]
    ) -> str | None:
        """The entry of this timeline that an `add_comments` of unknown outcome made, or None. `taken` are not it."""

    def tickets_of(self, comment_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """The ticket ids that these comments belong to, for events that name only the comment."""


class Describes(Protocol):
    """The fields of the ticket record."""

    def schema(self) -> Schema:
        """The fields of the ticket record, their options, and what may be written."""

    def ensure_schema(self, *, dry_run: bool) -> Sequence[Step]:
        """Make our own fields exist. Idempotent."""


class Tells(Protocol):
    """The account around the tickets."""

    def people(self) -> Sequence[Person]:
        """Everybody who can be assigned."""

    def check(self) -> Sequence[Check]:
        """What `doctor` shows: each makes its own call."""


class Adapter(Listens, Reads, Writes, Talks, Describes, Tells, Protocol):
    """One system. Every call may raise the errors of `domain/errors.py`; batches report per item instead."""

    name: str

    @property
    def capabilities(self) -> Capabilities:
        """What the system can do, now: it may depend on the mapping in force."""

    @property
    def external_id(self) -> str:
        """The native field that holds the other side's ticket id; empty where there is none."""


Json = Any
"""Raw JSON, where it enters and nowhere after."""
