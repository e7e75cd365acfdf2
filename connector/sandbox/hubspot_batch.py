"""Batches of records, and when a batch may succeed in part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .hubspot_api import Api, ApiCall, Reply
from .hubspot_body import Body, child, inputs, objects, optional_text, required_text, texts
from .hubspot_errors import CONFLICT, Refusal, bad_request, unknown_ids
from .hubspot_objects import by_unique_value, is_own_id, planned_links, written
from .hubspot_records import Record
from .hubspot_stock import CONTACTS, ObjectType
from .kernel_clock import iso

Apply = Callable[[], dict[str, Any]]
Plan = Callable[[Body], Apply]
"""Checks one input, changing nothing, and returns what carries it out."""


def add_batch_routes(api: Api) -> None:
    for name, handler in {
        "read": read_batch,
        "create": create_batch,
        "update": update_batch,
        "upsert": upsert_batch,
        "archive": archive_batch,
    }.items():
        api.add("POST", "objects", f"/<kind:kind>/batch/{name}", handler)


def read_batch(call: ApiCall, kind: ObjectType) -> Reply:
    """Read up to 100; ids without a live record are named under `errors` of a 207."""
    call.need(kind.read)
    body = call.body
    wanted = [required_text(one, "id") for one in inputs(body)]
    _refuse_doubles(wanted)
    view = call.view(kind, texts(body, "properties"), texts(body, "propertiesWithHistory"))
    archived = call.flag("archived")
    id_property = optional_text(body, "idProperty")
    found = [_read_one(call, kind, key, id_property, archived=archived) for key in wanted]
    results = [view.show(record) for record in found if record is not None]
    missing = [key for key, record in zip(wanted, found, strict=True) if record is None]
    errors = [unknown_ids(kind.upper, missing).batch_error()] if missing else []
    return (207 if errors else 200), finished(call, results, errors)


def create_batch(call: ApiCall, kind: ObjectType) -> Reply:
    call.need(kind.write)

    def plan(one: Body) -> Apply:
        properties = child(one, "properties")
        links = planned_links(call.portal, kind, objects(one, "associations"))
        call.portal.rules.checked(kind, properties, version=call.version)
        return lambda: _created(
            call, one, call.portal.create(kind, properties, call.source, links=links, version=call.version)
        )

    return _written_batch(call, kind, plan, status=201)


def update_batch(call: ApiCall, kind: ObjectType) -> Reply:
    """Change by record id or by a unique property of the portal's own; a contact not by its address."""
    call.need(kind.write)
    wanted = inputs(call.body)
    _refuse_doubles([required_text(one, "id") for one in wanted])

    def plan(one: Body) -> Apply:
        key, id_property = required_text(one, "id"), optional_text(one, "idProperty")
        if id_property == "email":
            raise bad_request("Contacts cannot be updated in a batch by email")
        record = _existing(call, kind, key, id_property)
        return _planned_update(call, record, child(one, "properties"), one)

    return _written_batch(call, kind, plan, status=200)


def upsert_batch(call: ApiCall, kind: ObjectType) -> Reply:
    """Create or change by a unique property. With e-mail addresses as the key it is all or nothing."""
    call.need(kind.write)
    wanted = inputs(call.body)
    _refuse_doubles([_key(one) for one in wanted])

    def plan(one: Body) -> Apply:
        key, id_property = required_text(one, "id"), optional_text(one, "idProperty")
        if "associations" in one:
            raise bad_request("associations are not supported in an upsert")
        if is_own_id(id_property):
            record: Record | None = _existing(call, kind, key, None)
            properties = dict(child(one, "properties"))
        else:
            name = str(id_property)
            record = by_unique_value(call.portal, kind, name, key)
            properties = {**child(one, "properties")}
            if properties.setdefault(name, key) != key:
                raise bad_request(f"id and the value of {name} differ")
        if record is not None:
            update = _planned_update(call, record, properties, one)
            return lambda: {**update(), "new": False}
        call.portal.rules.checked(kind, properties, version=call.version)
        return lambda: {
            **_created(call, one, call.portal.create(kind, properties, call.source, version=call.version)),
            "new": True,
        }

    by_address = kind is CONTACTS and any(one.get("idProperty") == "email" for one in wanted)
    return _written_batch(call, kind, plan, status=200, may_be_partial=not by_address)


