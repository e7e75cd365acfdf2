"""The routes around the tickets: tokens, people, groups, fields, statuses, webhooks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Flask, jsonify, request

from .zendesk_account import API_USER
from .zendesk_auth import Tokens
from .zendesk_gate import Api, body_of, paged
from .zendesk_hooks import Hooks
from .zendesk_routes import Office
from .zendesk_views import user_view


def add_oauth_routes(app: Flask, tokens: Callable[[], Tokens], now: Callable[[], datetime]) -> None:
    @app.post("/oauth/tokens")
    def grant() -> Any:
        told = request.get_json(silent=True)
        return jsonify(tokens().grant(told if isinstance(told, dict) else {}, now=now()))


def add_people_routes(api: Api, office: Callable[[], Office]) -> None:
    @api.route("GET", "/users/me", "users")
    def me() -> Any:
        settings = office().account.settings
        return jsonify({"user": {**user_view(office().account.users[API_USER]), "role": settings.role}})

    @api.route("GET", "/users", "users")
    def users() -> Any:
        roles = request.args.getlist("role[]")
        found = [user_view(one) for one in office().account.users.values() if not roles or one["role"] in roles]
        return paged("users", found)

    @api.route("GET", "/users/show_many", "users")
    def shown() -> Any:
        ids = request.args.get("ids", "").split(",")
        users = office().account.users
        return jsonify({"users": [user_view(users[int(one)]) for one in ids if one.isdecimal() and int(one) in users]})

    @api.route("GET", "/groups", "users")
    def groups() -> Any:
        found = [{"id": one, "name": name, "deleted": False} for one, name in office().account.groups.items()]
        return paged("groups", found)


def add_set_up_routes(api: Api, office: Callable[[], Office], hooks: Callable[[], Hooks]) -> None:
    @api.route("GET", "/ticket_fields", "tickets")
    def fields() -> Any:
        return paged("ticket_fields", office().account.fields())

    @api.route("POST", "/ticket_fields", "tickets", admin=True)
    def make_field() -> Any:
        return jsonify({"ticket_field": office().account.check_field(body_of("ticket_field"))}), 201

    @api.route("GET", "/custom_statuses", "tickets")
    def statuses() -> Any:
        return jsonify({"custom_statuses": list(office().account.statuses.values())})

    @api.route("GET", "/webhooks", "webhooks", admin=True)
    def webhooks() -> Any:
        return paged("webhooks", [one.view() for one in hooks().all.values()])

    @api.route("POST", "/webhooks", "webhooks", admin=True)
    def make_webhook() -> Any:
        return jsonify({"webhook": hooks().make(body_of("webhook")).view()}), 201

    @api.route("PATCH", "/webhooks/<hook_id>", "webhooks", admin=True)
    def change_webhook(hook_id: str) -> Any:
        hook = hooks().get(hook_id)
        hook.told |= dict(body_of("webhook"))
        return "", 204

    @api.route("GET", "/webhooks/<hook_id>/signing_secret", "webhooks", admin=True)
    def secret(hook_id: str) -> Any:
        return jsonify({"signing_secret": {"algorithm": "SHA256", "secret": hooks().get(hook_id).secret}})
