"""The account around the records: its users, and what `doctor` looks at."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from connector.adapters.answers import number_in
from connector.adapters.base import Check, Json
from connector.adapters.capsule.api import Api
from connector.adapters.capsule.schema import Catalogue
from connector.adapters.checks import judged, looked_at, ours_exist, readable, used
from connector.adapters.people import person_of
from connector.domain.errors import ConnectorError
from connector.domain.ticket import Person


class Account:
    """The users and the checks of one connection."""

    def __init__(self, api: Api, catalogue: Catalogue) -> None:
        self._api, self._catalogue = api, catalogue

    def people(self) -> list[Person]:
        """Everybody but the token's own user; the address is the one of a user's party."""
        listed = self._api.pages("/users", "users", {"embed": "party"})
        return [_person(one) for one in listed if str(one["id"]) != self._catalogue.me()]

    def check(self) -> list[Check]:
        """One line each. A check that cannot be made is a line that is not well."""
        looks = {"account": self._account, "fields": self._fields}
        kinds = (self._catalogue.target.plural, "parties", "entries", "users")
        probes = {what: partial(self._api.send, "GET", f"/{what}", query={"perPage": "1"}) for what in kinds}
        return [*looked_at(looks), *readable(probes, advise=_about_scopes)]

    def _account(self) -> Iterator[Check]:
        answer = self._api.send("GET", "/users/current")
        user, site = answer.json["user"], self._api.send("GET", "/site").json.get("site") or {}
        yield Check("account", ok=True, detail=f"{site.get('subdomain')}, as the user {user.get('username')}")
        limit, left = (number_in(answer, f"x-ratelimit-{one}") for one in ("limit", "remaining"))
        if limit is not None and left is not None:
            advice = "who else uses this Capsule user? Give the connector one of its own"
            yield used("calls", limit - left, limit, advice=advice)

    def _fields(self) -> Iterator[Check]:
        *ours, ladder = self._catalogue.ensure_schema(dry_run=True)
        yield ours_exist("fields", ours)
        advice = "make it in Capsule, or name another in the mapping"
        yield judged(ladder.what, ladder.state == "ok", ladder.advice, advice=advice)


def _person(item: Json) -> Person:
    addresses = [str(one.get("address") or "") for one in (item.get("party") or {}).get("emailAddresses") or ()]
    email = next((one for one in [*addresses, str(item.get("username") or "")] if "@" in one), "")
    is_active = item.get("status") in (None, "ACTIVE")
    return person_of(item["id"], email, item.get("name") or item.get("username"), active=is_active)


def _about_scopes(error: ConnectorError) -> str:
    return "the token needs the scope read" if error.code == "forbidden" else ""
