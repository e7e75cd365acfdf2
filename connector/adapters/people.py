"""People as vendors show them: agents, customers, and the contacts that customers are joined to."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from connector.domain.errors import ConnectorError, Refused, RetryLater, UnknownOutcome
from connector.domain.ticket import Person, Requester, storable

ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
REMEMBERED: Final = 10_000


def person_of(person_id: object, email: object, *names: object, active: bool = True) -> Person:
    """Somebody who can be assigned. `names` are the parts of a name; what is missing or empty is left out."""
    return Person(str(person_id), _address(email) or None, _joined(names), active=active)


def requester_of(email: object, name: object, phone: object) -> Requester:
    """The customer of a ticket; what is missing or empty is None. `name` may be a tuple of its parts."""
    parts = name if isinstance(name, tuple) else (name,)
    return Requester(_address(email) or None, _joined(parts) or None, _joined((phone,)) or None)


def shown_name(person: Person | None) -> str:
    """What people call somebody: the name, or else the address."""
    return (person.name or person.email or "") if person else ""


def address_of(requester: Requester) -> str:
    """The customer's address in lower case; empty where there is none."""
    return _address(requester.email)


def first_and_last(requester: Requester) -> tuple[str, str]:
    """The customer's first name, and all that follows it; either may be empty."""
    first, _, last = (requester.name or "").strip().partition(" ")
    return first, last.strip()


def is_address(text: str) -> bool:
    """Whether this has the form of an e-mail address, as vendors demand it."""
    return ADDRESS.fullmatch(text) is not None


def _address(told: object) -> str:
    return storable(str(told or "")).strip().lower()


def _joined(parts: Sequence[object]) -> str:
    return " ".join(word for one in parts if one and (word := storable(str(one)).strip()))


class People:
    """Everybody, by each id that the vendor shows of them; somebody not met before is asked for once.

    `listed` reads them all: each with the further ids that stand for the same person.
    """

    def __init__(self, listed: Callable[[], Iterable[tuple[Person, Sequence[str]]]]) -> None:
        self._listed = listed
        self._known: dict[str, Person] = {}
        self._missed: set[str] = set()

    def all(self) -> list[Person]:
        """Everybody as they are now. Where one is listed twice, the later counts."""
        people: dict[str, Person] = {}
        known: dict[str, Person] = {}
        for person, further in self._listed():
            people[person.id] = person
            known |= dict.fromkeys((person.id, *further), person)
        self._known, self._missed = known, set()
        return list(people.values())

    def find(self, told: str) -> Person | None:
        """The person of this id; None where there is none, or our access does not show people."""
        if told not in self._known and told not in self._missed:
            missed = self._missed | {told}
            with suppress(Refused):
                self.all()
            self._missed = missed
        return self._known.get(told)


@dataclass(frozen=True, slots=True)
class Found:
    """Contact ids by address, and why there is none, in words."""

    ids: Mapping[str, str]
    warnings: Mapping[str, str] = field(default_factory=dict)

    def of(self, requester: Requester) -> str | None:
        """This customer's contact id."""
        return self.ids.get(address_of(requester))

    def warning(self, requester: Requester) -> tuple[str, ...]:
        """Why this customer has no contact; nothing where there is one, or no address to find one by."""
        told = self.warnings.get(address_of(requester))
        return (f"no contact was joined: {told}",) if told else ()


class Contacts(ABC):
    """Contacts by address: found, or made where missing; their ids are remembered by the process.

    A ticket does not wait for a contact that is refused: it is made without one, with a warning.
    """

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    @abstractmethod
    def find(self, wanted: Mapping[str, Requester]) -> Mapping[str, str | ConnectorError]:
        """Contact ids of the addresses that have one; or an error where that is nobody's to choose."""

    @abstractmethod
    def make(self, missing: Mapping[str, Requester]) -> Mapping[str, str | ConnectorError]:
        """The new contacts' ids by address, or what became of each."""

    def forget(self, contact_id: str) -> None:
        """Look this contact up again next time: it is not there any more."""
        self._ids = {address: one for address, one in self._ids.items() if one != contact_id}

    def resolve(self, requesters: Sequence[Requester]) -> Found:
        """The contacts of these customers. Raises RetryLater where the same may succeed later."""
        wanted = {address: one for one in requesters if (address := address_of(one))}
        warnings = dict.fromkeys((one for one in wanted if not is_address(one)), "that is no e-mail address")
        known = {address: self._ids[address] for address in wanted if address in self._ids}
        fresh = {one: wanted[one] for one in wanted if one not in known and one not in warnings}
        outcomes: dict[str, str | ConnectorError] = {}
        try:
            if fresh:
                outcomes |= self.find(fresh)
            if missing := {address: one for address, one in fresh.items() if address not in outcomes}:
                outcomes |= self.make(missing)
        except Refused as error:
            outcomes = dict.fromkeys(fresh, error) | outcomes
        except UnknownOutcome as error:
            raise _later(error) from error
        for address, outcome in outcomes.items():
            if isinstance(outcome, RetryLater | UnknownOutcome):
                raise _later(outcome) from outcome
            if isinstance(outcome, ConnectorError):
                warnings[address] = str(outcome)
            else:
                known[address] = outcome
        self._ids = known if len(self._ids) > REMEMBERED else self._ids | known
        return Found(known, warnings)


def _later(error: RetryLater | UnknownOutcome) -> RetryLater:
    """Nothing of the ticket was written yet, so its creation may be tried again whatever became of the contact."""
    if isinstance(error, RetryLater):
        return error
    return RetryLater(str(error), code=error.code, scope="record", system=error.system)
