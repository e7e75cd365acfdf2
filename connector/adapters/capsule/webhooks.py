"""REST hooks: nobody signs them, so a secret address stands for a signature, and all they say is only a hint.

What a delivery tells of a record may silence a doorbell where it says what is known already; it is never taken over.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from connector.adapters.answers import mapping_of
from connector.adapters.base import Delivery, Event, EventKind, Json, Step, taken
from connector.adapters.capsule.api import Api
from connector.adapters.capsule.records import Records
from connector.adapters.checks import ensured
from connector.adapters.signing import check_path_token, digest, json_of
from connector.adapters.times import moment
from connector.domain.errors import BadDelivery, Refused

OPERATIONS: Final = ("created", "updated", "moved", "closed", "deleted")
EMBED: Final = "fields,tags"
OTHER_NAMES: Final = {"project": "kase"}
MOST: Final = 20
Watched = Callable[[], Sequence[str]]
"""Gives the fields that the mapping reads now."""


class Webhooks:
    """The hooks of one connection. `tokens` are the secret last parts of our address, newest first.

    Only a registered application has hooks: with a personal token, which `managed` tells, there are none.
    """

    answer = staticmethod(taken)

    def __init__(
        self, api: Api, records: Records, tokens: Callable[[], Sequence[str]], watched: Watched, *, managed: bool
    ) -> None:
        self._api, self._records, self._target = api, records, records.target
        self._tokens, self._watched, self._managed = tokens, watched, managed

    def verify(self, delivery: Delivery, *, now: datetime) -> None:  # noqa: ARG002 - nothing tells when it was sent
        """Raises BadDelivery, which is answered 404, unless the address ends with one of our secrets."""
        check_path_token(delivery.path, self._tokens())

    def parse(self, delivery: Delivery) -> list[Event]:
        """The events of a delivery: one for each record, with what it tells of the watched fields. Makes no call."""
        told = mapping_of(json_of(delivery.body))
        payload, name = told.get("payload"), told.get("event")
        if not isinstance(payload, list) or not isinstance(name, str):
            raise BadDelivery("the body is no event with a payload", code="unreadable")
        items = [one for one in payload if isinstance(one, dict) and one.get("id") is not None]
        found = [self._event(name, one) for one in items]
        return list({one.key: one for one in found}.values())

    def _event(self, name: str, item: Json) -> Event:
        entity, _, operation = name.partition("/")
        subject = str(item["id"])
        key, at = f"{name}:{subject}:{digest(json.dumps(item, sort_keys=True))}", moment(item.get("updatedAt"))
        if OTHER_NAMES.get(entity, entity) != self._target.singular or operation not in OPERATIONS:
            return Event(name, EventKind.OTHER, subject, key, moment=at)
        if operation == "deleted":
            return Event(name, EventKind.DELETED, subject, key, ticket_id=subject)
        record = self._records.hinted(item, self._watched())
        return Event(name, EventKind.TICKET, subject, key, ticket_id=subject, record=record, moment=at)

    def subscribe(self, url: str, *, dry_run: bool) -> list[Step]:
        """Have one hook for each event, to our present address; what else of ours is there is removed."""
        if not self._managed:
            told = "a personal token cannot have REST hooks: changes are found by polling; for hooks use an OAuth app"
            return [Step("REST hooks", "manual", told)]
        target = f"{url}/{self._tokens()[0]}"
        listed = self._api.send("GET", "/resthooks").json.get("restHooks") or ()
        ours = [one for one in listed if str(one.get("targetUrl")).startswith(f"{url}/")]
        kept: dict[str, Json] = {}
        for one in ours:
            if hmac.compare_digest(str(one["targetUrl"]).encode(), target.encode()) and _embeds(one):
                kept.setdefault(_operation(one), one)
        strays = [one for one in ours if one not in kept.values() or _operation(one) not in OPERATIONS]
        steps = [self._ensure(operation, target, kept, strays, dry_run=dry_run) for operation in OPERATIONS]
        return steps + [self._remove(one, dry_run=dry_run) for one in strays]

    def _ensure(
        self, operation: str, target: str, kept: Mapping[str, Json], strays: list[Json], *, dry_run: bool
    ) -> Step:
        advice = f"an account has {MOST} hooks in all, which only an administrator's grant can manage"
        return ensured(
            f"REST hook {self._target.singular}/{operation}",
            kept.get(operation),
            make=lambda: self._subscribe(operation, target, strays),
            look=lambda: None,
            judge=lambda _: "",
            refused=lambda error: f"{error}; {advice}",
            dry_run=dry_run,
        )

    def _subscribe(self, operation: str, target: str, strays: list[Json]) -> None:
        """A new hook, in the place of a stray one where there is no room. Accounts may name projects otherwise."""
        names = [self._target.singular, *(new for new, old in OTHER_NAMES.items() if old == self._target.singular)]
        while True:
            for name in names:
                hook = {"event": f"{name}/{operation}", "targetUrl": target, "description": "Next Cap", "embed": EMBED}
                try:
                    self._api.send("POST", "/resthooks", json={"restHook": hook})
                except Refused as error:
                    refused = error
                else:
                    return
            if not strays:
                raise refused
            self._remove(strays.pop(), dry_run=False)

    def _remove(self, hook: Json, *, dry_run: bool) -> Step:
        what = f"stray REST hook {hook.get('event')}"
        if dry_run:
            return Step(what, "would", "would be removed: it leads to an older address of ours, or is one too many")
        self._api.send("DELETE", "/resthooks/:id", ids={"id": str(hook["id"])})
        return Step(what, "done", "removed")


def _operation(hook: Json) -> str:
    return str(hook.get("event")).partition("/")[2]


def _embeds(hook: Json) -> bool:
    return set(EMBED.split(",")) <= set(str(hook.get("embed") or "").split(","))
