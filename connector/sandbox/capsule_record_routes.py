"""Routes of parties, projects and opportunities: list, read, make, change, delete, filter, and their contacts."""

from __future__ import annotations

from uuid import uuid4

from .capsule_api import Api, ApiCall, Reply, number_of, numbers_of
from .capsule_errors import Fault, invalid, not_found
from .capsule_index import search
from .capsule_records import Record, seconds
from .capsule_stock import KASES, KINDS, OPPORTUNITIES, PARTIES, Kind
from .capsule_views import NO_EMBED


def add_record_routes(api: Api) -> None:
    """The same routes for the three kinds, then those that only some have."""
    for kind in KINDS.values():
        _add_kind(api, kind)
    for kind in (KASES, OPPORTUNITIES):
        _add_contacts(api, kind)
        api.add(
            "GET", f"/parties/<record_id>/{kind.plural}", lambda call, record_id, k=kind: of_party(call, k, record_id)
        )
    api.add("GET", "/parties/search", search_parties)
    api.add("GET", "/parties/<record_id>/people", people_of)
    api.add("GET", "/jobs/<job_id>", show_job)


def _add_kind(api: Api, kind: Kind) -> None:
    base = f"/{kind.plural}"
    api.add("GET", base, lambda call: list_records(call, kind))
    api.add("POST", base, lambda call: create_record(call, kind))
    api.add("GET", f"{base}/deleted", lambda call: list_deleted(call, kind))
    api.add("POST", f"{base}/filters/results", lambda call: filter_records(call, kind), scope="read")
    api.add("GET", f"{base}/<record_ids>", lambda call, record_ids: show_records(call, kind, record_ids))
    api.add("PUT", f"{base}/<record_id>", lambda call, record_id: change_record(call, kind, record_id))
    api.add("DELETE", f"{base}/<record_id>", lambda call, record_id: delete_record(call, kind, record_id))


def _add_contacts(api: Api, kind: Kind) -> None:
    base = f"/{kind.plural}/<record_id>/parties"
    api.add("GET", base, lambda call, record_id: list_contacts(call, kind, record_id))
    for method, attach in (("POST", True), ("DELETE", False)):
        api.add(
            method,
            f"{base}/<party_id>",
            lambda call, record_id, party_id, on=attach: contact(call, kind, record_id, party_id, attach=on),
        )


def list_records(call: ApiCall, kind: Kind) -> Reply:
    since, embed, status = call.since(), call.embed(kind), call.query.get("status")
    found = [
        one
        for one in call.account.tables[kind.plural].visible()
        if (since is None or one.updated_at > since)
        and (status is None or kind is not KASES or one.values["status"] == status)
    ]
    return call.page(kind.plural, found, lambda one: call.views.record(one, embed))


def list_deleted(call: ApiCall, kind: Kind) -> Reply:
    """Those that are gone, and those that went out of the user's sight; both since a time that must be given."""
    since = call.since(required=True)
    table = call.account.tables[kind.plural]
    deleted = [one for one in reversed(table.deleted) if since is None or one.at > since]
    hidden = [
        {"id": one.id, "isRestricted": True}
        for one in table.records.values()
        if one.restricted_at is not None and (since is None or one.restricted_at > since)
    ]
    reply = call.page(kind.plural, deleted, lambda one: {"id": one.id, "deletedAt": seconds(one.at)})
    reply.body[kind.restricted] = hidden
    return reply


def show_records(call: ApiCall, kind: Kind, record_ids: str) -> Reply:
    """One record, or up to ten: of several, those that are not there are left out."""
    ids, embed = numbers_of(record_ids, kind.singular), call.embed(kind)
    if len(ids) == 1:
        return Reply(200, {kind.singular: call.views.record(call.account.record(kind, ids[0]), embed)})
    found = [one for record_id in dict.fromkeys(ids) if (one := call.account.tables[kind.plural].find(record_id))]
    return Reply(200, {kind.plural: [call.views.record(one, embed) for one in found]})


def create_record(call: ApiCall, kind: Kind) -> Reply:
    values, apply = call.rules.create(kind, call.envelope(kind.singular))
    made = call.account.create(kind, values, apply)
    shown = call.views.record(made, _embed_of_write(call, kind))
    return Reply(201, {kind.singular: shown}, {"Location": f"/api/v2/{kind.plural}/{made.id}"})


