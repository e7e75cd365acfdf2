"""Writing tickets: creates that are never doubled, single updates, and many updates as one job."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

from connector.adapters.base import Change, ChangeKind, Json, Written
from connector.adapters.zendesk.api import BATCH, Api, chunks
from connector.adapters.zendesk.records import Records
from connector.adapters.zendesk.refusals import CONFLICT, GONE, conflict
from connector.adapters.zendesk.schema import OUR_ID, Catalogue, as_json, shown_as
from connector.domain.errors import ConnectorError, Gone, NotSupported, Refused, RetryLater, UnknownOutcome
from connector.domain.text import text_to_html
from connector.domain.ticket import Record, Requester

EMPTY: Final = "(no description)"
FEW: Final = 3
"""Fewer updates than this go one by one: a job costs two calls, and its outcome comes later."""


def idempotency_key(change: Change) -> str:
    """What Zendesk knows a repeated create by, for two hours; later repeats look for the external id."""
    told = "|".join(filter(None, (change.external_id, change.follows)))
    return f"nextcap-create-{hashlib.sha256(told.encode()).hexdigest()[:40]}"


class Writing:
    """Writes. `told` is put into the audit of each, so that people can see where it came from."""

    def __init__(self, api: Api, records: Records, catalogue: Catalogue) -> None:
        self._api = api
        self._records = records
        self._catalogue = catalogue

    def write(self, changes: Sequence[Change]) -> list[Written]:
        """One outcome for each. Changes of one ticket go in order; after one that is open, the later are held back."""
        outcomes: list[Written] = []
        open_ends: set[str] = set()
        for turn in _turns(changes):
            for one in turn:
                if _target(one) in open_ends:
                    held = RetryLater("an earlier change of this ticket is open", code="held_back", scope="record")
                    outcomes.append(Written(one.key, error=held))
            for change, written in self._send([one for one in turn if _target(one) not in open_ends]):
                outcomes.append(written)
                if isinstance(written.error, RetryLater | UnknownOutcome):
                    open_ends.add(_target(change))
        return outcomes

    def probe(self, change: Change) -> Record | None:
        """The ticket that a CREATE of unknown outcome left behind, by our id; a follow-up, among its source's."""
        ours, fields = str(change.external_id), (*change.values, OUR_ID)
        if change.follows:
            found = self._records.follow_ups(change.follows, fields)
        else:
            found = self._records.find(OUR_ID, [ours], fields)[ours]
        return next((one for one in found if one.get(OUR_ID) == ours), None)

    def _send(self, changes: Sequence[Change]) -> list[tuple[Change, Written]]:
        done: list[tuple[Change, Written]] = []
        updates: list[Change] = []
        for one in changes:
            try:
                self._catalogue.expect(one.values)
            except ConnectorError as error:
                done.append((one, Written(one.key, error=error)))
                continue
            if one.kind is ChangeKind.CREATE and one.external_id:
                done.append((one, self._caught(one, self._create)))
            elif one.kind is ChangeKind.UPDATE and one.record_id:
                updates.append(one)
            else:
                told = NotSupported(
                    "zendesk takes a CREATE with our id and an UPDATE with its own", code="not_supported"
                )
                done.append((one, Written(one.key, error=told)))
        if len(updates) < FEW:
            return done + [(one, self._caught(one, self._update)) for one in updates]
        return done + [pair for chunk in chunks(updates, BATCH) for pair in self._update_many(chunk)]

    def _caught(self, change: Change, act: Any) -> Written:
        try:
            done: Written = act(change)
        except (RetryLater, Refused, UnknownOutcome) as error:
            return Written(change.key, id=change.record_id or "", error=error)
        return done

    def _create(self, change: Change) -> Written:
        """Make the ticket once, whatever is repeated: by the key for two hours, by our id where it was sent before."""
        ours = str(change.external_id)
        if change.repeated and (found := self.probe(change)):
            return Written(change.key, id=found.id, record=found, created=False)
        description = change.values.get("description")
        values = as_json({name: value for name, value in change.values.items() if name != "description"})
        comment = {"html_body": text_to_html(str(description or EMPTY)), "public": True}
        body = {**values, **_requester(change.requester), OUR_ID: ours, "comment": comment, "metadata": _origin(change)}
        if change.follows:
            body |= {"via_followup_source_id": int(change.follows)}
        try:
            key = {"Idempotency-Key": idempotency_key(change)}
            answer = self._api.send("POST", "/tickets", json={"ticket": body}, headers=key)
        except Refused as error:
            found = self.probe(change) if error.status == 400 else None
            if found is None:
                raise
            return Written(change.key, id=found.id, record=found, created=False)
        is_new = answer.headers.get("x-idempotency-lookup") != "hit"
        return self._written(change, answer.json["ticket"], created=is_new)

    def _update(self, change: Change) -> Written:
        answer = self._api.send(
            "PUT",
            "/tickets/:ticket",
            ids={"ticket": str(change.record_id)},
            json={"ticket": {**_update_body(change), "metadata": _origin(change)}},
            bucket="updates",
        )
        return self._written(change, answer.json["ticket"])

    def _update_many(self, changes: Sequence[Change]) -> list[tuple[Change, Written]]:
        """One job for all; its results are told by place, and by id where that is shown."""
        body = [{"id": int(str(one.record_id)), **_update_body(one)} for one in changes]
        try:
            answer = self._api.send("PUT", "/tickets/update_many", json={"tickets": body}).json
            results = self._api.finished(answer["job_status"])
        except (RetryLater, Refused, UnknownOutcome) as error:
            return [(one, Written(one.key, id=str(one.record_id), error=error)) for one in changes]
        by_id = {str(one.get("id")): one for one in results if isinstance(one, dict)}
        return [(one, _outcome(one, by_id.get(str(one.record_id)))) for one in changes]

    def _written(self, change: Change, shown: Json, *, created: bool = True) -> Written:
        names = [name for name in change.values if name != "description"]
        record = self._records.record(shown, names)
        return Written(change.key, id=record.id, record=record, created=created)


