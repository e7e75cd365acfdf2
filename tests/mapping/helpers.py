"""Small mapping files and accounts for the tests. `«` in a text marks the place where a mistake is expected."""

from __future__ import annotations

from connector.domain.rules import Directories, TicketMapping
from connector.domain.schema import FieldSchema, Option, Schema
from connector.domain.ticket import Record, Value
from connector.mapping.compile import bind
from connector.mapping.load import Document, parse

FILE = "mappings/test.yaml"
MARK = "«"
STATUS = """\
status:
  field: stage
  to_crm: {new: New, open: Us, in_progress: Us, waiting_internal: Us, reopened: Us, waiting_customer: Contact,
           resolved: Closed, closed: Closed}
  to_nextcap:
    New: new
    Us: {to: open, when: {resolved: reopened, closed: reopened}}
    Contact: waiting_customer
    Closed: resolved
  substitute: {new: [open]}
"""
NOBODY = Directories()


def text_of(blocks: str = "", *, status: str = STATUS) -> str:
    """A whole mapping file around some blocks."""
    return f"crm: acme\n{status}{blocks}"


def document(blocks: str = "", *, status: str = STATUS) -> Document:
    return parse(text_of(blocks, status=status), name=FILE)


def mapping(blocks: str = "", *, schema: Schema | None = None, status: str = STATUS) -> TicketMapping:
    return bind(document(blocks, status=status), schema)


def marked(text: str) -> tuple[str, int, int]:
    """The text without its mark, and the line and column that it marked."""
    before, _, after = text.partition(MARK)
    return before + after, before.count("\n") + 1, len(before) - before.rfind("\n")


def options(*labels: str, group: str = "") -> tuple[Option, ...]:
    """Options whose native values are the labels in capitals."""
    return tuple(Option(label.upper().replace(" ", "_"), label, group) for label in labels)


def schema(*fields: FieldSchema) -> Schema:
    """An account with the stages of `STATUS` and some more fields."""
    stages = FieldSchema("stage", "Stage", options=options("New", "Us", "Contact", "Closed"))
    return Schema((stages, *fields))


def ticket(**fields: Value) -> Record:
    """A Next Cap ticket; `__` in a name is a dot."""
    return Record("t-1", {name.replace("__", "."): value for name, value in fields.items()})