def change_record(call: ApiCall, kind: Kind, record_id: str) -> Reply:
    record = call.account.record(kind, number_of(record_id, kind.singular))
    values, apply = call.rules.update(record, call.envelope(kind.singular))
    call.account.change(record, values, apply)
    return Reply(200, {kind.singular: call.views.record(record, _embed_of_write(call, kind))})


def _embed_of_write(call: ApiCall, kind: Kind) -> frozenset[str]:
    return call.embed(kind) if call.account.settings.embed_on_write else NO_EMBED


def delete_record(call: ApiCall, kind: Kind, record_id: str) -> Reply:
    """Gone for good; a party with much on it goes by a job."""
    record = call.account.record(kind, number_of(record_id, kind.singular))
    cases = [one for plural in ("kases", "opportunities") for one in call.account.tables[plural].records.values()]
    is_large = sum(one.values.get("party") == record.id for one in cases) > call.account.settings.large_party
    call.account.delete(record)
    if kind is not PARTIES or not is_large:
        return Reply(204)
    job = str(uuid4())
    call.account.jobs[job] = {"id": job, "action": "DELETE_PARTY", "status": "COMPLETE", "progress": 100}
    return Reply(202, None, {"Location": f"/api/v2/jobs/{job}"})


def filter_records(call: ApiCall, kind: Kind) -> Reply:
    embed = call.embed(kind)
    found = search(call.account, kind, call.json())
    return call.page(kind.plural, found, lambda one: call.views.record(one, embed))


def list_contacts(call: ApiCall, kind: Kind, record_id: str) -> Reply:
    record = call.account.record(kind, number_of(record_id, kind.singular))
    parties = [call.account.record(PARTIES, one) for one in record.contacts]
    return call.page("parties", parties, call.views.record)


def contact(call: ApiCall, kind: Kind, record_id: str, party_id: str, *, attach: bool) -> Reply:
    """Attach or detach an additional contact; the answer has no body."""
    record = call.account.record(kind, number_of(record_id, kind.singular))
    party = call.account.record(PARTIES, number_of(party_id, "party"))
    what = "project" if kind is KASES else kind.singular
    if not attach:
        if party.id not in record.contacts:
            raise not_found("party")
        del record.contacts[party.id]
        return Reply(204)
    if party.id == record.values["party"]:
        raise invalid(Fault(f"party is already related to this {what}", kind.singular, "party"))
    if party.id in record.contacts:
        raise invalid(Fault(f"party is already a contact for this {what}", kind.singular, "party"))
    record.contacts[party.id] = None
    return Reply(204)


def of_party(call: ApiCall, kind: Kind, record_id: str) -> Reply:
    party, embed = call.account.record(PARTIES, number_of(record_id, "party")), call.embed(kind)
    found = [one for one in call.account.tables[kind.plural].visible() if one.values["party"] == party.id]
    return call.page(kind.plural, found, lambda one: call.views.record(one, embed))


def people_of(call: ApiCall, record_id: str) -> Reply:
    organisation = call.account.record(PARTIES, number_of(record_id, "party"))
    parties = call.account.tables[PARTIES.plural].visible()
    found = [one for one in parties if one.values.get("organisation") == organisation.id]
    return call.page("parties", found, lambda one: call.views.record(one, call.embed(PARTIES)))


def search_parties(call: ApiCall) -> Reply:
    """Free text over names and addresses, as the index knows them."""
    wanted = call.query.get("q", "").casefold()

    def fits(one: Record) -> bool:
        known = one.indexed(call.account.horizon) or {}
        return any(wanted in str(text).casefold() for text in (known.get("name"), *known.get("email", ())))

    found = [one for one in call.account.tables[PARTIES.plural].visible() if wanted and fits(one)]
    return call.page("parties", found, lambda one: call.views.record(one, call.embed(PARTIES)))


def show_job(call: ApiCall, job_id: str) -> Reply:
    if job_id not in call.account.jobs:
        raise not_found("job")
    return Reply(200, {"job": call.account.jobs[job_id]})
