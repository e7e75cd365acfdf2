"""Routes of what an account is set up with: custom fields, boards, pipelines, teams, users, hooks, the site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .capsule_api import Api, ApiCall, Reply, number_of
from .capsule_errors import Fault, invalid, not_found
from .capsule_stock import COUNTRIES, CREATABLE_TYPES, KINDS, Definition, Kind, Named, Step

STATES = ("active", "archived", "all", "nonempty")
USER_EMBEDS = frozenset({"party"})


def add_set_up_routes(api: Api) -> None:
    """What `connector setup` and `connector doctor` look at."""
    for kind in KINDS.values():
        base = f"/{kind.plural}/fields/definitions"
        api.add("GET", base, lambda call, k=kind: list_definitions(call, k))
        api.add("POST", base, lambda call, k=kind: create_definition(call, k))
        api.add("GET", f"{base}/<field_id>", lambda call, field_id, k=kind: show_definition(call, k, field_id))
    api.add("GET", "/boards", list_boards)
    api.add("GET", "/boards/<board_id>", show_board)
    api.add("GET", "/boards/<board_id>/stages", list_stages)
    api.add("GET", "/stages", list_stages)
    api.add("GET", "/pipelines", _plain("pipelines", lambda call: call.account.pipelines.values()))
    api.add("GET", "/pipelines/<pipeline_id>/milestones", list_milestones)
    api.add("GET", "/milestones", list_milestones)
    api.add("GET", "/teams", _plain("teams", lambda call: call.account.teams.values()))
    api.add("GET", "/activitytypes", _plain("activityTypes", lambda call: call.account.activities.values()))
    api.add("GET", "/users", list_users)
    api.add("GET", "/users/current", current_user)
    api.add("GET", "/users/<user_id>", show_user)
    api.add("GET", "/site", show_site)
    api.add("GET", "/countries", lambda _: Reply(200, {"countries": [{"name": one} for one in COUNTRIES]}))
    api.add("GET", "/resthooks", list_hooks)
    api.add("POST", "/resthooks", create_hook)
    api.add("GET", "/resthooks/<hook_id>", show_hook)
    api.add("DELETE", "/resthooks/<hook_id>", delete_hook)


def _plain(key: str, things: Callable[[ApiCall], Any]) -> Callable[[ApiCall], Reply]:
    return lambda call: call.page(key, things(call), Named.nested)


def list_definitions(call: ApiCall, kind: Kind) -> Reply:
    found = call.account.definitions_of(kind)
    return call.page("definitions", found, lambda one: one.view(found.index(one)))


def show_definition(call: ApiCall, kind: Kind, field_id: str) -> Reply:
    found = call.account.definitions.get(number_of(field_id, "field"))
    if found is None or found.kind != kind.plural:
        raise not_found("field")
    return Reply(200, {"definition": found.view(0)})


def create_definition(call: ApiCall, kind: Kind) -> Reply:
    """A name is taken once for each kind, whatever its case."""
    body = call.envelope("definition")
    name, wanted, options = body.get("name"), body.get("type"), body.get("options") or []
    if not isinstance(name, str) or not name.strip():
        raise invalid(Fault("name is required", "fieldDefinition", "name"))
    if any(one.name.casefold() == name.casefold() for one in call.account.definitions_of(kind)):
        raise invalid(Fault("name must be unique", "fieldDefinition", "name"))
    if wanted not in CREATABLE_TYPES:
        raise invalid(Fault("type is not supported", "fieldDefinition", "type"))
    if (wanted == "list") is not bool(options):
        raise invalid(Fault("options are for lists, which need some", "fieldDefinition", "options"))
    made: Definition = call.account.define(
        kind,
        name,
        str(wanted),
        options=[str(one) for one in options],
        description=body.get("description"),
        important=bool(body.get("important")),
    )
    return Reply(201, {"definition": made.view(len(call.account.definitions_of(kind)) - 1)})


def list_boards(call: ApiCall) -> Reply:
    state = _state(call)
    found = [one for one in call.account.boards.values() if _shown(one.archived, state)]
    return call.page("boards", found, Named.nested)


def show_board(call: ApiCall, board_id: str) -> Reply:
    found = call.account.boards.get(number_of(board_id, "board"))
    if found is None:
        raise not_found("board")
    return Reply(200, {"board": found.nested()})


def list_stages(call: ApiCall, board_id: str | None = None) -> Reply:
    """The stages of one board or of all of them, archived ones only on request."""
    state = _state(call)
    board = None if board_id is None else number_of(board_id, "board")
    if board is not None and board not in call.account.boards:
        raise not_found("board")
    found = [one for one in call.account.stages.values() if board in (None, one.parent) and _shown(one.archived, state)]
    found.sort(key=lambda one: (one.parent, one.order))
    return call.page("stages", found, lambda one: call.views.step(one, "board"))


def list_milestones(call: ApiCall, pipeline_id: str | None = None) -> Reply:
    """The milestones of a pipeline; without one, those of the oldest."""
    pipeline = min(call.account.pipelines) if pipeline_id is None else number_of(pipeline_id, "pipeline")
    if pipeline not in call.account.pipelines:
        raise not_found("pipeline")
    found: list[Step] = [one for one in call.account.milestones.values() if one.parent == pipeline]
    return call.page("milestones", found, lambda one: call.views.step(one, "pipeline"))


def list_users(call: ApiCall) -> Reply:
    embed = call.embed(USER_EMBEDS)
    return call.page("users", call.account.users.values(), lambda one: call.views.user(one, embed))


def current_user(call: ApiCall) -> Reply:
    return Reply(200, {"user": call.views.user(call.account.connector, call.embed(USER_EMBEDS))})


def show_user(call: ApiCall, user_id: str) -> Reply:
    found = call.account.users.get(number_of(user_id, "user"))
    if found is None:
        raise not_found("user")
    return Reply(200, {"user": call.views.user(found, call.embed(USER_EMBEDS))})


def show_site(call: ApiCall) -> Reply:  # noqa: ARG001 - every handler is given the call
    return Reply(200, {"site": {"subdomain": "acme", "name": "Acme", "url": "https://acme.capsulecrm.com"}})


def list_hooks(call: ApiCall) -> Reply:
    """Those of the registered application that asks."""
    mine = [one for one in call.hooks.all.values() if one.client_id == call.caller.client_id]
    return Reply(200, {"restHooks": [one.view(call.account.users[one.user]) for one in mine]})


def create_hook(call: ApiCall) -> Reply:
    call.caller.need_hooks()
    made = call.hooks.subscribe(call.envelope("restHook"), str(call.caller.client_id))
    shown = made.view(call.account.users[made.user])
    return Reply(201, {"restHook": shown}, {"Location": f"/api/v2/resthooks/{made.id}"})


def show_hook(call: ApiCall, hook_id: str) -> Reply:
    found = call.hooks.get(number_of(hook_id, "restHook"), call.caller.client_id)
    return Reply(200, {"restHook": found.view(call.account.users[found.user])})


def delete_hook(call: ApiCall, hook_id: str) -> Reply:
    call.caller.need_hooks()
    found = call.hooks.get(number_of(hook_id, "restHook"), call.caller.client_id)
    del call.hooks.all[found.id]
    return Reply(204)


def _state(call: ApiCall) -> str:
    state = call.query.get("status", "active")
    if state not in STATES:
        raise invalid(Fault("status is not supported", "request", "status"))
    return state


def _shown(archived: bool, state: str) -> bool:
    return state == "all" or archived is (state == "archived")
