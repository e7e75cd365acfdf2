"""The canonical model: what a ticket, a comment and a person are, whichever system told us.

A *record* is one side as read, in that side's own values and normal form. The canonical ticket is the
Next Cap record; a mapping translates between its values and a CRM's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from math import isfinite
from typing import TypeAlias

from connector.domain.text import fingerprint, plain

Scalar: TypeAlias = str | int | float | bool | None
Value: TypeAlias = Scalar | tuple[str, ...]
"""A native value in normal form: empty text and empty sets are None, sets are sorted tuples of text."""


class Missing(Enum):
    """The reading said nothing of this field, which is not the same as an empty one. No text: a value may be any."""

    VALUE = "missing"


MISSING = Missing.VALUE


class Side(StrEnum):
    """The two ends of a link."""

    NEXTCAP = "nextcap"
    CRM = "crm"

    @property
    def other(self) -> Side:
        """The side at the other end."""
        return Side.CRM if self is Side.NEXTCAP else Side.NEXTCAP


class CommentKind(StrEnum):
    """What a timeline entry is. Anything whose visibility is not certain is a note (fail closed)."""

    REPLY = "reply"
    CUSTOMER_REPLY = "customer_reply"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be assigned, as one system knows them. `email` is lower-cased."""

    id: str
    email: str | None
    name: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True)
class Requester:
    """The customer of a ticket. Any part may be missing; `email` is lower-cased and trimmed."""

    email: str | None = None
    name: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file named by a comment or ticket; fetched by id when it is needed, never by a stored address."""

    id: str
    name: str
    content_type: str = "application/octet-stream"
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Comment:
    """One timeline entry as its system shows it. `html` is untrusted; `text` is its plain reading.

    `form` is empty for the system's usual comments, and otherwise names what else it is (an e-mail, a post).
    `reference` is the key that we gave it, where the system keeps such apart from the words.
    """

    id: str
    kind: CommentKind
    text: str
    created_at: datetime
    author_id: str | None = None
    author_name: str = ""
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    form: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One side of a link as read.

    `fields` are native values in normal form, keyed by native name (`custom_fields.plan` for a nested one);
    a field the reading did not mention is absent. `version` orders readings of the same record among
    themselves (the vendor's own modification time), and is never compared across vendors.
    """

    id: str
    fields: Mapping[str, Value]
    version: datetime | None = None
    number: str = ""
    requester: Requester = field(default_factory=Requester)

    def get(self, name: str) -> Value | Missing:
        """A native value; `MISSING` where the reading did not mention it.

        A reading that names an object (`custom_fields`) has said of every key in it that it is not there.
        """
        if name in self.fields:
            return self.fields[name]
        parent, dot, _ = name.partition(".")
        return None if dot and parent in self.fields else MISSING

    def mentions(self, name: str) -> bool:
        """Whether the reading said anything of this field or, for an object's name, of anything in it."""
        return self.get(name) is not MISSING or any(field.startswith(f"{name}.") for field in self.fields)


def normal(value: object) -> Value:
    """The normal form of a native value. Idempotent: `normal(normal(x)) == normal(x)`, whatever x is."""
    if type(value) is str and value.isascii() and "\r" not in value and "\0" not in value:
        return value or None  # By far the most are such; the way below would lead to the same.
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and isfinite(value)):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted({storable(str(item)) for item in value if item is not None} - {""})
        return tuple(items) or None
    return storable(str(value)).replace("\r\n", "\n").replace("\r", "\n") or None


LONG = 200
"""From this length on, a text that is the beginning of another may be that other one, cut short."""


def is_form_of(shown: Value, written: Value) -> bool:
    """Whether `shown` is what was written, changed only as systems do: in mark-up, spaces, case or order, or cut short.

    Anything else is another value, which somebody or something there has set meanwhile.
    """
    if shown == written:
        return True
    if isinstance(shown, tuple) and isinstance(written, tuple):
        return {_bare(one) for one in shown} == {_bare(one) for one in written}
    if not (isinstance(shown, str) and isinstance(written, str) and any(map(str.isalpha, written))):
        return False
    one, two = fingerprint(plain(shown)), fingerprint(plain(written))
    return one == two or (len(shown) >= LONG and two.startswith(one))


def _bare(label: str) -> str:
    """A label without what systems change in it: its case, and what separates its words."""
    return fingerprint(label).replace("_", "")


def storable(text: str) -> str:
    """Text that every store and system can hold: without NUL, half a surrogate pair replaced. Idempotent."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", "")
