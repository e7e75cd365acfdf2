"""People and departments: ids that mean nothing to the other side, translated through what both sides know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connector.domain.rules import Directories, Translate, Untranslatable
from connector.domain.ticket import Person, Value
from connector.mapping.forms import NOBODY, STOP
from connector.mapping.transforms import text_of


@dataclass(frozen=True, slots=True)
class Staff:
    """One direction of a person field: the same e-mail address on the other side, else the declared fallback.

    `otherwise` is an e-mail address, `nobody` or `stop`.
    """

    towards_crm: bool
    otherwise: str = STOP

    def translate(self, value: Value, people: Directories) -> Value:
        """The other side's id; nobody stays nobody. Raises `Untranslatable`."""
        if value is None:
            return None
        ours, theirs = (people.nextcap, people.crm) if self.towards_crm else (people.crm, people.nextcap)
        side = "Next Cap" if self.towards_crm else "the CRM"
        person = ours.get(text_of(value))
        if person is None:
            raise Untranslatable("person_unknown", f"{side} has shown nobody with the id {text_of(value)}")
        found = _with_email(theirs, person.email) if person.email else None
        return found.id if found else self._fallback(theirs)

    def _fallback(self, theirs: Mapping[str, Person]) -> Value:
        if self.otherwise == NOBODY:
            return None
        side = "the CRM" if self.towards_crm else "Next Cap"
        if self.otherwise == STOP:
            raise Untranslatable("person_without_counterpart", f"nobody in {side} has this person's e-mail address")
        found = _with_email(theirs, self.otherwise)
        if found is None:
            raise Untranslatable("fallback_unknown", f"nobody in {side} has the address {self.otherwise}")
        return found.id


def _with_email(people: Mapping[str, Person], email: str) -> Person | None:
    wanted = email.casefold()
    found = [one for one in people.values() if one.active and one.email and one.email.casefold() == wanted]
    if len(found) > 1:
        raise Untranslatable("person_ambiguous", f"{len(found)} active people have one and the same e-mail address")
    return found[0] if found else None


def department_name(table: Mapping[str, str]) -> Translate:
    """Department id → name, by the file's own table (name → id) first, then by what Next Cap has shown."""
    by_id = {identifier: name for name, identifier in reversed([*table.items()])}

    def translate(value: Value, people: Directories) -> Value:
        identifier = text_of(value)
        name = by_id.get(identifier) or people.departments.get(identifier)
        if not name:
            told = f"no ticket has shown what the department {identifier} is called, nor does `departments:` name it"
            raise Untranslatable("department_unknown", told)
        return name

    return translate


def department_id(table: Mapping[str, str]) -> Translate:
    """Department name, in any case, → id. Raises `Untranslatable` for an unknown name and for one that two share."""
    by_name = {name.casefold(): identifier for name, identifier in table.items()}

    def translate(value: Value, people: Directories) -> Value:
        wanted = text_of(value).strip().casefold()
        if wanted in by_name:
            return by_name[wanted]
        found = [identifier for identifier, name in people.departments.items() if name.casefold() == wanted]
        if len(found) > 1:
            raise Untranslatable("department_ambiguous", f"{len(found)} departments share this name")
        if not found:
            told = "no ticket has shown a department of this name, nor does `departments:` name it"
            raise Untranslatable("department_unknown", told)
        return found[0]

    return translate