def archive_batch(call: ApiCall, kind: ObjectType) -> Reply:
    """Archive up to 100; those already gone are passed over."""
    call.need(kind.write)
    wanted = [required_text(one, "id") for one in inputs(call.body)]
    _refuse_doubles(wanted)
    for record_id in wanted:
        record = call.portal.tables[kind.name].records.get(record_id)
        if record is not None and record.is_live:
            call.portal.archive(record, call.source)
    return 204, None


def finished(call: ApiCall, results: Sequence[dict[str, Any]], errors: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The envelope of a batch. Results come in no promised order: by default the last is first."""
    now = iso(call.portal.now())
    settings = call.portal.settings
    body: dict[str, Any] = {
        "status": "COMPLETE",
        "results": list(reversed(results)) if settings.batch_order == "reversed" else list(results),
        "startedAt": now,
        "completedAt": now,
    }
    if errors:
        body |= {"numErrors": len(errors), "errors": list(errors)}
    if settings.surplus_fields:
        body["futureField"] = "of no known version"
    return body


def _written_batch(call: ApiCall, kind: ObjectType, plan: Plan, *, status: int, may_be_partial: bool = True) -> Reply:
    """Check every input, then carry out the good ones, or none.

    Some may fail while others succeed only if each input has a trace id of its own.
    """
    wanted = inputs(call.body)
    _refuse_twins(call, kind, wanted)
    planned: list[Apply] = []
    refused: list[tuple[Body, Refusal]] = []
    for one in wanted:
        try:
            planned.append(plan(one))
        except Refusal as refusal:
            refused.append((one, refusal))
    if refused and not (may_be_partial and _are_traced(wanted)):
        raise _all_refused([refusal for _, refusal in refused])
    errors = [refusal.batch_error(str(one["objectWriteTraceId"])) for one, refusal in refused]
    results = [apply() for apply in planned]
    return (207 if errors else status), finished(call, results, errors)


def _planned_update(call: ApiCall, record: Record, properties: Body, one: Body) -> Apply:
    call.portal.rules.checked(record.kind, properties, record=record, version=call.version)

    def apply() -> dict[str, Any]:
        names = call.portal.update(record, properties, call.source, version=call.version)
        return written(call, record, names, one)

    return apply


def _created(call: ApiCall, one: Body, made: Record) -> dict[str, Any]:
    return written(call, made, made.properties, one)


def _existing(call: ApiCall, kind: ObjectType, key: str, id_property: str | None) -> Record:
    if is_own_id(id_property):
        return call.portal.exact(kind, key)
    found = by_unique_value(call.portal, kind, str(id_property), key)
    if found is None:
        raise unknown_ids(kind.upper, [key])
    return found


def _read_one(call: ApiCall, kind: ObjectType, key: str, id_property: str | None, *, archived: bool) -> Record | None:
    """A record by its own id only: batches do not know the ids of merged-away ones."""
    if not is_own_id(id_property):
        return by_unique_value(call.portal, kind, str(id_property), key)
    found = call.portal.tables[kind.name].records.get(key)
    if found is None or found.merged_into is not None:
        return None
    return found if (found.archived_at is not None) is archived else None


def _are_traced(wanted: Sequence[Body]) -> bool:
    traces = [one.get("objectWriteTraceId") for one in wanted]
    return all(isinstance(one, str) and one for one in traces) and len(set(traces)) == len(traces)


def _key(one: Body) -> str:
    """What an upsert looks for; addresses are equal whatever their case."""
    key = required_text(one, "id")
    return key.casefold() if one.get("idProperty") == "email" else key


def _refuse_doubles(ids: Sequence[str]) -> None:
    doubles = sorted({one for one in ids if ids.count(one) > 1})
    if doubles:
        raise bad_request(f"Duplicate IDs found in batch input: [{', '.join(doubles)}]. IDs must be unique")


def _refuse_twins(call: ApiCall, kind: ObjectType, wanted: Sequence[Body]) -> None:
    """Two inputs cannot give the same value to a unique property."""
    for name in call.portal.tables[kind.name].schema.unique_names():
        values = [str(value) for one in wanted if (value := child(one, "properties").get(name))]
        if len(set(values)) < len(values):
            raise bad_request(f"Duplicate values of {name} found in batch input")


def _all_refused(refusals: Sequence[Refusal]) -> Refusal:
    """One bad input fails the lot: the message is the first one's, the errors are everybody's."""
    first = refusals[0]
    status = 409 if first.category == CONFLICT else 400
    context = {key: values for refusal in refusals for key, values in refusal.context.items()}
    errors = [error for refusal in refusals for error in refusal.errors]
    return Refusal(status, first.category, first.message, context=context, errors=errors)
