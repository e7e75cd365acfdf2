"""The account around the tickets: its people, and what `doctor` looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from connector.adapters.base import Check, Json
from connector.adapters.hubspot.api import Api
from connector.adapters.hubspot.schema import PIPELINE, PIPELINES, ensure_ours
from connector.domain.errors import ConnectorError, Refused
from connector.domain.ticket import Person, Value

OWNERS: Final = "/crm/owners/{owners}"
SKEW: Final = 60.0
NEARLY_USED: Final = 0.9
SETUP: Final = "run `connector setup` for this connection"
PROBES: Final = {
    "tickets": "/crm/objects/{objects}/tickets",
    "contacts": "/crm/objects/{objects}/contacts",
    "notes": "/crm/objects/{objects}/notes",
    "owners": OWNERS,
}


class People:
    """HubSpot's owners, remembered by owner id and by user id."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[str, Person] = {}
        self._missed: set[str] = set()

    def all(self) -> list[Person]:
        """Everybody who can own a ticket, and those who have left as inactive."""
        known: dict[str, Person] = {}
        people: dict[str, Person] = {}
        for archived in ("true", "false"):
            for item in self._api.pages(OWNERS, {"archived": archived}):
                person = _person(item)
                people[person.id] = known[person.id] = person
                known[f"user {item.get('userId') or item.get('userIdIncludingInactive')}"] = person
        self._known, self._missed = known, set()
        return list(people.values())

    def find(self, told: str) -> Person | None:
        """The person of an owner or user id. One not met before is asked for once; None without the scope."""
        person = self._known.get(told) or self._known.get(f"user {told}")
        if person is None and told not in self._missed:
            missed = self._missed | {told}
            with suppress(Refused):
                self.all()
            self._missed = missed
            person = self._known.get(told) or self._known.get(f"user {told}")
        return person


def _person(item: Json) -> Person:
    name = " ".join(str(item[part]) for part in ("firstName", "lastName") if item.get(part))
    email = str(item.get("email") or "").strip().lower()
    return Person(str(item["id"]), email or None, name, active=not item.get("archived"))


class Doctor:
    """The checks of one connection."""

    def __init__(
        self, api: Api, scope: Mapping[str, Value], clock: Callable[[], datetime], *, target: str, has_secret: bool
    ) -> None:
        self._api = api
        self._scope = scope
        self._clock = clock
        advice = "" if has_secret else "put the app's client secret into webhook_secrets"
        self._webhooks = Check("webhooks", ok=has_secret, detail=f"HubSpot must call {target}", advice=advice)

    def check(self) -> list[Check]:
        """One line each. A check that cannot be made is a line that is not well."""
        lines = [self._webhooks]
        parts = {"account": self._account, "properties": self._properties, "pipeline": self._pipeline}
        for what, look in {**parts, "daily calls": self._usage}.items():
            try:
                lines += look()
            except ConnectorError as error:
                lines.append(Check(what, ok=False, detail=str(error)))
        return lines + [self._access(what, route) for what, route in PROBES.items()]

    def _account(self) -> Iterator[Check]:
        answer = self._api.send("GET", "/account-info/{account}/details")
        told = answer.json
        yield Check("account", ok=True, detail=f"portal {told.get('portalId')}, {told.get('timeZone')}")
        if date := answer.headers.get("date"):
            skew = abs((parsedate_to_datetime(date) - self._clock()).total_seconds())
            advice = "" if skew <= SKEW else "set this machine's clock: signatures older than five minutes are refused"
            yield Check("clock", ok=skew <= SKEW, detail=f"{skew:.0f} s apart", advice=advice)

    def _properties(self) -> Iterator[Check]:
        steps = [one for one in ensure_ours(self._api, dry_run=True) if one.state != "ok"]
        lacking = "; ".join(f"{one.what} {one.advice}" for one in steps)
        yield Check("properties", ok=not steps, detail=lacking or "ours exist", advice=SETUP if steps else "")

    def _pipeline(self) -> Iterator[Check]:
        listed = self._api.send("GET", PIPELINES).json.get("results") or []
        wanted = self._scope.get(PIPELINE) or (listed[0]["id"] if listed else "")
        stages = [len(one.get("stages") or ()) for one in listed if str(one["id"]) == str(wanted)]
        advice = "" if any(stages) else "name a ticket pipeline of this account in the mapping"
        detail = f"{wanted} has {sum(stages)} stages" if stages else f"there is no ticket pipeline {wanted}"
        yield Check("pipeline", ok=any(stages), detail=detail, advice=advice)

    def _usage(self) -> Iterator[Check]:
        usages = self._api.send("GET", "/account-info/{account}/api-usage/daily/private-apps").json.get("results")
        for one in usages or ():
            used, limit = int(one.get("currentUsage") or 0), int(one.get("usageLimit") or 0)
            advice = "other apps share this number: see the account's API usage page"
            ok = used < NEARLY_USED * limit or not limit
            yield Check("daily calls", ok=ok, detail=f"{used} of {limit}", advice="" if ok else advice)
        if not usages:
            yield Check("daily calls", ok=True, detail="not counted for this kind of app")

    def _access(self, what: str, route: str) -> Check:
        try:
            self._api.send("GET", route, query={"limit": "1"})
        except ConnectorError as error:
            advice = "add the scope to the app and take its new token" if error.code == "missing_scopes" else ""
            return Check(f"reading {what}", ok=False, detail=str(error), advice=advice)
        return Check(f"reading {what}", ok=True)
