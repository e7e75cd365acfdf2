"""What a mapping file may say. Every key that is not here is a mistake; the docstrings become the editor's help."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from connector.domain.lifecycle import Status
from connector.domain.rules import AfterFinal, Arrival, Direction, First, OnLeave, Owner
from connector.domain.ticket import CommentKind
from connector.mapping.forms import (
    LARGEST_TABLE,
    STOP,
    Also,
    Formula,
    History,
    Name,
    Part,
    Steps,
    Table,
    Values,
    Word,
)
from connector.mapping.grammar import Grammar


class Clause(Part):
    """One condition on a ticket. All conditions must hold."""

    field: Name
    """The Next Cap field that is looked at."""
    in_: tuple[Word, ...] = Field(default=(), alias="in", max_length=LARGEST_TABLE)
    """The ticket is carried where the field holds one of these words."""
    not_in: tuple[Word, ...] = Field(default=(), max_length=LARGEST_TABLE)
    """The ticket is not carried where the field holds one of these words."""
    empty: bool | None = None
    """Whether the field must be empty (`true`) or filled (`false`)."""


class Carry(Part):
    """Which Next Cap tickets this connection carries."""

    when: tuple[Clause, ...] = Field(default=(), max_length=50)
    """Conditions; all of them must hold."""
    filter: Formula | None = None
    """A JMESPath expression over the Next Cap ticket; the ticket is carried where it gives something."""
    on_leave: OnLeave = OnLeave.FREEZE
    """What becomes of a link whose ticket is no longer carried."""


class Find(Part):
    """One way to find the CRM record of a ticket before a new one is made."""

    crm: Name
    """The CRM field that is searched."""
    nextcap: Name
    """The Next Cap field whose value it must equal."""


class Ask(Part):
    """What a CRM value asks of Next Cap, which may depend on the ticket's present status."""

    to: Status
    """The status it asks for."""
    when: dict[Status, Status] = Field(default_factory=dict)
    """Present status → the status it asks for then."""


def _ask(value: object) -> object:
    return {"to": value} if isinstance(value, str) else value


AskOrStatus = Annotated[Ask, BeforeValidator(_ask), Also({"enum": [status.value for status in Status]})]


class Walk(Part):
    """How Next Cap's status may be moved where one step is not enough."""

    forbid: tuple[Status, ...] = ()
    """Statuses that must not be passed through on the way."""
    max_hops: int = Field(default=3, ge=1, le=7)
    """The most moves one change may take."""


class StatusBlock(Part):
    """The status table, both ways."""

    field: Name
    """The CRM field that holds the status."""
    direction: Direction = Direction.BOTH
    """Which way the status travels."""
    to_crm: dict[Status, Word] = Field(default_factory=dict)
    """For each of the eight statuses, the CRM value that is written."""
    to_nextcap: dict[Word, AskOrStatus] = Field(default_factory=dict, max_length=LARGEST_TABLE)
    """For a CRM value, the status that it asks for."""
    ignore: tuple[Word, ...] = Field(default=(), max_length=LARGEST_TABLE)
    """CRM values that change nothing in Next Cap."""
    walk: Walk = Walk()
    """How Next Cap's status may be moved where one step is not enough."""
    substitute: dict[Status, tuple[Status, ...]] = Field(default_factory=dict)
    """Statuses that stand for one that cannot be reached; the first that can be reached is taken."""
    owner: Owner = Owner.NEWEST
    """Who wins where both sides moved."""
    first: Literal[First.NEXTCAP, First.CRM, First.ASK] = First.NEXTCAP
    """Whose status is taken where two tickets that existed before are joined."""
    close_race: Literal["reopen", "ask"] = "reopen"
    """What becomes of a close in the CRM that did not know of the customer's newest reply."""
    final: tuple[Word, ...] = Field(default=(), max_length=LARGEST_TABLE)
    """CRM values with which the CRM closes a record for good: it takes no reply and no other status any more."""
    after_final: AfterFinal | None = None
    """What becomes of a reply or a reopened ticket then: a follow-up record, an internal note, or a person (park)."""

    def words(self) -> frozenset[str]:
        """The CRM values that the table names."""
        return frozenset((*self.to_crm.values(), *self.to_nextcap))


