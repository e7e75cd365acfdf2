"""Routes of associations: of one record, in batches, and their labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .hubspot_api import Api, ApiCall, Handler, Reply
from .hubspot_batch import finished
from .hubspot_body import Body, child, inputs, objects, required_text
from .hubspot_errors import NOT_FOUND, Refusal, bad_request, not_found
from .hubspot_links import LinkType
from .hubspot_objects import read_types
from .hubspot_records import Record
from .hubspot_stock import ObjectType

READ_LIMIT = 1_000
CREATE_LIMIT = 2_000
PAGE_LIMIT = 500

Ends = tuple[Record, Record]
Shown = list[dict[str, Any]]


def add_link_routes(api: Api) -> None:
    ends = "/<kind:start>/<start_id>/associations"
    of_one: tuple[tuple[str, str, Handler], ...] = (
        ("PUT", f"{ends}/default/<kind:end>/<end_id>", link_plainly),
        ("PUT", f"{ends}/<kind:end>/<end_id>", link_with_labels),
        ("DELETE", f"{ends}/<kind:end>/<end_id>", unlink),
        ("GET", f"{ends}/<kind:end>", links_of_one),
    )
    of_many: tuple[tuple[str, str, Handler], ...] = (
        ("POST", "batch/read", read_links),
        ("POST", "batch/create", create_links),
        ("POST", "batch/associate/default", create_plain_links),
        ("GET", "labels", labels),
    )
    for method, path, handler in of_one:
        api.add(method, "one association", path, handler, bucket="associations")
    for method, path, handler in of_many:
        full = f"/<kind:start>/<kind:end>/{path}"
        api.add(method, "associations", full, handler, bucket="associations")


def link_plainly(call: ApiCall, start: ObjectType, start_id: str, end: ObjectType, end_id: str) -> Reply:
    """Make the plain association; repeating it is harmless."""
    call.need(start.write, _seen(end))
    pair = (call.portal.live(start, start_id), call.portal.live(end, end_id))
    return 200, finished(call, _link_plainly(call, pair), [])


def link_with_labels(call: ApiCall, start: ObjectType, start_id: str, end: ObjectType, end_id: str) -> Reply:
    """Add types to what is there. The body is a list of types."""
    call.need(start.write, _seen(end))
    wanted = call.json
    if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
        raise bad_request("Invalid input JSON: a list of association types is expected")
    pair = (call.portal.live(start, start_id), call.portal.live(end, end_id))
    return 201, _link(call, pair, wanted)


def unlink(call: ApiCall, start: ObjectType, start_id: str, end: ObjectType, end_id: str) -> Reply:
    """Take away all types between two records; repeating it is harmless."""
    call.need(start.write, _seen(end))
    call.portal.unlink(call.portal.live(start, start_id), call.portal.live(end, end_id), call.source)
    return 204, None


def links_of_one(call: ApiCall, start: ObjectType, start_id: str, end: ObjectType) -> Reply:
    call.need(start.read, end.read)
    limit = call.number("limit", default=PAGE_LIMIT, most=PAGE_LIMIT)
    after = call.query.get("after", "0")
    if not after.isdecimal():
        raise bad_request("after is not a paging cursor")
    call.portal.links.types((start.name, end.name))
    found = call.portal.linked(call.portal.live(start, start_id), end)
    page = found[int(after) : int(after) + limit]
    body: dict[str, Any] = {"results": _ends(page)}
    if int(after) + limit < len(found):
        body["paging"] = {"next": {"after": str(int(after) + limit)}}
    return 200, body


def read_links(call: ApiCall, start: ObjectType, end: ObjectType) -> Reply:
    """The associations of many; a record without any is an error inside a 207."""
    call.need(start.read, end.read)
    results: Shown = []
    errors: Shown = []
    call.portal.links.types((start.name, end.name))
    for one in inputs(call.body, limit=READ_LIMIT):
        record = call.portal.tables[start.name].records.get(required_text(one, "id"))
        found = [] if record is None or not record.is_live else call.portal.linked(record, end)
        if found:
            results.append({"from": {"id": one["id"]}, "to": _ends(found)})
        else:
            errors.append(_no_links(start, end, one["id"]).batch_error())
    return (207 if errors else 200), finished(call, results, errors)


def create_links(call: ApiCall, start: ObjectType, end: ObjectType) -> Reply:
    """Associate many pairs, each with the types it asks for."""

    def apply(pair: Ends, one: Body) -> Shown:
        return [_link(call, pair, objects(one, "types"))]

    return _linked_batch(call, start, end, apply, status=201)


def create_plain_links(call: ApiCall, start: ObjectType, end: ObjectType) -> Reply:
    return _linked_batch(call, start, end, lambda pair, _: _link_plainly(call, pair), status=200)


def labels(call: ApiCall, start: ObjectType, end: ObjectType) -> Reply:
    call.need(start.read)
    types = call.portal.links.types((start.name, end.name))
    return 200, {"results": [one.as_json() for one in types]}


def _linked_batch(
    call: ApiCall,
    start: ObjectType,
    end: ObjectType,
    apply: Callable[[Ends, Body], Shown],
    *,
    status: int,
) -> Reply:
    call.need(start.write, _seen(end))
    results: Shown = []
    errors: Shown = []
    for one in inputs(call.body, limit=CREATE_LIMIT):
        start_id = required_text(child(one, "from"), "id")
        end_id = required_text(child(one, "to"), "id")
        try:
            pair = (_end(call, start, start_id), _end(call, end, end_id))
            results += apply(pair, one)
        except Refusal as refusal:
            context = {"fromObjectId": [start_id], "toObjectId": [end_id]}
            errors.append({**refusal.batch_error(), "context": context})
    return (207 if errors else status), finished(call, results, errors)


def _end(call: ApiCall, kind: ObjectType, record_id: str) -> Record:
    record = call.portal.tables[kind.name].records.get(record_id)
    if record is None or not record.is_live:
        raise not_found(f"{kind.upper} {record_id} does not exist")
    return record


def _link_plainly(call: ApiCall, pair: Ends) -> Shown:
    """Associate and show both directions, as HubSpot does."""
    start, end = pair
    kinds = (start.kind.name, end.kind.name)
    there = call.portal.links.plain(kinds)
    call.portal.link(start, end, [], call.source)
    back = call.portal.links.reverse(kinds, there)
    return [_direction(start, end, there), _direction(end, start, back)]


def _direction(start: Record, end: Record, one: LinkType) -> dict[str, Any]:
    return {"from": {"id": start.id}, "to": {"id": end.id}, "associationSpec": one.as_spec()}


def _link(call: ApiCall, pair: Ends, wanted: Sequence[Body]) -> dict[str, Any]:
    start, end = pair
    kinds = (start.kind.name, end.kind.name)
    types = [call.portal.links.typed(kinds, *one) for one in read_types(wanted)]
    held = call.portal.link(start, end, types, call.source)
    return {
        "fromObjectTypeId": start.kind.type_id,
        "fromObjectId": start.id,
        "toObjectTypeId": end.kind.type_id,
        "toObjectId": end.id,
        "labels": [one.label for one in held if one.label is not None],
    }


def _ends(found: Sequence[tuple[Record, Sequence[LinkType]]]) -> Shown:
    return [{"toObjectId": record.id, "associationTypes": [one.as_json() for one in types]} for record, types in found]


def _no_links(start: ObjectType, end: ObjectType, start_id: str) -> Refusal:
    return Refusal(
        404,
        NOT_FOUND,
        f"No {end.singular} is associated with {start.singular} {start_id}.",
        sub_category="crm.associations.NO_ASSOCIATIONS_FOUND",
        context={
            "fromObjectId": [start_id],
            "fromObjectType": [start.singular],
            "toObjectType": [end.singular],
        },
    )


def _seen(kind: ObjectType) -> tuple[str, ...]:
    """The far end of an association must at least be readable."""
    return tuple(dict.fromkeys((*kind.write, *kind.read)))
