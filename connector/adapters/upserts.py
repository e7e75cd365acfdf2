"""Writing where a vendor upserts by our id: creates that can be repeated, and batches that tell of every input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from connector.adapters.base import Change, Json, Written
from connector.adapters.calls import Outcome, conflict
from connector.adapters.catalogue import FieldCatalogue
from connector.adapters.people import Contacts, Found
from connector.adapters.turns import Finds, only_one, write_changes
from connector.domain.errors import ConnectorError, NeedsReview, Refused
from connector.domain.ticket import Record


class Upserts(ABC):
    """Creates and changes records, at most `size` in one call. A subclass says how they are told and shown."""

    system: ClassVar[str]
    our_id: ClassVar[str]
    """The field that holds our id."""
    size: ClassVar[int]

    def __init__(self, catalogue: FieldCatalogue, records: Finds, contacts: Contacts) -> None:
        self._expect, self._find, self._contacts = catalogue.expect, records.find, contacts

    @abstractmethod
    def creation(self, change: Change, contact: str | None) -> Json:
        """The input of a CREATE, for the customer with this contact's id."""

    @abstractmethod
    def edit(self, change: Change) -> Json:
        """The input of an UPDATE."""

    @abstractmethod
    def send(self, inputs: Mapping[str, Json], *, creates: bool) -> Mapping[str, Outcome]:
        """What became of each input, by key, in one call; without inputs nothing is sent."""

    @abstractmethod
    def shown(self, change: Change, told: Json) -> Written:
        """What the answer to an input shows."""

    @abstractmethod
    def is_conflict(self, error: Refused) -> bool:
        """Whether the change was decided on what is not so any more."""

    def joined(self, changes: Sequence[Change], made: Mapping[str, Written], contacts: Found) -> list[Written]:
        """Join what was made to its contacts, where an upsert does not do so by itself; warn of those that lack."""
        return [replace(made[one.key], warnings=contacts.warning(one.requester)) for one in changes]

    def write(self, changes: Sequence[Change]) -> list[Written]:
        """One outcome for each; a record's changes go in order."""
        acts = {"create": self._create, "update": self._update}
        return write_changes(changes, **acts, size=self.size, system=self.system, expect=self._expect)

    def probe_create(self, change: Change, *, sent_at: datetime) -> Record | None:  # noqa: ARG002 - our id says it all
        """The record that a CREATE of unknown outcome left behind; repeating the CREATE is as safe."""
        ours = str(change.external_id)
        return only_one(self._find(self.our_id, [ours], tuple(change.values))[ours])

    def _create(self, changes: Sequence[Change]) -> list[Written]:
        """Upsert on our id what is not there yet. Repeating it is harmless."""
        try:
            made = self._made_before([one for one in changes if one.repeated])
            contacts = self._contacts.resolve([one.requester for one in changes])
        except ConnectorError as error:
            return [Written(one.key, error=error) for one in changes]
        fresh = {one.key: one for one in changes if one.key not in made}
        customers = {key: contacts.of(one.requester) for key, one in fresh.items()}
        inputs = {key: self.creation(one, customers[key]) for key, one in fresh.items()}
        outcomes = self.send(inputs, creates=True)
        for key, outcome in outcomes.items():
            made[key] = self._written(fresh[key], outcome)
            if isinstance(outcome, Refused) and self.is_conflict(outcome):
                self._contacts.forget(customers[key] or "")  # It may be what is not there any more.
        with suppress(ConnectorError):  # What is not found now keeps the error that it has.
            made |= self._made_before([fresh[key] for key, one in outcomes.items() if isinstance(one, NeedsReview)])
        return self.joined(changes, made, contacts)

    def _update(self, changes: Sequence[Change]) -> list[Written]:
        outcomes = self.send({one.key: self.edit(one) for one in changes}, creates=False)
        return [self._written(one, outcomes[one.key]) for one in changes]

    def _written(self, change: Change, outcome: Outcome) -> Written:
        if isinstance(outcome, Refused) and self.is_conflict(outcome):
            outcome = conflict(self.system, outcome)
        if isinstance(outcome, ConnectorError):
            return Written(change.key, id=change.record_id or "", error=outcome)
        return self.shown(change, outcome)

    def _made_before(self, changes: Sequence[Change]) -> dict[str, Written]:
        """Of CREATEs that were sent before, or met several records, those whose record is there, as it is shown now.

        To upsert them again would take back what people have changed since.
        """
        if not changes:
            return {}
        fields = sorted({name for one in changes for name in one.values})
        found = self._find(self.our_id, [str(one.external_id) for one in changes], fields)
        return {one.key: _adopted(one, held) for one in changes if (held := found[str(one.external_id)])}


def _adopted(change: Change, found: Sequence[Record]) -> Written:
    """The record that is there, or the error that names several."""
    try:
        record = only_one(found)
    except NeedsReview as error:
        return Written(change.key, error=error)
    return Written(change.key, id=found[0].id, record=record, created=False)