def _outcome(change: Change, told: Json | None) -> Written:
    ticket = str(change.record_id)
    if told is None:
        lost = UnknownOutcome("zendesk: the job does not say what became of this", code="no_outcome", answered=True)
        return Written(change.key, id=ticket, error=lost)
    if told.get("success"):
        shown = {name: shown_as(name, value) for name, value in change.values.items()}
        return Written(change.key, id=ticket, record=Record(ticket, shown))
    code, words = str(told.get("error") or "refused"), str(told.get("details") or "")
    text = f"zendesk job: {code}: {words}"
    error: ConnectorError = Refused(text, code=code.lower(), field=_named(change, words), status=422)
    if code == CONFLICT:
        error = conflict("zendesk job")
    elif code in GONE:
        error = Gone(text)
    return Written(change.key, id=ticket, error=error)


def _named(change: Change, words: str) -> str | None:
    """The field that a job's complaint begins with, where it is one that was written."""
    first = words.partition(":")[0].strip().lower().replace(" ", "_")
    return next((name for name in change.values if name in (first, f"{first}_id")), None)


def _update_body(change: Change) -> dict[str, Any]:
    """The values, guarded by the version that they were decided on where that is known."""
    body = as_json(change.values)
    if change.version is not None:
        stamp = change.version.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body |= {"safe_update": True, "updated_stamp": stamp}
    return body


def _origin(change: Change) -> dict[str, str]:
    return {"nextcap_event": change.key}


def _requester(requester: Requester) -> dict[str, Any]:
    if not requester.email and not requester.name:
        return {}
    told = {"name": requester.name or requester.email, "email": requester.email, "phone": requester.phone}
    return {"requester": {name: value for name, value in told.items() if value}}


def _turns(changes: Sequence[Change]) -> list[list[Change]]:
    """Rounds in which each ticket comes once."""
    turns: defaultdict[int, list[Change]] = defaultdict(list)
    seen: defaultdict[str, int] = defaultdict(int)
    for change in changes:
        turns[seen[_target(change)]].append(change)
        seen[_target(change)] += 1
    return list(turns.values())


def _target(change: Change) -> str:
    return f"id {change.record_id}" if change.record_id else f"ours {change.external_id}"