class Ways(Part):
    """A word for each direction."""

    to_crm: Word | None = None
    """The CRM value that is written."""
    to_nextcap: Word | None = None
    """The Next Cap value that is written."""


class Otherwise(Ways):
    """What is written for a value that the table does not name: a word, or `stop`."""


def _otherwise(value: object) -> object:
    return {"to_crm": STOP, "to_nextcap": STOP} if value == STOP else value


OtherwiseOrStop = Annotated[Otherwise, BeforeValidator(_otherwise), Also({"const": STOP})]


class FieldBlock(Part):
    """One field ↔ field rule."""

    nextcap: Name | None = None
    """The Next Cap field; where it is left out, the rule's own name."""
    crm: Name
    """The CRM field."""
    direction: Direction | None = None
    """Which way the field travels; both ways where it is left out and the rule can."""
    owner: Owner = Owner.NEWEST
    """Who wins where both sides changed the field."""
    first: First = First.FILL_EMPTY
    """Whose value is taken where two tickets that existed before are joined."""
    transform: Steps = ()
    """How the value is turned on its way, and back on the way back."""
    values: Table | None = None
    """Next Cap value: CRM value, read in both directions."""
    to_crm: Table | None = None
    """Next Cap value: CRM value. With `to_nextcap`, in the place of `values`."""
    to_nextcap: Table | None = None
    """CRM value: Next Cap value. With `to_crm`, in the place of `values`."""
    otherwise: OtherwiseOrStop | None = None
    """What is written for a value that the table (or the staff list) does not name; `stop` writes nothing and asks."""
    empty: Ways | None = None
    """What is written where the other side is empty."""
    template: Formula | None = None
    """A text with Next Cap fields in braces, written to the CRM."""
    expression: Formula | None = None
    """A JMESPath expression over the Next Cap ticket, written to the CRM."""
    person: Literal["email"] | None = None
    """The field names a member of staff, who is the one with the same e-mail address on the other side."""
    department: bool = False
    """The field names a department: its id in Next Cap, its name in the CRM."""
    only_on_create: bool = False
    """Written when the record is made and never again."""
    required_on: tuple[Word, ...] = Field(default=(), max_length=100)
    """CRM statuses that are not set while this field would be empty."""
    class_: Literal["public", "personal"] = Field(default="public", alias="class")
    """`personal` hides the values on the desk and in reasons."""

    @property
    def is_derived(self) -> bool:
        """Whether the value is computed, so that nothing can be written back."""
        return self.template is not None or self.expression is not None


Kinds = Annotated[tuple[CommentKind, ...], Field(max_length=3)]


def _marker(word: str) -> str:
    """A marker that is no word of any language: a note that happens to begin with one must stay a note."""
    if all(letter.isalnum() or letter.isspace() for letter in word):
        raise PydanticCustomError("marker", "a marker needs a sign that no sentence begins with, such as '#reply'")
    return word


Marker = Annotated[str, StringConstraints(min_length=2, max_length=40), AfterValidator(_marker)]


class Comments(Part):
    """Which entries of the conversation cross, and as what. A note always stays a note."""

    to_crm: Kinds = tuple(CommentKind)
    """What is mirrored in the CRM."""
    to_nextcap: Kinds = (CommentKind.REPLY, CommentKind.NOTE)
    """What is mirrored in Next Cap."""
    reply_markers: tuple[Marker, ...] = Field(default=(), max_length=10)
    """How an agent begins a CRM note that is meant for the customer."""
    history: History = None
    """How much of an older conversation a new link mirrors."""
    forms: dict[Name, Arrival] = Field(default_factory=dict, max_length=10)
    """What else than comments is read in the CRM: `as_is`, or `note` to keep it internal in Next Cap."""
    written_as: dict[CommentKind, Name] = Field(default_factory=dict)
    """In which of the CRM's forms a kind of entry is written; left out: as a comment."""


