"""Writing tickets: upserts by our id with their contact joined, and changes by HubSpot's id, a hundred a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from connector.adapters.base import Change, Json, Written
from connector.adapters.hubspot.api import BATCH, Api
from connector.adapters.hubspot.records import Records
from connector.adapters.hubspot.schema import OUR_ID, as_text
from connector.adapters.people import Contacts, Found
from connector.adapters.turns import write_changes
from connector.domain.errors import ConnectorError, Gone, Refused, RetryLater, UnknownOutcome
from connector.domain.ticket import Record, Value

UPSERT: Final = "/crm/objects/{objects}/tickets/batch/upsert"
UPDATE: Final = "/crm/objects/{objects}/tickets/batch/update"
JOIN: Final = "/crm/objects/{objects}/tickets/:ticket/associations/default/contacts/:contact"
CONFLICT: Final = 409
JOIN_MANY: Final = "/crm/associations/{associations}/tickets/contacts/batch/associate/default"


class Writing:
    """Creates and changes tickets."""

    def __init__(self, api: Api, records: Records, contacts: Contacts) -> None:
        self._api = api
        self._records = records
        self._contacts = contacts

    def write(self, changes: Sequence[Change]) -> list[Written]:
        """One outcome for each, a hundred a call; a ticket's changes go in order."""
        if not changes:
            return []
        try:
            self._records.expect([name for change in changes for name in change.values])
        except ConnectorError as error:
            return [Written(change.key, error=error) for change in changes]
        return write_changes(changes, create=self._create, update=self._update, size=BATCH, system="hubspot")

    def probe_create(self, change: Change, *, sent_at: datetime) -> Record | None:  # noqa: ARG002 - our id says it all
        """The ticket that a CREATE left behind, found by our id; its contact may not be joined."""
        found = self._records.find(OUR_ID, [str(change.external_id)], tuple(change.values))
        return next(iter(found[str(change.external_id)]), None)

    def _create(self, changes: Sequence[Change]) -> list[Written]:
        """Upsert on our id, then join the contacts. Repeating it is harmless."""
        try:
            contacts = self._contacts.resolve([one.requester for one in changes])
        except RetryLater as error:
            return [Written(one.key, error=error) for one in changes]
        inputs: dict[str, Json] = {
            one.key: {"id": one.external_id, "idProperty": OUR_ID, "properties": _texts(one.values)} for one in changes
        }
        keys = {one.external_id: one.key for one in changes}
        outcomes = self._api.batch_write(
            UPSERT, inputs, lambda item: keys.get((item.get("properties") or {}).get(OUR_ID))
        )
        made = {one.key: self._written(one, outcomes[one.key]) for one in changes}
        return self._join(changes, made, contacts)

    def _update(self, changes: Sequence[Change]) -> list[Written]:
        inputs: dict[str, Json] = {one.key: {"id": one.record_id, "properties": _texts(one.values)} for one in changes}
        keys = {one.record_id: one.key for one in changes}
        outcomes = self._api.batch_write(UPDATE, inputs, lambda item: keys.get(str(item.get("id"))))
        return [self._written(one, outcomes[one.key]) for one in changes]

    def _written(self, change: Change, outcome: Json | ConnectorError) -> Written:
        if isinstance(outcome, Refused) and outcome.status == CONFLICT:
            outcome = RetryLater(f"{outcome}; read it again", code="conflict", scope="record", system="hubspot")
        if isinstance(outcome, ConnectorError):
            return Written(change.key, id=change.record_id or "", error=outcome)
        shown = outcome.get("properties") or {}
        cleared = [name for name, value in change.values.items() if value is None]
        told = [name for name in change.values if name in shown or name in cleared]
        record = self._records.record({**outcome, "properties": dict.fromkeys(cleared) | shown}, told)
        return Written(change.key, id=record.id, record=record, created=bool(outcome.get("new")))

    def _join(self, changes: Sequence[Change], made: Mapping[str, Written], contacts: Found) -> list[Written]:
        """Join each ticket to its contact. A refusal is a warning; a join of unknown outcome leaves the create open."""
        results = dict(made)
        ready = [one for one in changes if made[one.key].error is None]
        joined = self._join_many(
            [(made[one.key].id, contact) for one in ready if (contact := contacts.of(one.requester))]
        )
        for one in ready:
            try:
                if isinstance(joined, ConnectorError) and contacts.of(one.requester):
                    raise joined
                warnings = (
                    contacts.warning(one.requester) if joined else self._join_one(made[one.key].id, one, contacts)
                )
                results[one.key] = replace(made[one.key], warnings=warnings)
            except Refused as error:
                results[one.key] = replace(made[one.key], warnings=(f"no contact was joined: {error}",))
            except (RetryLater, UnknownOutcome) as error:
                told = f"the ticket is made, its contact may not be joined: {error}"
                lost = UnknownOutcome(told, code="contact_open", answered=True, system="hubspot")
                results[one.key] = replace(made[one.key], error=lost)
        return list(results.values())

    def _join_one(self, ticket: str, change: Change, contacts: Found, *, again: bool = True) -> tuple[str, ...]:
        """Make the plain association; the warning if there is no contact. One that is gone is looked up once more."""
        contact = contacts.of(change.requester)
        if contact is None:
            return contacts.warning(change.requester)
        try:
            self._api.send("PUT", JOIN, ids={"ticket": ticket, "contact": contact})
        except Gone:
            self._contacts.forget(contact)
            if not again:
                raise
            return self._join_one(ticket, change, self._contacts.resolve([change.requester]), again=False)
        return ()

    def _join_many(self, pairs: Sequence[tuple[str, str]]) -> bool | ConnectorError:
        """Whether one call joined all of them: if it was refused, each is joined alone; trouble is everybody's."""
        if len(pairs) < 2:
            return False
        inputs = [{"from": {"id": ticket}, "to": {"id": contact}} for ticket, contact in pairs]
        try:
            return not self._api.send("POST", JOIN_MANY, json={"inputs": inputs}).json.get("errors")
        except Refused:
            return False
        except (RetryLater, UnknownOutcome) as error:
            return error


def _texts(values: Mapping[str, Value]) -> dict[str, str]:
    return {name: as_text(value) for name, value in values.items()}
