"""The `adapter:` block: how a REST CRM without an adapter of its own is spoken to, declared instead of programmed.

A *path* may hold placeholders in braces (`/tickets/{id}`); a *place* is a JMESPath expression over an answer's JSON; a
*shape* is JSON written in YAML whose texts may hold placeholders, and where a text is one placeholder alone its value
stands there whole. What is not declared is a missing capability. No secret belongs here: those are configured.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from connector.mapping.forms import Name, Part, Word
from connector.mapping.places import Header, Headers, Path, Place, Said, Shape, slots

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Auth(Part):
    """How the connector proves who it is. Its secrets stand in the configuration, never here."""

    kind: Literal["bearer", "header", "basic", "client_credentials", "refresh_token"] = "bearer"
    """bearer and header: `access_token`; basic: `username` + `password`; the others: an OAuth app's keys."""
    header: Header = "X-Api-Key"
    """The header that holds the key, for `header`."""
    token_path: Path = "/oauth/token"  # noqa: S105 - an address
    """Where OAuth tokens are given, from the root of the CRM's host: a path in `api_url` is not put before it."""
    scope: str = ""


class Limits(Part):
    """How often the CRM may be called, and how its answers tell."""

    calls: int = Field(default=60, ge=1)
    """So many calls are taken in any `seconds`."""
    seconds: float = Field(default=60.0, gt=0)
    """The length of the window."""
    limit: Header | None = None
    """The answer's header with the limit; `remaining`: with the calls that are left."""
    remaining: Header | None = None
    reset: Header | None = None
    """The answer's header with the window's end."""
    reset_is: Literal["seconds", "epoch"] = "seconds"
    """Whether `reset` counts seconds from now, or is a Unix time."""


class Paging(Part):
    """How a list goes on. A next page is only ever asked of the same host."""

    kind: Literal["cursor", "page", "offset", "link", "next_url"]
    """What leads to the next page."""
    next: Place | None = None
    """Where the answer holds the cursor (`cursor`) or the next page's address (`next_url`)."""
    param: Name = "cursor"
    """The query parameter of the cursor, the page's number or the offset."""
    size: int = Field(default=100, ge=1, le=1000)
    """How many entries a page has."""
    size_param: Name | None = None
    """The query parameter with that size."""
    first: int = Field(default=1, ge=0, le=1)
    """The number of the first page."""

    @model_validator(mode="after")
    def _complete(self) -> Paging:
        if self.kind in ("cursor", "next_url") and self.next is None:
            raise PydanticCustomError("paging", f"paging of the kind '{self.kind}' needs the key 'next'")
        return self


class Call(Part):
    """One call."""

    path: Path
    """The path below `api_url`, with placeholders."""
    method: Method = "GET"
    query: dict[Name, Word] = Field(default_factory=dict, max_length=30)
    """Query parameters, with placeholders."""
    headers: Headers = Field(default_factory=dict, max_length=20)
    """Further headers, with placeholders."""
    body: Shape | None = None
    """The JSON that is sent."""

    @property
    def parts(self) -> list[Any]:
        """Everything that may hold placeholders."""
        return [self.path, dict(self.query), dict(self.headers), self.body]


class ListCall(Call):
    """A call that answers a list."""

    items: Place = "@"
    """Where the list is in the answer."""
    paging: Paging | None = None
    """How the list goes on; without it, it is one page."""


class Record(Part):
    """Where things are in a ticket of the CRM."""

    id: Place = "id"
    """The ticket's id."""
    version: Place = "updated_at"
    """When it was last changed: ISO 8601, or Unix seconds or milliseconds."""
    values: Place = "@"
    """The object that holds the fields."""
    external_id: Name | None = None
    """The field that holds the Next Cap ticket's id."""
    number: Place | None = None
    """The number that people use."""
    requester_email: Place | None = None
    """The customer's e-mail address."""
    requester_name: Place | None = None
    """The customer's name."""
    requester_phone: Place | None = None
    """The customer's telephone number."""
    is_deleted: Place | None = None
    """True where the ticket is shown although it was deleted."""
    merged_into: Place | None = None
    """The id of the ticket that this one was merged into."""


