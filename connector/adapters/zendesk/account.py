"""The account around the tickets: its people, and what `doctor` looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from connector.adapters.base import Check
from connector.adapters.checks import SETUP, clock_told, judged, looked_at, ours_exist, readable, used
from connector.adapters.people import person_of
from connector.adapters.zendesk.api import Api
from connector.adapters.zendesk.refusals import rate
from connector.adapters.zendesk.schema import ensure_ours
from connector.adapters.zendesk.webhooks import Subscription
from connector.domain.errors import ConnectorError
from connector.domain.ticket import Person


def people(api: Api) -> list[Person]:
    """Every agent and administrator, suspended ones as inactive."""
    found = api.listed("/users", "users", query={"role[]": ["agent", "admin"]})
    return [
        person_of(
            one["id"],
            one.get("email"),
            one.get("name"),
            active=bool(one.get("active", True)) and not one.get("suspended"),
        )
        for one in found
    ]


class Doctor:
    """The checks of one connection; `target` is where Zendesk must call us."""

    def __init__(self, api: Api, subscription: Subscription, clock: Callable[[], datetime], target: str) -> None:
        self._api = api
        self._subscription = subscription
        self._clock = clock
        self._target = target

    def check(self) -> list[Check]:
        """One line or more each. A check that cannot be made is a line that is not well."""
        looks = {"account": self._account, "ticket fields": self._fields, "webhook": self._webhook}
        probes = {"tickets": partial(self._api.send, "GET", "/tickets", query={"page[size]": "1"})}
        return [*looked_at(looks, advise=_about_role), *readable(probes, advise=_about_role)]

    def _account(self) -> Iterator[Check]:
        answer = self._api.send("GET", "/users/me")
        user = answer.json.get("user") or {}
        advice = "exports and webhooks need an administrator: give this user that role"
        yield judged("account", user.get("role") == "admin", f"acts as {user.get('email')}", advice=advice)
        yield from clock_told(answer, self._clock())
        if told := rate(answer):
            calls, limit = (told.limit or 0) - (told.remaining or 0), told.limit or 0
            advice = "other programs use up the account's calls: see Admin Center > API"
            yield used("calls a minute", calls, limit, advice=advice)

    def _fields(self) -> Iterator[Check]:
        yield ours_exist("ticket fields", ensure_ours(self._api, dry_run=True))

    def _webhook(self) -> Iterator[Check]:
        wrong = self._subscription.state(self._target)
        yield judged("webhook", not wrong, wrong or f"posts to {self._target}", advice=SETUP)


def _about_role(error: ConnectorError) -> str:
    return "give the OAuth client's user the role of an administrator" if error.code == "forbidden" else ""
