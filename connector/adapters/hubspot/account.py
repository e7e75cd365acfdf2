"""The account around the tickets: its people, and what `doctor` looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from connector.adapters.base import Check
from connector.adapters.checks import clock_told, judged, looked_at, ours_exist, readable, used
from connector.adapters.hubspot.api import Api
from connector.adapters.hubspot.schema import PIPELINES, Catalogue
from connector.adapters.people import People, person_of
from connector.domain.errors import ConnectorError
from connector.domain.ticket import Person

OWNERS: Final = "/crm/owners/{owners}"
PROBES: Final = {one: f"/crm/objects/{{objects}}/{one}" for one in ("tickets", "contacts", "notes")} | {
    "owners": OWNERS
}


def owners(api: Api) -> Iterator[tuple[Person, Sequence[str]]]:
    """Everybody who can own a ticket, and those who have left as inactive; with their id as users."""
    for archived in ("true", "false"):
        for item in api.pages(OWNERS, {"archived": archived}):
            names = (item.get("firstName"), item.get("lastName"))
            person = person_of(item["id"], item.get("email"), *names, active=not item.get("archived"))
            yield person, [f"user {item.get('userId') or item.get('userIdIncludingInactive')}"]


class Account:
    """The people and the checks of one connection."""

    def __init__(
        self, api: Api, catalogue: Catalogue, clock: Callable[[], datetime], *, target: str, has_secret: bool
    ) -> None:
        people = People(partial(owners, api))
        self.people, self.person = people.all, people.find
        self._api, self._catalogue, self._clock = api, catalogue, clock
        advice = "put the app's client secret into webhook_secrets"
        self._webhooks = judged("webhooks", has_secret, f"HubSpot must call {target}", advice=advice)

    def check(self) -> list[Check]:
        """One line each. A check that cannot be made is a line that is not well."""
        looks = {"account": self._account, "fields": self._fields, "pipeline": self._pipeline}
        probes = {what: partial(self._api.send, "GET", route, query={"limit": "1"}) for what, route in PROBES.items()}
        lines = looked_at({**looks, "daily calls": self._usage})
        return [self._webhooks, *lines, *readable(probes, advise=_about_scopes)]

    def _account(self) -> Iterator[Check]:
        answer = self._api.send("GET", "/account-info/{account}/details")
        told = answer.json
        yield Check("account", ok=True, detail=f"portal {told.get('portalId')}, {told.get('timeZone')}")
        yield from clock_told(answer, self._clock())

    def _fields(self) -> Iterator[Check]:
        yield ours_exist("fields", self._catalogue.ensure_schema(dry_run=True))

    def _pipeline(self) -> Iterator[Check]:
        listed = self._api.send("GET", PIPELINES).json.get("results") or []
        stages = {str(one["label"]): len(one.get("stages") or ()) for one in listed}
        detail = ", ".join(f"{name}: {count} stages" for name, count in stages.items()) or "there is none"
        yield judged("pipeline", any(stages.values()), detail, advice="make a ticket pipeline in HubSpot's settings")

    def _usage(self) -> Iterator[Check]:
        usages = self._api.send("GET", "/account-info/{account}/api-usage/daily/private-apps").json.get("results")
        for one in usages or ():
            advice = "other apps share this number: see the account's API usage page"
            calls, limit = int(one.get("currentUsage") or 0), int(one.get("usageLimit") or 0)
            yield used("daily calls", calls, limit, advice=advice)
        if not usages:
            yield Check("daily calls", ok=True, detail="not counted for this kind of app")


def _about_scopes(error: ConnectorError) -> str:
    return "add the scope to the app and take its new token" if error.code == "missing_scopes" else ""