class Read(Call):
    """Reading tickets: one by `{id}`, or several by `{ids}`."""

    item: Place = "@"
    """Where one ticket is in the answer (with `{id}`)."""
    items: Place = "@"
    """Where the tickets are in the answer (with `{ids}`)."""
    batch: int = Field(default=1, ge=1, le=200)
    """How many ids one call takes (with `{ids}`)."""


class Write(Call):
    """A call that writes one ticket."""

    item: Place | None = None
    """Where the answer shows the ticket; left out where it does not."""


class Create(Write):
    """Making a ticket. It must be repeatable (`is_repeatable`), or `find` must find what it made."""

    method: Method = "POST"
    is_repeatable: bool = False
    """Whether the CRM makes no second ticket for the same `{external_id}`: by an upsert or an idempotency header."""
    id: Place | None = None
    """Where the answer shows the new id, where it shows no ticket."""


class Update(Write):
    """Changing a ticket."""

    method: Method = "PATCH"


class UpdateMany(Call):
    """Changing several tickets in one call."""

    method: Method = "POST"
    each: Shape
    """One change, with `{id}` and `{values}`; all of them together are `{changes}` in `body`."""
    items: Place = "@"
    """Where the outcomes are in the answer, one for each change."""
    id: Place = "id"
    """The ticket's id in an outcome."""
    item: Place | None = None
    """Where an outcome shows the ticket."""
    status: Place | None = None
    """Where an outcome holds its HTTP status; one of 400 or more is judged by the error rules."""
    error: Place | None = None
    """Where an outcome holds its error."""
    batch: int = Field(default=50, ge=2, le=200)
    """How many changes one call takes."""


class Changes(ListCall):
    """The list of tickets changed since `{since}`."""

    lag: float = Field(default=60.0, ge=0)
    """Seconds by which a change may come late in this list."""
    time: Literal["iso", "epoch", "epoch_ms"] = "iso"
    """How `{since}` is written."""


class Deleted(ListCall):
    """The list of tickets deleted since `{since}`."""

    id: Place = "id"
    """The ticket's id in an entry."""


class Visibility(Part):
    """A CRM's own words for who can see a comment: `{public: customer, note: staff}`, or for the parts of two paths."""

    public: Said
    """What is sent of a reply, which the customer sees."""
    note: Said
    """What is sent of everything else."""


class AddComment(Call):
    """Adding a comment."""

    method: Method = "POST"
    id: Place = "id"
    """Where the answer shows the new comment's id."""
    visibility: Visibility | None = None
    """What `{visibility}` becomes, where the CRM wants something else than true or false as `{is_public}`."""

    @property
    def tells_visibility(self) -> bool:
        """Whether the call says who can see the comment."""
        used = slots(self.parts)
        return "is_public" in used or ("visibility" in used and self.visibility is not None)


class Comments(Part):
    """A ticket's conversation. A comment that is not certainly public is a note."""

    list: ListCall
    """The comments of the ticket `{id}`."""
    add: AddComment | None = None
    """Adding one: `{text}` or `{html}`, `{is_public}` or `{visibility}`, `{author}`, `{key}`. Left out: only read."""
    id: Place = "id"
    text: Place = "text"
    """What was said."""
    text_is: Literal["text", "html"] = "text"
    """Whether `text` is mark-up."""
    created_at: Place = "created_at"
    reference: Place | None = None
    """The field in which `add` leaves `{key}`: our comments are known by it, and show no line with a reference."""
    is_public: Place | None = None
    """True where the customer can see the comment. Left out: the CRM shows no comment to customers."""
    is_from_customer: Place | None = None
    """True where the customer wrote it."""
    author_id: Place | None = None
    author_name: Place | None = None
    longest: int = Field(default=30_000, ge=200)
    """How many characters a comment may have; the rest stays in Next Cap."""
    files: Place | None = None
    """The list of a comment's files; they are named in the text that crosses."""
    file_id: Place = "id"
    file_name: Place = "name"

    @property
    def shows_customers(self) -> bool:
        """Whether a comment can be made that the customer sees, and told from one that they do not."""
        return self.is_public is not None and self.add is not None and self.add.tells_visibility


