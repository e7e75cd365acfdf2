"""Tickets: read, found, written, and swept for what changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from connector.adapters.base import Change, Commented, Sweep, Written
from connector.adapters.calls import bad_place, lost, still_there
from connector.adapters.custom.client import Client, Page, judged
from connector.adapters.custom.shapes import at, filled, is_true, listed, native, text_at, written
from connector.adapters.people import requester_of
from connector.adapters.times import EPOCH, iso, moment
from connector.adapters.turns import one_by_one, only_one, write_changes
from connector.domain.errors import Gone, NotSupported, Refused, RetryLater, UnknownOutcome
from connector.domain.ticket import Record, Requester, Value
from connector.mapping.grammar import Changes, FieldDeclaration, UpdateMany
from connector.mapping.places import slots

CHANGED: Final = "changed"
DELETED: Final = "deleted"


class Records:
    """The tickets of the account."""

    def __init__(self, client: Client, system: str) -> None:
        self._client = client
        self._system = system

    # -- reading

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """Live tickets by id; what is gone, deleted or merged away is left out."""
        call = self._client.grammar.read
        found: list[Any] = []
        if "ids" in slots(call.parts):
            for start in range(0, len(ids), call.batch):
                told = self._client.send(call, {"ids": list(ids[start : start + call.batch])}, reads=True)
                found += listed(call.items, told.json)
        else:
            for one in ids:
                with suppress(Gone):
                    found.append(at(call.item, self._client.send(call, {"id": one}, reads=True).json))
        live = [self.record(item, fields) for item in found if not self._is_away(item)]
        return {one.id: one for one in live if one.id in ids}

    def find(self, field: str, values: Sequence[str], fields: Sequence[str]) -> dict[str, list[Record]]:
        """Tickets whose field equals one of the values. The list proposes, the value decides."""
        call = self._client.grammar.find
        if call is None:
            raise _missing("find")
        found: dict[str, list[Record]] = {}
        for value in values:
            items = self._client.all(call, {"field": field, "value": value})
            records = [self.record(item, (*fields, field)) for item in items if not self._is_away(item)]
            found[value] = [one for one in records if str(one.fields.get(field) or "").casefold() == value.casefold()]
        return found

    def fate(self, record_id: str) -> Gone:
        """What became of a ticket. Raises RetryLater where it is there after all."""
        grammar = self._client.grammar
        given = {"id": record_id, "ids": [record_id]}
        try:
            told = self._client.send(grammar.read, given, reads=True).json
        except Gone:
            return Gone(f"{self._system} has no ticket {record_id}")
        is_list = "ids" in slots(grammar.read.parts)
        items = listed(grammar.read.items, told) if is_list else [at(grammar.read.item, told)]
        for item in items:
            if survivor := text_at(grammar.record.merged_into, item):
                return Gone(f"{self._system} ticket {record_id} was merged", code="merged", survivor=survivor)
            if text_at(grammar.record.id, item) == record_id and not self._is_away(item):
                raise still_there(self._system, f"ticket {record_id}")
        return Gone(f"{self._system} has no ticket {record_id}")

    def requesters(self, ids: Sequence[str]) -> dict[str, Requester]:
        """The customers, from the tickets themselves."""
        read = self.read(ids, ()) if ids else {}
        return {one.id: one.requester for one in read.values() if one.requester != Requester()}

    def record(self, item: Any, fields: Sequence[str]) -> Record:
        """A ticket as the CRM shows it; a field that it does not show is left out."""
        grammar = self._client.grammar
        spots = grammar.record
        if not (found := text_at(spots.id, item)):
            message = f"the answer is not as the adapter block says: a ticket has no id at {spots.id}"
            raise RetryLater(message, code="unreadable_answer", scope="record", system=self._system)
        shown = at(spots.values, item) or {}
        values: dict[str, Value] = {}
        for name in fields:
            declared = grammar.fields.get(name) or FieldDeclaration()
            if declared.place is not None:
                values[name] = native(at(declared.place, shown))
            elif isinstance(shown, dict) and name in shown:
                values[name] = native(shown[name])
        who = (spots.requester_email, spots.requester_name, spots.requester_phone)
        requester = requester_of(*(text_at(place, item) for place in who))
        version = moment(at(spots.version, item))
        return Record(found, values, version=version, number=text_at(spots.number, item), requester=requester)

    def _is_away(self, item: Any) -> bool:
        spots = self._client.grammar.record
        return is_true(spots.is_deleted, item) or bool(text_at(spots.merged_into, item))

    # -- writing

    def write(self, changes: Sequence[Change]) -> list[Written]:
        """One outcome for each. Changes of one ticket go in order."""
        many = self._client.grammar.update_many
        size = many.batch if many else 1
        create = one_by_one(self._create)
        return write_changes(changes, create=create, update=self._update_all, size=size, system=self._system)

    def probe(self, change: Change) -> Record | None:
        """The ticket that a CREATE left behind, found by our id. Raises NeedsReview where there are several."""
        our_id = self._client.grammar.record.external_id
        if not our_id or self._client.grammar.find is None:
            return None
        ours = str(change.external_id)
        return only_one(self.find(our_id, [ours], tuple(change.values))[ours])

    def _create(self, change: Change) -> Written:
        """Make the ticket. What a repeat names may be what the first try made, whatever its answer says of that: so
        nothing is taken from the answer, and the ticket is read.
        """
        grammar = self._client.grammar
        call, our_id = grammar.create, grammar.record.external_id
        if call is None or our_id is None:
            raise _missing("create")
        if change.repeated and (found := self.probe(change)):
            return Written(change.key, id=found.id, record=found, created=False)
        who = change.requester
        values = written({**change.values, our_id: change.external_id}, grammar)
        given = {"values": values, "external_id": change.external_id, "key": change.key}
        given |= {"email": who.email, "name": who.name or who.email, "phone": who.phone}
        response = self._client.send(call, given)
        told = response.json
        shown = at(call.item, told) if call.item else None
        made = text_at(grammar.record.id, shown) if shown else text_at(call.id, told)
        if not made:
            raise lost(self._system, "the answer to a create shows no id")
        if change.repeated:
            return Written(change.key, id=made, created=False)
        record = self.record(shown, tuple(change.values)) if shown else None
        return Written(change.key, id=made, record=record, created=response.status != 200)

    def _update_all(self, changes: Sequence[Change]) -> list[Written]:
        many = self._client.grammar.update_many
        return self._several(many, changes) if many and len(changes) > 1 else one_by_one(self._update)(changes)

    def _update(self, change: Change) -> Written:
        grammar = self._client.grammar
        given = {"id": change.record_id, "key": change.key, "values": written(change.values, grammar)}
        response = self._client.send(grammar.update, given)
        if grammar.update.item is None:
            return Written(change.key, id=str(change.record_id))
        return self._shown(change, at(grammar.update.item, response.json))

    def _several(self, call: UpdateMany, changes: Sequence[Change]) -> list[Written]:
        grammar = self._client.grammar
        each = [
            filled(call.each, {"id": one.record_id, "values": written(one.values, grammar), "key": one.key})
            for one in changes
        ]
        try:
            told = listed(call.items, self._client.send(call, {"changes": each, "key": changes[0].key}).json)
        except (RetryLater, Refused, UnknownOutcome) as error:
            return [Written(one.key, id=one.record_id or "", error=error) for one in changes]
        outcomes = {text_at(call.id, one): one for one in told}
        return [self._outcome(call, one, outcomes.get(str(one.record_id))) for one in changes]

    def _outcome(self, call: UpdateMany, change: Change, outcome: Any) -> Written:
        """One ticket's part of a batch; one that the answer leaves out is of unknown outcome."""
        if outcome is None:
            untold = lost(self._system, f"the answer to a batch leaves ticket {change.record_id} out")
            return Written(change.key, id=str(change.record_id), error=untold)
        status = int(text_at(call.status, outcome) or 0)
        wrong = at(call.error, outcome) if call.error else None
        if status < 400 and not wrong:
            return (
                self._shown(change, at(call.item, outcome)) if call.item else Written(change.key, str(change.record_id))
            )
        told = f"{self._system} ticket {change.record_id}: {status or 'refused'}"
        error = judged(self._client.grammar.errors, status or 400, outcome, told)
        if error is None:
            error = (
                Gone(told, status=status)
                if status in (404, 410)
                else Refused(told, code=f"http_{status}", status=status)
            )
        return Written(change.key, id=str(change.record_id), error=error)

    def _shown(self, change: Change, item: Any) -> Written:
        record = self.record(item, tuple(change.values)) if item else None
        return Written(change.key, id=str(change.record_id), record=record)

    # -- what changed

    def changes(self, since: datetime, fields: Sequence[str], after: str = "") -> Sweep:
        """One page of the changed tickets; behind the last, those of the list of deleted ones, where there is one.

        Nothing says whether a change was a comment, so each may have been one.
        """
        grammar = self._client.grammar
        if grammar.changes is None:
            raise _missing("changes")
        kind, page = _place(after)
        given = {"since": _since(since, grammar.changes)}
        if kind == DELETED and grammar.deleted:
            items, going_on = self._client.page(grammar.deleted, given, page)
            gone = [one for item in items if (one := text_at(grammar.deleted.id, item))]
            return Sweep(gone=gone, after=_told(DELETED, going_on) if going_on else "")
        items, going_on = self._client.page(grammar.changes, given, page)
        live = [self.record(item, fields) for item in items if not self._is_away(item)]
        away = [text_at(grammar.record.id, item) for item in items if self._is_away(item)]
        then = _told(CHANGED, going_on) if going_on else _told(DELETED, None) if grammar.deleted else ""
        commented = [Commented(one.id) for one in live] if grammar.comments else []
        return Sweep(sorted(live, key=_by_version), gone=away, after=then, commented=commented)


def _by_version(record: Record) -> datetime:
    return record.version or EPOCH


def _since(since: datetime, call: Changes) -> str:
    if call.time == "iso":
        return iso(since, timespec="milliseconds")
    return str(int(since.timestamp() * (1000 if call.time == "epoch_ms" else 1)))


def _told(kind: str, page: Page | None) -> str:
    return json.dumps([kind, page and [page.path, dict(page.query)]])


def _place(after: str) -> tuple[str, Page | None]:
    if not after:
        return CHANGED, None
    try:
        kind, page = json.loads(after)
        return str(kind), Page(str(page[0]), {str(key): str(one) for key, one in page[1].items()}) if page else None
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        raise bad_place("the CRM", after) from error


def _missing(what: str) -> NotSupported:
    return NotSupported(f"the adapter block declares no '{what}'", code="not_supported")
