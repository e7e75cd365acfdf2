"""Writing where a vendor upserts by our id: creates that can be repeated, and batches that tell of every input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import ClassVar

from connector.adapters.base import Change, Written
from connector.adapters.catalogue import FieldCatalogue
from connector.adapters.people import Contacts, Found
from connector.adapters.turns import Finds, only_one, write_changes
from connector.domain.errors import ConnectorError, NeedsReview
from connector.domain.ticket import Record


class Upserts(ABC):
    """Creates and changes records. A subclass says how one batch of either goes out, at most `size` at once."""

    system: ClassVar[str]
    our_id: ClassVar[str]
    """The field that holds our id."""
    size: ClassVar[int]

    def __init__(self, catalogue: FieldCatalogue, records: Finds, contacts: Contacts) -> None:
        self._catalogue, self._found, self._contacts = catalogue, records, contacts

    @abstractmethod
    def upsert(self, changes: Sequence[Change], contacts: Found) -> Mapping[str, Written]:
        """What became of each CREATE, by key."""

    @abstractmethod
    def update(self, changes: Sequence[Change]) -> Sequence[Written]:
        """What became of each UPDATE."""

    def joined(self, changes: Sequence[Change], made: Mapping[str, Written], contacts: Found) -> Sequence[Written]:  # noqa: ARG002
        """Join what was made to its contacts, where an upsert does not do so by itself."""
        return [made[one.key] for one in changes]

    def write(self, changes: Sequence[Change]) -> list[Written]:
        """One outcome for each; a record's changes go in order."""
        return write_changes(
            changes,
            create=self._create,
            update=self.update,
            size=self.size,
            system=self.system,
            expect=self._catalogue.expect,
        )

    def probe_create(self, change: Change, *, sent_at: datetime) -> Record | None:  # noqa: ARG002 - our id says it all
        """The record that a CREATE of unknown outcome left behind; repeating the CREATE is as safe."""
        ours = str(change.external_id)
        return only_one(self._found.find(self.our_id, [ours], tuple(change.values))[ours])

    def _create(self, changes: Sequence[Change]) -> Sequence[Written]:
        """Upsert on our id what is not there yet. Repeating it is harmless."""
        try:
            made = self._made_before([one for one in changes if one.repeated])
            contacts = self._contacts.resolve([one.requester for one in changes])
        except ConnectorError as error:
            return [Written(one.key, error=error) for one in changes]
        fresh = [one for one in changes if one.key not in made]
        made |= self.upsert(fresh, contacts) if fresh else {}
        with suppress(ConnectorError):  # What is not found now keeps the error that it has.
            made |= self._made_before([one for one in fresh if isinstance(made[one.key].error, NeedsReview)])
        return self.joined(changes, made, contacts)

    def _made_before(self, changes: Sequence[Change]) -> dict[str, Written]:
        """Of CREATEs that were sent before, or met several records, those whose record is there, as it is shown now.

        To upsert them again would take back what people have changed since.
        """
        if not changes:
            return {}
        fields = sorted({name for one in changes for name in one.values})
        found = self._found.find(self.our_id, [str(one.external_id) for one in changes], fields)
        return {one.key: _adopted(one, held) for one in changes if (held := found[str(one.external_id)])}


def _adopted(change: Change, found: Sequence[Record]) -> Written:
    """The record that is there, or the error that names several."""
    try:
        record = only_one(found)
    except NeedsReview as error:
        return Written(change.key, error=error)
    return Written(change.key, id=found[0].id, record=record, created=False)
