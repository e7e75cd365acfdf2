"""Many records in one call: collections of one outcome each, composite calls whose parts may name one another."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

from .salesforce_api import Api, ApiCall, Reply
from .salesforce_errors import Failure, not_found
from .salesforce_ids import looks_like_id, normal_id
from .salesforce_org import Org
from .salesforce_record_routes import external_field, row
from .salesforce_values import changes_of

LARGEST_COLLECTION, MOST_RUNS = 200, 10
MOST_PARTS, MOST_HEAVY_PARTS = 25, 5
MOST_RETRIEVED = 2000
REFERENCE = re.compile(r"@\{([A-Za-z0-9_]+)((?:\.[A-Za-z0-9_]+|\[\d+\])*)\}")
STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[(\d+)\]")
ROLLED_BACK = "ALL_OR_NONE_OPERATION_ROLLED_BACK"
ROLLED_BACK_MESSAGE = "Record rolled back because not all records were valid and the request was using AllOrNone header"
Item = dict[str, Any]


def add_composite_routes(api: Api) -> None:
    """Serve collections and composite calls."""
    api.add("POST", "/composite/sobjects", lambda call: _collection(call, lambda record: _create(call, record)))
    api.add("PATCH", "/composite/sobjects", lambda call: _collection(call, lambda record: _update(call, record)))
    api.add("DELETE", "/composite/sobjects", _delete)
    api.add("PATCH", "/composite/sobjects/<kind>/<name>", _upsert)
    api.add("GET", "/composite/sobjects/<kind>", _retrieve_by_address)
    api.add("POST", "/composite/sobjects/<kind>", _retrieve)
    api.add("POST", "/composite", lambda call: _composite(api, call))
    api.add("POST", "/composite/batch", lambda call: _batch(api, call))


def _records(call: ApiCall) -> list[Item]:
    records = call.record().get("records")
    if not isinstance(records, list) or not records:
        raise Failure("REQUIRED_FIELD_MISSING", "records is required")
    if len(records) > LARGEST_COLLECTION:
        told = f"record limit exceeded: {len(records)} records; at most {LARGEST_COLLECTION} are allowed"
        raise Failure("EXCEEDED_ID_LIMIT", told)
    kinds = [str((one.get("attributes") or {}).get("type")) for one in records]
    if len(list(itertools.groupby(kinds))) > MOST_RUNS:
        raise Failure("INVALID_INPUT", f"at most {MOST_RUNS} chunks of one type are allowed")
    return records


def _collection(call: ApiCall, one: Callable[[Item], Item]) -> Reply:
    """One outcome a record, in the order of the request; HTTP 200 whatever became of them."""
    records, org = _records(call), call.org
    kept = _snapshot(org) if call.record().get("allOrNone") else None
    outcomes: list[Item] = []
    failed = False
    for record in records:
        try:
            outcomes.append(one(record))
        except Failure as failure:
            if failure.code == "INVALID_FIELD" and org.settings.unknown_field == "call":
                raise
            failed = True
            outcomes.append({"success": False, "errors": [failure.item()]})
    if failed and kept is not None:
        _restore(org, kept)
        rolled = {"statusCode": ROLLED_BACK, "message": ROLLED_BACK_MESSAGE, "fields": []}
        outcomes = [{"success": False, "errors": [rolled]} if item["success"] else item for item in outcomes]
    return 200, outcomes


def _kind(record: Item) -> str:
    kind = (record.get("attributes") or {}).get("type")
    if not kind:
        raise Failure("INVALID_INPUT", "attributes.type is required")
    return str(kind)


def _create(call: ApiCall, record: Item) -> Item:
    made = call.org.create(call.org.schema.object(_kind(record)), changes_of(record), call.writer)
    return {"id": made.id, "success": True, "errors": []}


def _update(call: ApiCall, record: Item) -> Item:
    given = {name: value for name, value in changes_of(record).items() if name.casefold() != "id"}
    told = record.get("id") or record.get("Id")
    if not told:
        raise Failure("MISSING_ARGUMENT", "Id not specified in an update call")
    record_id = normal_id(told)
    call.org.update(_found(call.org, _kind(record), record_id), given, call.writer)
    return {"id": record_id, "success": True, "errors": []}


def _found(org: Org, kind: str, record_id: str) -> Any:
    try:
        return org.find(org.schema.object(kind), record_id)
    except Failure as failure:
        if failure.code == "NOT_FOUND":
            raise Failure("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id") from failure
        raise


def _upsert(call: ApiCall, kind: str, name: str) -> Reply:
    shape = call.org.schema.object(kind)
    field = external_field(shape, name)

    def one(record: Item) -> Item:
        if _kind(record).casefold() != shape.name.casefold():
            raise Failure("INVALID_INPUT", "all records must be of the type in the address")
        given = changes_of(record)
        value = given.pop(field, None)
        if not value:
            raise Failure("MISSING_ARGUMENT", f"{field} not specified")
        made, created = call.org.upsert(shape, field, value, given, call.writer)
        return {"id": made.id, "success": True, "errors": [], "created": created}

    return _collection(call, one)


def _delete(call: ApiCall) -> Reply:
    outcomes: list[Item] = []
    for told in call.query.get("ids", "").split(","):
        try:
            record = call.org.records.get(normal_id(told))
            if record is None or record.is_deleted:
                raise Failure("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
            call.org.delete(record, call.org.user_id)
            outcomes.append({"id": record.id, "success": True, "errors": []})
        except Failure as failure:
            outcomes.append({"success": False, "errors": [failure.item()]})
    return 200, outcomes


def _retrieve_by_address(call: ApiCall, kind: str) -> Reply:
    ids, fields = call.query.get("ids", ""), call.query.get("fields", "")
    return _rows(call, kind, ids.split(",") if ids else [], fields.split(",") if fields else [])


def _retrieve(call: ApiCall, kind: str) -> Reply:
    asked = call.record()
    return _rows(call, kind, list(asked.get("ids") or ()), list(asked.get("fields") or ()))


def _rows(call: ApiCall, kind: str, ids: list[str], fields: list[str]) -> Reply:
    """The records in the order asked for; null for one that is not there."""
    shape = call.org.schema.object(kind)
    if not ids or not fields:
        raise Failure("REQUIRED_FIELD_MISSING", "ids and fields are required")
    if len(ids) > MOST_RETRIEVED:
        raise Failure("EXCEEDED_ID_LIMIT", f"at most {MOST_RETRIEVED} ids are allowed")
    for name in fields:
        if call.org.schema.visible(shape, name) is None:
            raise Failure("INVALID_FIELD", f"No such column '{name}' on sobject of type {shape.name}")
    found = []
    for told in ids:
        record = call.org.records.get(normal_id(told)) if looks_like_id(told) else None
        live = record is not None and record.kind is shape and not record.is_deleted
        found.append(
            row(record, call, ["Id", *(one for one in fields if one.casefold() != "id")]) if record and live else None
        )
    return 200, found


def _composite(api: Api, call: ApiCall) -> Reply:
    """Parts one after the other; what names a part that failed is halted, and with allOrNone all is undone."""
    asked = call.record()
    parts = asked.get("compositeRequest")
    if not isinstance(parts, list) or not 0 < len(parts) <= MOST_PARTS:
        raise Failure("LIMIT_EXCEEDED", f"a composite call has between 1 and {MOST_PARTS} subrequests")
    heavy = [
        one for one in parts if re.search(r"/(?:query|queryAll|composite/sobjects)(?:[/?]|$)", str(one.get("url")))
    ]
    if len(heavy) > MOST_HEAVY_PARTS:
        raise Failure("LIMIT_EXCEEDED", f"at most {MOST_HEAVY_PARTS} subrequests may be queries or collections")
    kept = _snapshot(call.org) if asked.get("allOrNone") else None
    done: dict[str, tuple[int, Any]] = {}
    for part in parts:
        done[str(part["referenceId"])] = _part(api, call, part, done)
    if kept is not None and any(status >= 400 for status, _ in done.values()):
        _restore(call.org, kept)
        halted = Failure(
            "PROCESSING_HALTED",
            "The transaction was rolled back since another operation in the same transaction failed.",
        )
        done = {
            name: (status, body) if status >= 400 else (400, [halted.body()]) for name, (status, body) in done.items()
        }
    answers = [
        {"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": name}
        for name, (status, body) in done.items()
    ]
    return 200, {"compositeResponse": answers}


def _part(api: Api, call: ApiCall, part: Item, done: Mapping[str, tuple[int, Any]]) -> tuple[int, Any]:
    try:
        url = _resolved(str(part["url"]), done)
        body = _resolved(part.get("body"), done)
    except KeyError as missing:
        told = f"Invalid reference specified. No value for {missing} found in previous responses"
        return 400, [Failure("PROCESSING_HALTED", told).body()]
    if "/queryAll" in url and not call.org.settings.composite_queryall:
        return 404, [not_found().body()]
    return api.part(call, str(part["method"]), url, body, part.get("httpHeaders") or {})


def _resolved(value: Any, done: Mapping[str, tuple[int, Any]]) -> Any:
    """Text with `@{reference.path}` filled in from what earlier parts answered. Raises KeyError."""
    if isinstance(value, dict):
        return {name: _resolved(one, done) for name, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, done) for one in value]
    if not isinstance(value, str):
        return value

    def filled(found: re.Match[str]) -> str:
        status, body = done[found[1]]
        if status >= 400:
            raise KeyError(found[1])
        for name, place in STEP.findall(found[2]):
            try:
                body = body[name] if name else body[int(place)]
            except (KeyError, IndexError, TypeError) as missing:
                raise KeyError(found[0]) from missing
        return str(body)

    return REFERENCE.sub(filled, value)


def _batch(api: Api, call: ApiCall) -> Reply:
    parts = call.record().get("batchRequests")
    if not isinstance(parts, list) or not 0 < len(parts) <= MOST_PARTS:
        raise Failure("LIMIT_EXCEEDED", f"a batch has between 1 and {MOST_PARTS} subrequests")
    answers = []
    for place, part in enumerate(parts):
        if place:
            call.account.usage.count(call.org.now())
        status, body = api.part(call, str(part["method"]), f"/services/data/{part['url']}", part.get("richInput"), {})
        answers.append({"statusCode": status, "result": body})
    return 200, {"hasErrors": any(one["statusCode"] >= 400 for one in answers), "results": answers}


def _snapshot(org: Org) -> Any:
    values = {key: (one, dict(one.values)) for key, one in org.records.items()}
    return values, *copy.deepcopy((org.by_kind, org.external, org.children, org.creates))


def _restore(org: Org, kept: Any) -> None:
    values, org.by_kind, org.external, org.children, org.creates = kept
    for record, held in values.values():
        record.values = held
    org.records = {key: record for key, (record, _) in values.items()}
