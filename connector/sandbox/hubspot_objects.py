"""Routes of records, one at a time: list, read, create, change, archive, merge, search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .hubspot_api import Api, ApiCall, Reply
from .hubspot_body import Body, child, objects, optional_text, required_text, texts
from .hubspot_errors import Refusal, bad_request, not_found
from .hubspot_links import LinkType
from .hubspot_portal import Portal
from .hubspot_records import Record
from .hubspot_search import search
from .hubspot_stock import BY_NAME, HUBSPOT_DEFINED, ObjectType

PAGE_LIMIT = 100
HISTORY_PAGE_LIMIT = 50

LinkPlan = list[tuple[Record, list[LinkType]]]


def add_object_routes(api: Api) -> None:
    """Routes for every object type."""
    one = "/<kind:kind>/<record_id>"
    api.add("GET", "objects", "/<kind:kind>", list_records)
    api.add("POST", "objects", "/<kind:kind>", create_record)
    api.add("GET", "objects", one, get_record)
    api.add("PATCH", "objects", one, change_record)
    api.add("DELETE", "objects", one, archive_record)
    api.add("POST", "objects", "/<kind:kind>/merge", merge_records)
    api.add("POST", "objects", "/<kind:kind>/search", search_records, bucket="search")


def by_unique_value(portal: Portal, kind: ObjectType, name: str, value: str) -> Record | None:
    """The live record with that value of a unique property; 400 where the property is not one."""
    table = portal.tables[kind.name]
    if name not in table.schema.unique_names():
        raise bad_request(f"idProperty '{name}' is not a unique property of {kind.name}")
    found = table.holder(name, value)
    if found is None and name == "email" and portal.settings.find_by_additional_email:
        found = table.holder("hs_additional_emails", value)
    return found


def is_own_id(id_property: str | None) -> bool:
    return id_property in (None, "", "hs_object_id")


def list_records(call: ApiCall, kind: ObjectType) -> Reply:
    call.need(kind.read)
    histories = call.listed("propertiesWithHistory")
    limit = call.number("limit", default=10, most=HISTORY_PAGE_LIMIT if histories else PAGE_LIMIT)
    after = call.query.get("after", "0")
    if not after.isdecimal():
        raise bad_request("after is not a paging cursor")
    archived = call.flag("archived")
    view = call.view(kind, call.listed("properties"), histories)
    eligible = [
        record
        for record in call.portal.tables[kind.name].records.values()
        if (record.archived_at is not None) is archived and record.merged_into is None and int(record.id) > int(after)
    ]
    page = eligible[:limit]
    shown = [view.show(record) | _associations(call, record) for record in page]
    body: dict[str, Any] = {"results": shown}
    if len(eligible) > limit:
        body["paging"] = {"next": {"after": page[-1].id}}
    return 200, body


def get_record(call: ApiCall, kind: ObjectType, record_id: str) -> Reply:
    """Read one: archived ones only with `archived=true`, merged-away ones as their survivor."""
    call.need(kind.read)
    view = call.view(kind, call.listed("properties"), call.listed("propertiesWithHistory"))
    if call.flag("archived"):
        record = call.portal.tables[kind.name].survivor(record_id)
        if record is None or record.archived_at is None:
            raise not_found()
    else:
        record = _addressed(call, kind, record_id)
    return 200, view.show(record) | _associations(call, record)


def create_record(call: ApiCall, kind: ObjectType) -> Reply:
    call.need(kind.write)
    body = call.body
    links = planned_links(call.portal, kind, objects(body, "associations"))
    properties = child(body, "properties")
    made = call.portal.create(kind, properties, call.source, links=links, version=call.version)
    return 201, written(call, made, made.properties, body)


def change_record(call: ApiCall, kind: ObjectType, record_id: str) -> Reply:
    call.need(kind.write)
    record = _addressed(call, kind, record_id)
    body = call.body
    names = call.portal.update(record, child(body, "properties"), call.source, version=call.version)
    return 200, written(call, record, names, body)


def archive_record(call: ApiCall, kind: ObjectType, record_id: str) -> Reply:
    """Archiving again is harmless; an id that never was is not found."""
    call.need(kind.write)
    record = call.portal.tables[kind.name].survivor(record_id)
    if record is None:
        raise not_found()
    if record.archived_at is None:
        call.portal.archive(record, call.source)
    return 204, None


def merge_records(call: ApiCall, kind: ObjectType) -> Reply:
    call.need(kind.write)
    primary = required_text(call.body, "primaryObjectId")
    other = required_text(call.body, "objectIdToMerge")
    survivor = call.portal.merge(kind, primary, other, call.source)
    return 200, call.view(kind, list(survivor.properties)).show(survivor)


def search_records(call: ApiCall, kind: ObjectType) -> Reply:
    """Search; its hits have the properties that the index knows, which may be old ones."""
    call.need(kind.read)
    body = call.body
    found = search(call.portal, kind, body, size=len(call.raw.decode("utf-8", "replace")))
    view = call.view(kind, texts(body, "properties"))
    answer: dict[str, Any] = {
        "total": found.total,
        "results": [view.show(record, shown) for record, shown in found.hits],
    }
    if found.after is not None:
        answer["paging"] = {"next": {"after": found.after}}
    return 200, answer


def written(call: ApiCall, record: Record, names: Mapping[str, str] | set[str], body: Body) -> dict[str, Any]:
    """The answer to a write: what was set and what followed, and the trace id if there was one."""
    shown = call.view(record.kind, sorted(names) or ["hs_object_id"]).show(record)
    trace_id = optional_text(body, "objectWriteTraceId")
    return shown if trace_id is None else {**shown, "objectWriteTraceId": trace_id}


def planned_links(portal: Portal, kind: ObjectType, wanted: Sequence[Body]) -> LinkPlan:
    """The targets and types of inline associations; every target must exist and fit its types."""
    plan: LinkPlan = []
    for one in wanted:
        target_id = required_text(child(one, "to"), "id")
        types = read_types(objects(one, "types"))
        targets = {portal.links.target_of(kind.name, category, type_id) for category, type_id in types}
        if len(targets) != 1:
            raise bad_request("The types of one association must lead to one object type")
        target = BY_NAME[targets.pop()]
        record = portal.tables[target.name].records.get(target_id)
        if record is None or not record.is_live:
            raise bad_request(f"Cannot associate with {target.singular} {target_id}: it does not exist", id=[target_id])
        kinds = (kind.name, target.name)
        plan.append((record, [portal.links.typed(kinds, *one_type) for one_type in types]))
    return plan


def read_types(wanted: Sequence[Body]) -> list[tuple[str, int]]:
    """Association specs: at least one category and type id."""
    if not wanted:
        raise bad_request("At least one association type is required")
    types = []
    for one in wanted:
        type_id = one.get("associationTypeId")
        if type(type_id) is not int:
            raise bad_request("associationTypeId must be a number")
        types.append((optional_text(one, "associationCategory") or HUBSPOT_DEFINED, type_id))
    return types


def _addressed(call: ApiCall, kind: ObjectType, record_id: str) -> Record:
    """The live record of a path, by id or by `idProperty`."""
    id_property = call.query.get("idProperty")
    if is_own_id(id_property):
        return call.portal.live(kind, record_id)
    found = by_unique_value(call.portal, kind, str(id_property), record_id)
    if found is None:
        raise not_found()
    return found


def _associations(call: ApiCall, record: Record) -> dict[str, Any]:
    """The `associations` part that a read may ask for."""
    shown = {}
    for name in call.listed("associations"):
        if name not in BY_NAME:
            raise Refusal(400, "VALIDATION_ERROR", f"Unable to infer object type from: {name}")
        target = BY_NAME[name]
        call.need(target.read)
        found = call.portal.linked(record, target)
        kind = f"{record.kind.singular}_to_{target.singular}"
        if found:
            shown[target.name] = {"results": [{"id": end.id, "type": kind} for end, _ in found]}
    return {"associations": shown} if shown else {}
