"""What fields a CRM account has: read from the vendor, used to bind labels to ids and to lint mappings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """One allowed value. `group` names the parent it belongs to (the pipeline of a stage), or is empty."""

    value: str
    label: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class FieldSchema:
    """One native field. An empty `options` means free values; `parent` is the field that groups the options.

    `longest` is how many UTF-16 units of text it takes; 0 where that is not known.
    """

    name: str
    label: str = ""
    type: str = "text"
    options: tuple[Option, ...] = ()
    multiple: bool = False
    writable: bool = True
    required: bool = False
    parent: str = ""
    longest: int = 0


@dataclass(frozen=True, slots=True)
class Form:
    """A form that an entry of a conversation has in a CRM, beside its usual comments."""

    name: str
    writable: bool = True
    """Whether entries of ours can be written so."""
    delivered: bool = False
    """Whether the CRM itself has sent such an entry to the customer."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Every field of the record type that a connection carries."""

    fields: tuple[FieldSchema, ...]

    def field(self, name: str) -> FieldSchema | None:
        """The field of that native name, or None."""
        return next((item for item in self.fields if item.name == name), None)