class People(ListCall):
    """Everybody to whom a ticket can be assigned."""

    id: Place = "id"
    email: Place = "email"
    name: Place = "name"
    is_active: Place | None = None
    """True for those who can be assigned; left out: everybody."""


class FieldDeclaration(Part):
    """One field of a ticket."""

    label: str = ""
    type: Literal["text", "number", "boolean"] = "text"
    """How its value is written in JSON."""
    options: dict[Word, Word] = Field(default_factory=dict, max_length=1000)
    """All values that it can hold: value, and the label that people see."""
    multiple: bool = False
    """Whether it holds a list."""
    writable: bool = True
    required: bool = False
    place: Place | None = None
    """Where its value is in the object of the fields; left out: under the field's own name."""
    write_as: Name | None = None
    """The key under which it is written, with dots for objects in objects; left out: the field's own name."""


class Webhook(Part):
    """What the CRM sends, and how it is known to be genuine. Secrets: `webhook_secrets` in the configuration."""

    kind: Literal["standard", "hmac", "token"]
    """`standard`: Standard Webhooks; `hmac`: a signature of your description; `token`: a secret in the address."""
    signature: Header = "X-Signature"
    """The header with the signature (`hmac`)."""
    algorithm: Literal["sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = Field(default="", max_length=20)
    """What stands before the signature in its header, like `sha256=`."""
    timestamp: Header | None = None
    """The header with the time of sending; it is signed: time, a dot, the body."""
    tolerance: int = Field(default=300, ge=10, le=3600)
    """The greatest age of a delivery whose time is signed, in seconds."""
    events: Place = "@"
    """Where the event, or the list of events, is in the body."""
    id: Place | None = None
    """The event's own id, by which a repeat is known."""
    name: Place = "type"
    """The event's name, which `kinds` explains."""
    ticket_id: Place = "ticket_id"
    """The ticket that the event is about."""
    comment_id: Place | None = None
    survivor: Place | None = None
    """The ticket that a merged one went into."""
    at: Place | None = None
    """When it happened."""
    kinds: dict[Word, Literal["ticket", "comment", "deleted", "restored", "merged"]] = Field(min_length=1)
    """Event name: what it asks to be looked at. Other events change nothing."""


class ErrorRule(Part):
    """What an answer of 400 or more means. The first rule that fits counts."""

    status: tuple[int, ...] = ()
    """HTTP statuses; left out: any."""
    when: Place | None = None
    """A condition on the error's JSON."""
    then: Literal["wait", "limit", "refuse", "gone", "conflict"]
    """wait: try this ticket later; limit: nobody calls for a while; conflict: read the ticket again and decide anew."""
    after: Place | None = None
    """Where the answer says for how many seconds to wait; without it, the header Retry-After."""
    field: Place | None = None
    """Where the answer names the field that it refuses."""
    message: Place | None = None
    """Where the answer says why."""


class Grammar(Part):
    """How a REST CRM is spoken to."""

    auth: Auth = Auth()
    limits: Limits = Limits()
    record: Record = Record()
    read: Read
    find: ListCall | None = None
    """The tickets whose field `{field}` equals `{value}`."""
    create: Create | None = None
    """Left out: no ticket is made in this CRM."""
    update: Update
    update_many: UpdateMany | None = None
    changes: Changes | None = None
    """Left out: what no webhook told of is found by a slow rotation only."""
    deleted: Deleted | None = None
    comments: Comments | None = None
    """Left out: no conversation crosses."""
    people: People | None = None
    fields: dict[Name, FieldDeclaration] = Field(min_length=1, max_length=300)
    """The fields of a ticket that the mapping may use."""
    webhook: Webhook | None = None
    """Left out: changes are only found by asking."""
    errors: tuple[ErrorRule, ...] = Field(default=(), max_length=50)
