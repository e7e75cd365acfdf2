"""Writing: one call a record with all its fields, as Capsule has no batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from connector.adapters.base import Change, Json, Written
from connector.adapters.capsule.api import BATCH, WITH_LISTS, Api
from connector.adapters.capsule.parties import Parties
from connector.adapters.capsule.records import Records
from connector.adapters.capsule.refusals import UNPROCESSABLE
from connector.adapters.capsule.schema import CLOSED, CUSTOM, NAMED, OUR_ID, Catalogue, shown_as
from connector.adapters.times import iso
from connector.adapters.turns import one_by_one, write_changes
from connector.domain.errors import ConnectorError, Gone, Refused
from connector.domain.ticket import Record, Value

SKEW: Final = timedelta(minutes=5)
UNNAMED: Final = frozenset({"value", "fields", "definition"})
"""How a refusal names a custom field: it does not say which."""


class Writing:
    """Creates and changes records. A CREATE cannot be repeated safely: `probe` looks whether one was carried out."""

    def __init__(self, api: Api, catalogue: Catalogue, records: Records, parties: Parties) -> None:
        self._api, self._catalogue, self._records, self._parties = api, catalogue, records, parties
        self._target = catalogue.target

    def write(self, changes: Sequence[Change]) -> list[Written]:
        """One outcome for each, a call each; a record's changes go in order."""
        return write_changes(
            changes, create=one_by_one(self._create), update=self._update_all, size=BATCH, system="capsule"
        )

    def probe_create(self, change: Change, *, sent_at: datetime) -> Record | None:
        """The record with our id among those that changed since, as the list shows them: the index may be late."""
        listed, query = f"/{self._target.plural}", {**WITH_LISTS, "since": iso(sent_at - SKEW)}
        for answer in self._api.answers(listed, query):
            for item in answer[self._target.plural]:
                record = self._records.record(item, [OUR_ID, *change.values])
                if record.fields.get(OUR_ID) == change.external_id:
                    return record
        return None

    def _create(self, change: Change, *, again: bool = True) -> Written:
        values = {name: value for name, value in change.values.items() if name != self._target.parent}
        values |= {OUR_ID: change.external_id}
        body = self._body(values, None)
        if values.get(self._target.step) == CLOSED:
            # A closed record keeps a stage too: the last of its board, where finished work lies.
            board = change.values.get(self._target.parent)
            stages = [one for one in self._catalogue.known().steps if str(one["board"]["id"]) == board]
            body |= {"stage": stages[-1]["id"]} if stages else {}
        body |= {"owner": None} if "team" in body and "owner" not in body else {}
        party = self._parties.resolve(change.requester, str(change.external_id))
        try:
            told = self._send("POST", f"/{self._target.plural}", {}, {**body, "party": {"id": party}}, values)
        except Refused as error:
            if error.field != "party" or not again:
                raise
            self._parties.forget(party)
            return self._create(change, again=False)
        return self._written(change.key, told, values)

    def _update_all(self, changes: Sequence[Change]) -> Iterable[Written]:
        """What some of them have to send along is read at once, ten records a call."""
        try:
            held = self._records.raw([str(one.record_id) for one in changes if _needs_reading(one)])
        except ConnectorError as error:
            return [Written(one.key, id=str(one.record_id), error=error) for one in changes]
        return one_by_one(partial(self._update, held=held))(changes)

    def _update(self, change: Change, held: Mapping[str, Json]) -> Written:
        record_id = str(change.record_id)
        before = held.get(record_id)
        if before is None and _needs_reading(change):
            raise Gone(f"capsule has no {self._target.singular} {record_id} to change")
        body = self._body(change.values, before)
        told = self._send("PUT", f"/{self._target.plural}/:id", {"id": record_id}, body, change.values)
        return self._written(change.key, told, change.values)

    def _send(self, method: str, route: str, ids: Mapping[str, str], body: Json, values: Mapping[str, Value]) -> Json:
        try:
            sent = {self._target.singular: body}
            return self._api.send(method, route, ids=ids, query=WITH_LISTS, json=sent).json[self._target.singular]
        except Refused as error:
            if error.status == UNPROCESSABLE and error.field in UNNAMED:
                raise Refused(str(error), code=error.code, field=self._culprit(values), status=error.status) from error
            raise

    def _culprit(self, values: Mapping[str, Value]) -> str | None:
        """Which custom field was refused: the only one, or the one that does not fit the account as it is now."""
        customs = [name for name in values if name.startswith(CUSTOM)]
        for name in customs:
            try:
                self._catalogue.custom(name, values[name], afresh=True)
            except Refused:
                return name
        return customs[0] if len(customs) == 1 else None

    def _body(self, values: Mapping[str, Value], before: Json) -> dict[str, Any]:
        """The members to send. `before` is the record as it is, where something of it has to be sent along."""
        body: dict[str, Any] = {}
        rows: list[Json] = []
        for name, value in values.items():
            if name.startswith(CUSTOM):
                rows += self._row(name, value, before)
            elif name == self._target.step:
                body |= self._step(value)
            elif name == "tags":
                body["tags"] = _tags(value, before)
            elif name in NAMED:
                body[name] = value
            elif name not in ("owner", "team"):
                raise Refused(f"capsule has no field {name} that can be written", code="unknown_field", field=name)
        body |= self._ownership(values, before) if "owner" in values or "team" in values else {}
        return {**body, "fields": rows} if rows else body

    def _step(self, value: Value) -> dict[str, Any]:
        """A project that is put on a stage is open; a closed one keeps its stage. A stage is written as its number."""
        if value == CLOSED and self._target.step == "stage":
            return {"status": CLOSED}
        step = self._catalogue.step(value)["id"]
        return {"stage": step, "status": "OPEN"} if self._target.step == "stage" else {"milestone": {"id": step}}

    def _ownership(self, values: Mapping[str, Value], before: Json) -> dict[str, Any]:
        """Owner and team are always sent together: one without the other clears it. Nobody is the token's user."""
        shown = before or {}
        owner, team = _id_of(shown.get("owner")), _id_of(shown.get("team"))
        if "team" in values:
            team = None if values["team"] is None else self._catalogue.team(values["team"])
        me = int(self._catalogue.me())
        if "owner" in values:
            owner = None if values["owner"] is None else int(str(values["owner"]))
        if owner is None or owner == me:
            owner = None if team is not None else me
        return {"owner": owner and {"id": owner}, "team": team and {"id": team}}

    def _row(self, name: str, value: Value, before: Json) -> list[Json]:
        """A custom field's row. A boolean is cleared by deleting its row, as Capsule refuses null for it."""
        definition, kind, wired = self._catalogue.custom(name, value)
        if kind != "boolean" or value is not None:
            return [{"definition": {"id": definition}, "value": wired}]
        rows = (before or {}).get("fields") or ()
        return [{"id": one["id"], "_delete": True} for one in rows if one["definition"]["id"] == definition]

    def _written(self, key: str, told: Json, values: Mapping[str, Value]) -> Written:
        """What the answer shows; answers to writes leave lists out, which are then as they were sent."""
        record = self._records.record(told, list(values))
        sent = {
            name: shown_as(self._catalogue.custom(name, value)[1], value)
            for name, value in values.items()
            if name.startswith(CUSTOM) and name not in record.fields
        }
        return Written(key, record.id, Record(record.id, {**sent, **record.fields}, record.version))


def _needs_reading(change: Change) -> bool:
    """Whether the write has to send along, or to name, something that the record holds now."""
    clears = any(name.startswith(CUSTOM) and value is None for name, value in change.values.items())
    return clears or not change.values.keys().isdisjoint(("owner", "team", "tags"))


def _tags(value: Value, before: Json) -> list[Json]:
    """What makes the record's tags these: the missing by name, those too many by id. Case makes no other tag."""
    wanted = {one.casefold(): one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, str)}
    held = {str(one["name"]).casefold(): one["id"] for one in (before or {}).get("tags") or ()}
    added: list[Json] = [{"name": name} for key, name in wanted.items() if key not in held]
    return added + [{"id": one, "_delete": True} for key, one in held.items() if key not in wanted]


def _id_of(nested: Json) -> int | None:
    return int(nested["id"]) if nested else None
