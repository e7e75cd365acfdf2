"""What `doctor` looks at, and what `setup` says of the board that an administrator makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from connector.adapters.base import Check, Step
from connector.adapters.capsule.api import Api
from connector.adapters.capsule.catalogue import CLOSED, Catalogue, ensure_ours
from connector.adapters.capsule.hooks import Hooks, missing
from connector.adapters.checks import SETUP, judged, looked_at, ours_exist, readable, used
from connector.domain.errors import ConnectorError


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the mapping says of the account: its board or pipeline, and the words of its status table."""

    parent: str = ""
    words: frozenset[str] = field(default=frozenset())


class Ladder:
    """The board with its stages, or the pipeline with its milestones, as the mapping needs them."""

    def __init__(self, catalogue: Catalogue, wanted: Wanted) -> None:
        self._catalogue = catalogue
        self._wanted = wanted

    def step(self) -> Step:
        """Whether it is there with every step of the mapping. It is made by hand, and never by us."""
        known, target = self._catalogue.known(afresh=True), self._catalogue.target
        chosen = self._wanted.parent or next(iter(known.parents.values()), "")
        what = f"{target.parent} {chosen}".rstrip()
        ids = [one for one, name in known.parents.items() if chosen in (one, name)]
        if not ids:
            there = ", ".join(known.parents.values()) or "none"
            return Step(what, "problem", f"there is none of that name (there are: {there}); make it in Capsule")
        held = {str(one["name"]): str(one["id"]) for one in known.steps if str(one[target.parent]["id"]) == ids[0]}
        names = {*(one.casefold() for one in held), *held.values(), CLOSED.casefold()}
        lacking = sorted(one for one in self._wanted.words if one not in names and one.casefold() not in names)
        if lacking:
            return Step(what, "problem", f"it has no {target.step} {', '.join(lacking)}; it has {', '.join(held)}")
        return Step(what, "ok", f"{target.step}s: {', '.join(held)}")


class Doctor:
    """The checks of one connection."""

    def __init__(
        self, api: Api, catalogue: Catalogue, ladder: Ladder, hooks: Hooks, *, url: str, managed: bool
    ) -> None:
        self._api = api
        self._catalogue = catalogue
        self._ladder = ladder
        self._hooks = hooks
        self._url = url
        self._managed = managed

    def check(self) -> list[Check]:
        """One line each. A check that cannot be made is a line that is not well."""
        target = self._catalogue.target
        looks = {
            "account": self._account,
            "custom fields": self._fields,
            target.parent: self._steps,
            "REST hooks": self._webhooks,
        }
        probes = {
            what: partial(self._api.send, "GET", f"/{what}", query={"perPage": "1"})
            for what in (target.plural, "parties", "entries", "users")
        }
        return [*looked_at(looks), *readable(probes, advise=_about_scopes)]

    def _account(self) -> Iterator[Check]:
        answer = self._api.send("GET", "/users/current")
        user, site = answer.json["user"], self._api.send("GET", "/site").json.get("site") or {}
        yield Check("account", ok=True, detail=f"{site.get('subdomain')}, as the user {user.get('username')}")
        limit, left = (answer.headers.get(f"x-ratelimit-{one}", "") for one in ("limit", "remaining"))
        if limit.isdecimal() and left.isdecimal():
            advice = "who else uses this Capsule user? Give the connector one of its own"
            yield used("calls", int(limit) - int(left), int(limit), advice=advice)

    def _fields(self) -> Iterator[Check]:
        yield ours_exist("custom fields", ensure_ours(self._api, self._catalogue.target, dry_run=True))

    def _steps(self) -> Iterator[Check]:
        step = self._ladder.step()
        advice = "make it in Capsule, or name another in the mapping"
        yield judged(step.what, step.state == "ok", step.advice, advice=advice)

    def _webhooks(self) -> Iterator[Check]:
        if not self._managed:
            told = "none, as a personal token cannot have them: changes are found by polling"
            yield Check("REST hooks", ok=True, detail=told)
            return
        hooks = self._hooks.listed()
        lacking = missing(hooks, f"{self._url}/")
        detail = f"{len(hooks)} of our application; an account has twenty in all"
        if lacking:
            detail = f"none tells us of {', '.join(lacking)}"
        yield judged("REST hooks", not lacking, detail, advice=SETUP)


def _about_scopes(error: ConnectorError) -> str:
    return "the token needs the scope read" if error.code == "forbidden" else ""