class ExamplePerson(Part):
    """Somebody whom an example needs."""

    email: Name
    nextcap: Word | None = None
    """Their id in Next Cap."""
    crm: Word | None = None
    """Their id in the CRM."""


class Before(Part):
    """What the two sides said before."""

    nextcap: Values = Field(default_factory=dict)
    crm: Values = Field(default_factory=dict)


class Given(Part):
    """The situation of an example, in each side's own words."""

    nextcap: Values | None = None
    """What Next Cap says now."""
    crm: Values | None = None
    """What the CRM says now."""
    was: Before | None = None
    """What they said before, where it differs; without it, the two meet for the first time."""
    newer: Literal["nextcap", "crm"] | None = None
    """Whose change is the newer, where both changed."""
    unseen_reply: bool = False
    """Whether the customer wrote something that the CRM has not been shown."""
    people: tuple[ExamplePerson, ...] = Field(default=(), max_length=20)
    """Members of staff that both sides know."""
    departments: dict[Word, Word] = Field(default_factory=dict, max_length=20)
    """Department name: its id in Next Cap."""


class Expect(Part):
    """What must come of it. What is not named must not happen."""

    to_crm: Values = Field(default_factory=dict)
    """Exactly what is written in the CRM."""
    to_nextcap: Values = Field(default_factory=dict)
    """Exactly what is written in Next Cap, the status apart."""
    walk: tuple[Status, ...] = ()
    """The status moves made in Next Cap, in order."""
    parked: tuple[Name, ...] = ()
    """The rules whose field waits for a person."""
    carried: bool | None = None
    """Whether the ticket is carried at all. Left out, the example is of a ticket that is, whatever the filter says."""
    after_final: Literal["follow_up", "note"] | None = None
    """What becomes of it where the record is closed for good: a follow-up is made, or an internal note written."""


def _expect(value: object) -> object:
    return {} if value == "nothing" else value


ExpectOrNothing = Annotated[Expect, BeforeValidator(_expect), Also({"const": "nothing"})]


class Example(Part):
    """A situation and what must come of it; it is run whenever the file is checked."""

    name: Name
    given: Given
    expect: ExpectOrNothing


class MappingFile(Part):
    """What Next Cap and one CRM tell each other about a ticket."""

    crm: Name
    """The kind of CRM."""
    carry: Carry = Carry()
    """Which Next Cap tickets this connection carries."""
    create: Literal["to_crm", "both"] = "to_crm"
    """Whether tickets are only made in the CRM, or also in Next Cap for records that people make in the CRM."""
    target: Word | None = None
    """The kind of record that stands for a ticket, where the CRM offers several (Capsule: projects, opportunities)."""
    pipeline: Word | None = None
    """The pipeline (the board) of the records, by label; where it is left out, the CRM's default one."""
    find: tuple[Find, ...] = Field(default=(), max_length=10)
    """How to find an existing record before a new one is made; the first way that finds one counts."""
    status: StatusBlock
    """The status table, both ways."""
    fields: dict[Name, FieldBlock] = Field(default_factory=dict, max_length=300)
    """The other fields, by a name of your choice."""
    constants: dict[Name, Word] = Field(default_factory=dict, max_length=100)
    """CRM field: value, written once when a record is made."""
    departments: dict[Word, Word] = Field(default_factory=dict, max_length=LARGEST_TABLE)
    """Department name: its id in Next Cap, for departments that the connector does not learn by itself."""
    requester: bool = True
    """Whether the customer is found or made as a contact and joined to the record."""
    comments: Comments = Comments()
    """Which entries of the conversation cross."""
    on_delete: Literal["keep", "close"] = "keep"
    """What becomes of the Next Cap ticket when its CRM record is deleted."""
    adapter: Grammar | None = None
    """How the CRM is spoken to, for `crm: custom` alone."""
    examples: tuple[Example, ...] = Field(default=(), max_length=200)
    """Situations and what must come of them."""
