"""REST hooks: who is subscribed to what, and the deliveries, which nobody signs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .capsule_account import Account
from .capsule_errors import Fault, invalid, not_found
from .capsule_records import Record, seconds
from .capsule_settings import Settings
from .capsule_stock import User
from .capsule_views import Views
from .kernel import Deliveries

MOST = 20
RETRIES = (1.0, 10.0, 60.0)
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "party": ("created", "updated", "deleted"),
    "kase": ("created", "updated", "deleted", "closed", "moved"),
    "opportunity": ("created", "updated", "deleted", "closed", "moved"),
    "task": ("created", "updated", "completed"),
    "user": ("created", "updated", "deleted"),
}


@dataclass(frozen=True, slots=True)
class Hook:
    id: int
    event: str
    target: str
    description: str | None
    embed: frozenset[str]
    user: int
    client_id: str
    created: str

    def view(self, user: User) -> dict[str, Any]:
        return {
            "id": self.id,
            "event": self.event,
            "targetUrl": self.target,
            "description": self.description,
            "embed": ",".join(sorted(self.embed)) or None,
            "batched": True,
            "user": user.nested(),
            "clientId": self.client_id,
            "createdAt": self.created,
            "updatedAt": self.created,
        }


class Hooks:
    """The account's hooks and what they are told. Deliveries carry no signature and no name of the account."""

    def __init__(self, settings: Settings, deliveries: Deliveries, account: Callable[[], Account]) -> None:
        self._settings = settings
        self._deliveries = deliveries
        self._account = account
        self.all: dict[int, Hook] = {}

    def subscribe(self, body: Mapping[str, Any], client_id: str) -> Hook:
        """Check and keep a new hook."""
        event, target, embed = body.get("event"), body.get("targetUrl"), body.get("embed")
        if not isinstance(event, str) or event not in self._events():
            raise invalid(Fault("event is not supported", "restHook", "event"))
        if not isinstance(target, str) or urlsplit(target).scheme not in ("http", "https"):
            raise invalid(Fault("target url is invalid", "restHook", "targetUrl"))
        if len(self.all) + self._settings.foreign_hooks >= MOST:
            raise invalid(Fault(f"a maximum of {MOST} REST hooks can be subscribed", "restHook", "event"))
        account = self._account()
        hook = Hook(
            account.new_id(),
            event,
            target,
            body.get("description"),
            frozenset(str(embed).split(",")) if embed else frozenset(),
            account.connector.id,
            client_id,
            seconds(account.now()),
        )
        self.all[hook.id] = hook
        return hook

    def get(self, hook_id: int, client_id: str | None) -> Hook:
        """A hook of that application; those of others are not there."""
        found = self.all.get(hook_id)
        if found is None or found.client_id != client_id:
            raise not_found("restHook")
        return found

    def announce(self, event: str, records: list[Record], *, gone: bool = False) -> None:
        """Tell every hook of that event, all records in one delivery."""
        views = Views(self._account())
        for hook in self.all.values():
            if hook.event != event:
                continue
            if gone and self._settings.deleted_payload == "id":
                payload: list[Any] = [{"id": one.id} for one in records]
            else:
                payload = [views.record(one, hook.embed) for one in records]
            self.send(hook, payload)

    def send(self, hook: Hook, payload: list[Any]) -> None:
        body = json.dumps({"event": hook.event, "payload": payload}, ensure_ascii=False).encode()
        self._deliveries.send(hook.target, body, [hook.event])

    def _events(self) -> set[str]:
        named = {**OPERATIONS, self._settings.hook_prefix: OPERATIONS["kase"]}
        if self._settings.hook_prefix != "kase":
            del named["kase"]
        return {f"{entity}/{operation}" for entity, operations in named.items() for operation in operations}
