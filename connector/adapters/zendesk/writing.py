"""Writing tickets: creates that are never doubled, single updates, and many updates as one job."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from connector.adapters.base import Change, Json, Written
from connector.adapters.calls import chunks, lost
from connector.adapters.times import iso
from connector.adapters.turns import one_by_one, write_changes
from connector.adapters.zendesk.api import BATCH, Api
from connector.adapters.zendesk.records import Records
from connector.adapters.zendesk.refusals import CONFLICT, GONE, conflict
from connector.adapters.zendesk.schema import OUR_ID, Catalogue, as_json, shown_as
from connector.domain.errors import ConnectorError, Gone, Refused, RetryLater, UnknownOutcome
from connector.domain.text import text_to_html
from connector.domain.ticket import Record, Requester

EMPTY: Final = "(no description)"
FEW: Final = 3
"""Fewer updates than this go one by one: a job costs two calls, and its outcome comes later."""
TOGETHER: Final = 1000
"""Updates whose jobs are looked at together; Zendesk takes thirty jobs at a time."""


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
        return write_changes(
            changes, create=one_by_one(self._create), update=self._updates, size=TOGETHER, system="zendesk"
        )

    def probe(self, change: Change) -> Record | None:
        """The ticket that a CREATE of unknown outcome left behind, by our id; a follow-up, among its source's."""
        ours, fields = str(change.external_id), (*change.values, OUR_ID)
        if change.follows:
            found = self._records.follow_ups(change.follows, fields)
        else:
            found = self._records.find(OUR_ID, [ours], fields)[ours]
        return next((one for one in found if one.get(OUR_ID) == ours), None)

    def _create(self, change: Change) -> Written:
        """Make the ticket once, whatever is repeated: by the key for two hours, by our id where it was sent before."""
        ours = str(change.external_id)
        self._catalogue.check(change.values)
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

    def _updates(self, changes: Sequence[Change]) -> list[Written]:
        """A few one by one; many as jobs of a hundred tickets, which are looked at together."""
        done = {one.key: self._problem(one) for one in changes}
        ready = [one for one in changes if done[one.key] is None]
        jobs: list[tuple[Sequence[Change], Json]] = []
        told = [written for written in done.values() if written is not None]
        trouble: ConnectorError | None = None
        for chunk in chunks(ready, BATCH):
            try:
                if trouble is not None:
                    raise trouble
                if len(chunk) < FEW:
                    told += one_by_one(self._update)(chunk)
                    continue
                body = {"tickets": [{"id": int(str(one.record_id)), **_update_body(one)} for one in chunk]}
                jobs.append((chunk, self._api.send("PUT", "/tickets/update_many", json=body).json["job_status"]))
            except (RetryLater, Refused, UnknownOutcome) as error:
                told += [Written(one.key, id=str(one.record_id), error=error) for one in chunk]
                trouble = error if isinstance(error, RetryLater) and error.scope == "connection" else None
        ended = self._api.finished([job for _, job in jobs])
        for chunk, job in jobs:
            results = ended.get(str(job["id"]))
            by_id = {str(one.get("id")): one for one in results or () if isinstance(one, dict)}
            told += [_outcome(one, by_id.get(str(one.record_id))) for one in chunk]
        return told

    def _problem(self, change: Change) -> Written | None:
        """Why this change cannot be sent, if it cannot."""
        try:
            self._catalogue.check(change.values)
        except (RetryLater, Refused) as error:
            return Written(change.key, id=str(change.record_id), error=error)
        return None

    def _update(self, change: Change) -> Written:
        told = {"ticket": {**_update_body(change), "metadata": _origin(change)}}
        ids = {"ticket": str(change.record_id)}
        answer = self._api.send("PUT", "/tickets/:ticket", ids=ids, json=told, bucket="updates")
        return self._written(change, answer.json["ticket"])

    def _written(self, change: Change, shown: Json, *, created: bool = True) -> Written:
        record = self._records.record(shown, list(change.values))
        return Written(change.key, id=record.id, record=record, created=created)


def _outcome(change: Change, told: Json | None) -> Written:
    ticket = str(change.record_id)
    if told is None:
        return Written(change.key, id=ticket, error=lost("zendesk", "no job said in time what became of this"))
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
        body |= {"safe_update": True, "updated_stamp": iso(change.version)}
    return body


def _origin(change: Change) -> dict[str, str]:
    return {"nextcap_event": change.key}


def _requester(requester: Requester) -> dict[str, Any]:
    if not requester.email and not requester.name:
        return {}
    told = {"name": requester.name or requester.email, "email": requester.email, "phone": requester.phone}
    return {"requester": {name: value for name, value in told.items() if value}}
