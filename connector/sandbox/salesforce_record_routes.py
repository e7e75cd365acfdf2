"""Routes about one record, one object, and the org: versions, describe, rows, external ids, queries, limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from flask import Flask, Response, jsonify

from .salesforce_api import NEWEST, Account, Api, ApiCall, Reply
from .salesforce_errors import Failure, not_found
from .salesforce_ids import looks_like_id
from .salesforce_org import Record
from .salesforce_query import attributes
from .salesforce_stock import SObject
from .salesforce_values import changes_of, moment_of, shown, told

UPDATED_BACK, DELETED_BACK = timedelta(days=30), timedelta(days=15)
MULTIPLE = 300


def add_record_routes(api: Api, app: Flask, account: Callable[[], Account]) -> None:
    """Serve them; only the list of versions needs no token."""

    @app.get("/services/data")
    def versions() -> Response:
        oldest = account().org.settings.oldest_version
        return jsonify(
            [
                {"label": f"Release {number}", "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
                for number in range(oldest, NEWEST + 1)
            ]
        )

    api.add("GET", "", lambda call: (200, _resources(call)))
    api.add("GET", "/limits", lambda call: (200, _limits(call)))
    api.add("GET", "/query", lambda call: _query(call, all_rows=False))
    api.add("GET", "/queryAll", lambda call: _query(call, all_rows=True))
    api.add("GET", "/query/<locator>", _more)
    api.add("GET", "/sobjects", _objects)
    api.add("GET", "/sobjects/<kind>/describe", _describe)
    api.add("GET", "/sobjects/<kind>/updated", _updated)
    api.add("GET", "/sobjects/<kind>/deleted", _deleted)
    api.add("POST", "/sobjects/<kind>", _create)
    api.add("GET", "/sobjects/<kind>/<record_id>", _read)
    api.add("PATCH", "/sobjects/<kind>/<record_id>", _update)
    api.add("DELETE", "/sobjects/<kind>/<record_id>", _delete)
    api.add("GET", "/sobjects/<kind>/<name>/<path:value>", _read_external)
    api.add("PATCH", "/sobjects/<kind>/<name>/<path:value>", _upsert)
    api.add("GET", "/ui-api/object-info/<kind>/picklist-values/<record_type>/<name>", _picklist)


def row(record: Record, call: ApiCall, names: list[str] | None) -> dict[str, Any]:
    """A record as JSON: the named fields, or all that our user may see."""
    wanted = names if names is not None else list(record.kind.fields)
    shown_row: dict[str, Any] = {"attributes": attributes(record, call.version)}
    for name in wanted:
        field = call.org.schema.visible(record.kind, name)
        if field is None:
            if names is None:
                continue
            raise Failure("INVALID_FIELD", f"No such column '{name}' on sobject of type {record.kind.name}")
        shown_row[field.name] = shown(record.values.get(field.name))
    return shown_row


def external_field(kind: SObject, name: str) -> str:
    """The external-id field of that name. Raises NOT_FOUND for any other."""
    field = kind.field(name)
    if field is None or not field.external_id:
        raise Failure("NOT_FOUND", "Provided external ID field does not exist or is not accessible: " + name)
    return field.name


def _resources(call: ApiCall) -> dict[str, str]:
    return {
        one: f"/services/data/v{call.version}/{one}" for one in ("sobjects", "query", "queryAll", "composite", "limits")
    }


def _limits(call: ApiCall) -> dict[str, Any]:
    daily = call.org.settings.daily
    used = call.account.usage.used(call.org.now())
    return {
        "DailyApiRequests": {"Max": daily, "Remaining": max(0, daily - used)},
        "DataStorageMB": {"Max": 1024, "Remaining": 1000},
        "FileStorageMB": {"Max": 1024, "Remaining": 1000},
    }


def _query(call: ApiCall, *, all_rows: bool) -> Reply:
    if "q" not in call.query:
        raise Failure("MALFORMED_QUERY", "A query string has to be specified")
    return 200, call.account.queries.answer(call.query["q"], version=call.version, all_rows=all_rows, batch=call.batch)


def _more(call: ApiCall, locator: str) -> Reply:
    return 200, call.account.queries.more(locator, version=call.version, batch=call.batch)


def _objects(call: ApiCall) -> Reply:
    schema = call.org.schema
    return 200, {
        "encoding": "UTF-8",
        "maxBatchSize": 200,
        "sobjects": [schema.summary(one) for one in schema.objects.values()],
    }


def _describe(call: ApiCall, kind: str) -> Reply:
    return 200, call.org.schema.describe(call.org.schema.object(kind))


def _create(call: ApiCall, kind: str) -> Reply:
    record = call.org.create(call.org.schema.object(kind), changes_of(call.record()), call.writer)
    return 201, {"id": record.id, "success": True, "errors": []}


def _read(call: ApiCall, kind: str, record_id: str) -> Reply:
    shape = call.org.schema.object(kind)
    if not looks_like_id(record_id):
        raise not_found()
    names = call.query["fields"].split(",") if call.query.get("fields") else None
    return 200, row(call.org.find(shape, record_id), call, names)


def _update(call: ApiCall, kind: str, record_id: str) -> Reply:
    shape = call.org.schema.object(kind)
    if not looks_like_id(record_id):
        raise not_found()
    record = call.org.find(shape, record_id)
    _unmodified(call, record)
    call.org.update(record, changes_of(call.record()), call.writer)
    return 204, None


def _unmodified(call: ApiCall, record: Record) -> None:
    if condition := call.headers.get("if-unmodified-since"):
        try:
            since = parsedate_to_datetime(condition)
        except ValueError as wrong:
            raise Failure("MALFORMED_DATE", f"Invalid date: {condition}") from wrong
        if record.values["LastModifiedDate"] > since:
            raise Failure("PRECONDITION_FAILED", "The record was modified since", status=412)


def _delete(call: ApiCall, kind: str, record_id: str) -> Reply:
    shape = call.org.schema.object(kind)
    record = call.org.find(shape, record_id)
    if not shape.deletable:
        raise Failure("INSUFFICIENT_ACCESS_OR_READONLY", f"insufficient access rights to delete {shape.name}")
    call.org.delete(record, call.org.user_id)
    return 204, None


def _read_external(call: ApiCall, kind: str, name: str, value: str) -> Reply:
    shape = call.org.schema.object(kind)
    found = call.org.matches(shape, external_field(shape, name), value)
    if not found:
        raise not_found()
    if len(found) > 1:
        return MULTIPLE, [attributes(one, call.version)["url"] for one in found]
    names = call.query["fields"].split(",") if call.query.get("fields") else None
    return 200, row(found[0], call, names)


def _upsert(call: ApiCall, kind: str, name: str, value: str) -> Reply:
    shape = call.org.schema.object(kind)
    field, given = external_field(shape, name), changes_of(call.record())
    if any(one.casefold() in (field.casefold(), "id") for one in given):
        raise Failure("INVALID_FIELD", f"The {field} field should not be specified in the sobject data.", [field])
    found = call.org.matches(shape, field, value)
    if len(found) > 1:
        return MULTIPLE, [attributes(one, call.version)["url"] for one in found]
    if not found and call.query.get("updateOnly") == "true":
        raise not_found()
    record, created = call.org.upsert(shape, field, value, given, call.writer)
    return 201 if created else 200, {"id": record.id, "success": True, "errors": [], "created": created}


def _picklist(call: ApiCall, kind: str, record_type: str, name: str) -> Reply:
    shape = call.org.schema.object(kind)
    field = call.org.schema.visible(shape, name)
    if field is None or field.type != "picklist":
        raise not_found()
    values = call.org.schema.options(shape, field, record_type)
    return 200, {"values": [{"label": one, "value": one, "validFor": []} for one in values], "defaultValue": None}


def _span(call: ApiCall, back: timedelta) -> tuple[datetime, datetime]:
    start, end = moment_of(call.query.get("start", "")), moment_of(call.query.get("end", ""))
    if start is None or end is None or end <= start:
        raise Failure("INVALID_REPLICATION_DATE", "startDate must be at least one minute before endDate")
    if call.org.now() - start > back:
        raise Failure("INVALID_REPLICATION_DATE", f"startDate is more than {back.days} days ago")
    return start.replace(second=0), end.replace(second=0)


def _updated(call: ApiCall, kind: str) -> Reply:
    shape = call.org.schema.object(kind)
    start, end = _span(call, UPDATED_BACK)
    ids = [one.id for one in call.org.live(shape.name) if start <= one.values["SystemModstamp"] < end]
    return 200, {"ids": ids, "latestDateCovered": told(end)}


def _deleted(call: ApiCall, kind: str) -> Reply:
    shape = call.org.schema.object(kind)
    start, end = _span(call, DELETED_BACK)
    gone = [
        {"id": one.id, "deletedDate": told(one.values["SystemModstamp"])}
        for one in call.org.all(shape.name)
        if one.is_deleted and start <= one.values["SystemModstamp"] < end
    ]
    earliest = told(call.org.now() - DELETED_BACK)
    return 200, {"deletedRecords": gone, "earliestDateAvailable": earliest, "latestDateCovered": told(end)}
