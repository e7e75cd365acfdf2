"""The account around the tickets: its people, and what `doctor` looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from connector.adapters.base import Check
from connector.adapters.zendesk.api import Api
from connector.adapters.zendesk.refusals import rate
from connector.adapters.zendesk.schema import ensure_ours
from connector.adapters.zendesk.webhooks import Subscription
from connector.domain.errors import ConnectorError
from connector.domain.ticket import Person

SKEW: Final = 60.0
SETUP: Final = "run `connector setup` for this connection"
NEARLY: Final = 0.1


def people(api: Api) -> list[Person]:
    """Every agent and administrator, suspended ones as inactive."""
    found = api.listed("/users", "users", query={"role[]": ["agent", "admin"]})
    return [
        Person(
            str(one["id"]),
            str(one.get("email") or "").strip().lower() or None,
            str(one.get("name") or ""),
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
        lines: list[Check] = []
        parts = {
            "account": self._account,
            "ticket fields": self._fields,
            "webhook": self._webhook,
            "reading tickets": self._tickets,
        }
        for what, look in parts.items():
            try:
                lines += look()
            except ConnectorError as error:
                advice = (
                    "give the OAuth client's user the role of an administrator" if error.code == "forbidden" else ""
                )
                lines.append(Check(what, ok=False, detail=str(error), advice=advice))
        return lines

    def _account(self) -> Iterator[Check]:
        answer = self._api.send("GET", "/users/me")
        user = answer.json.get("user") or {}
        is_admin = user.get("role") == "admin"
        advice = "" if is_admin else "exports and webhooks need an administrator: give this user that role"
        yield Check("account", ok=is_admin, detail=f"acts as {user.get('email')}, {user.get('role')}", advice=advice)
        if date := answer.headers.get("date"):
            skew = abs((parsedate_to_datetime(date) - self._clock()).total_seconds())
            advice = "" if skew <= SKEW else "set this machine's clock: signatures older than five minutes are refused"
            yield Check("clock", ok=skew <= SKEW, detail=f"{skew:.0f} s apart", advice=advice)
        if told := rate(answer):
            limit, left = told.limit or 0, told.remaining or 0
            well = left > limit * NEARLY
            advice = "" if well else "other programs use up the account's calls: see Admin Center > API"
            yield Check("calls a minute", ok=well, detail=f"{left} of {limit} left", advice=advice)

    def _fields(self) -> Iterator[Check]:
        lacking = "; ".join(
            f"{one.what} {one.advice}" for one in ensure_ours(self._api, dry_run=True) if one.state != "ok"
        )
        yield Check("ticket fields", ok=not lacking, detail=lacking or "ours exist", advice=SETUP if lacking else "")

    def _webhook(self) -> Iterator[Check]:
        wrong = self._subscription.state(self._target)
        yield Check("webhook", ok=not wrong, detail=wrong or f"posts to {self._target}", advice=SETUP if wrong else "")

    def _tickets(self) -> Iterator[Check]:
        self._api.send("GET", "/tickets", query={"page[size]": "1"})
        yield Check("reading tickets", ok=True)
