"""Routes of the portal's set-up: account, properties and their groups, pipelines, owners."""

from __future__ import annotations

from collections.abc import Callable

from .hubspot_api import Api, ApiCall, Reply
from .hubspot_errors import bad_request
from .hubspot_gate import Gate
from .hubspot_stock import TICKETS, ObjectType
from .kernel_clock import iso

OWNER_PAGE = 100
OWNERS_READ = ("crm.objects.owners.read",)
STAGE_ID_SINCE = "2026-09"


def add_set_up_routes(api: Api, account: Account) -> None:
    """Routes that read and extend the set-up; nothing here changes or removes what is there."""
    api.add("GET", "account", "/details", account.details)
    api.add("GET", "account", "/api-usage/daily/private-apps", account.daily_usage)
    api.add("GET", "properties", "/<kind:kind>", list_properties)
    api.add("POST", "properties", "/<kind:kind>", make_property)
    api.add("GET", "properties", "/<kind:kind>/<name>", get_property)
    api.add("GET", "properties", "/<kind:kind>/groups", list_groups)
    api.add("POST", "properties", "/<kind:kind>/groups", make_group)
    api.add("GET", "properties", "/<kind:kind>/groups/<name>", get_group)
    api.add("GET", "pipelines", "/<kind:kind>", list_pipelines)
    api.add("GET", "pipelines", "/<kind:kind>/<pipeline_id>", get_pipeline)
    api.add("GET", "pipelines", "/<kind:kind>/<pipeline_id>/stages", list_stages)
    api.add("POST", "pipelines", "/<kind:kind>/<pipeline_id>/stages", make_stage)
    api.add("GET", "owners", "", list_owners)
    api.add("GET", "owners", "/<key>", get_owner)


class Account:
    """What the portal says of itself and of its use."""

    def __init__(self, gate: Callable[[], Gate]) -> None:
        self._gate = gate

    def details(self, call: ApiCall) -> Reply:
        return 200, {
            "portalId": call.portal.portal_id,
            "timeZone": "UTC",
            "accountType": "STANDARD",
            "companyCurrency": "EUR",
            "additionalCurrencies": [],
            "utcOffset": "+00:00",
            "utcOffsetMilliseconds": 0,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        }

    def daily_usage(self, call: ApiCall) -> Reply:
        """The day's calls of apps with a static token; an OAuth app has no daily limit to read."""
        if call.admission.credential != "static":
            return 200, {"results": []}
        gate = self._gate()
        usage = {
            "name": "private-apps-api-calls-daily",
            "currentUsage": gate.used_today,
            "usageLimit": call.portal.settings.daily,
            "resetsAt": iso(gate.resets_at),
            "collectedAt": iso(call.portal.now()),
            "fetchStatus": "SUCCESS",
        }
        return 200, {"results": [usage]}


def list_properties(call: ApiCall, kind: ObjectType) -> Reply:
    _need_schema(call, kind)
    found = call.portal.schemas[kind.name].listed(archived=call.flag("archived"))
    return 200, {"results": [one.as_json() for one in found]}


def get_property(call: ApiCall, kind: ObjectType, name: str) -> Reply:
    _need_schema(call, kind)
    return 200, call.portal.schemas[kind.name].get(name, archived=call.flag("archived")).as_json()


def make_property(call: ApiCall, kind: ObjectType) -> Reply:
    call.need(kind.schema_write)
    return 201, call.portal.schemas[kind.name].add(call.body, now=call.portal.now()).as_json()


def list_groups(call: ApiCall, kind: ObjectType) -> Reply:
    _need_schema(call, kind)
    schema = call.portal.schemas[kind.name]
    return 200, {"results": [schema.group_json(name) for name in schema.groups]}


def get_group(call: ApiCall, kind: ObjectType, name: str) -> Reply:
    _need_schema(call, kind)
    return 200, call.portal.schemas[kind.name].group_json(name)


def make_group(call: ApiCall, kind: ObjectType) -> Reply:
    call.need(kind.schema_write)
    schema = call.portal.schemas[kind.name]
    return 201, schema.group_json(schema.add_group(call.body))


def list_pipelines(call: ApiCall, kind: ObjectType) -> Reply:
    _need_pipelines(call, kind)
    return 200, {"results": [one.as_json() for one in call.portal.pipelines.by_id.values()]}


def get_pipeline(call: ApiCall, kind: ObjectType, pipeline_id: str) -> Reply:
    _need_pipelines(call, kind)
    return 200, call.portal.pipelines.get(pipeline_id).as_json()


def list_stages(call: ApiCall, kind: ObjectType, pipeline_id: str) -> Reply:
    _need_pipelines(call, kind)
    return 200, {"results": call.portal.pipelines.get(pipeline_id).as_json()["stages"]}


def make_stage(call: ApiCall, kind: ObjectType, pipeline_id: str) -> Reply:
    _need_pipelines(call, kind)
    may_choose = call.version >= STAGE_ID_SINCE and call.version.startswith("2")
    stage = call.portal.pipelines.add_stage(pipeline_id, call.body, may_choose_id=may_choose)
    return 201, stage.as_json()


def list_owners(call: ApiCall) -> Reply:
    call.need(OWNERS_READ)
    limit = call.number("limit", default=OWNER_PAGE, most=500)
    found = call.portal.owners.listed(email=call.query.get("email"), archived=call.flag("archived"))
    after = call.query.get("after", "0")
    if not after.isdecimal():
        raise bad_request("after is not a paging cursor")
    rest = [owner for owner in found if int(owner.id) > int(after)]
    body: dict[str, object] = {"results": [owner.as_json() for owner in rest[:limit]]}
    if len(rest) > limit:
        body["paging"] = {"next": {"after": rest[limit - 1].id}}
    return 200, body


def get_owner(call: ApiCall, key: str) -> Reply:
    call.need(OWNERS_READ)
    id_property = call.query.get("idProperty", "id")
    if id_property not in {"id", "userId"}:
        raise bad_request("idProperty must be id or userId")
    owner = call.portal.owners.get(key, by_user=id_property == "userId", archived=call.flag("archived"))
    return 200, owner.as_json()


def _need_schema(call: ApiCall, kind: ObjectType) -> None:
    """Whoever may read or define an object type may read its properties."""
    call.need((*kind.read, *kind.schema_write))


def _need_pipelines(call: ApiCall, kind: ObjectType) -> None:
    call.need(kind.read)
    if kind is not TICKETS:
        raise bad_request(f"{kind.name} have no pipelines")
