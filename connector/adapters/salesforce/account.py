"""The org around the cases: its people and queues, and what `doctor` looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from connector.adapters.base import Check, Json, Step
from connector.adapters.salesforce.api import Api, long_id
from connector.adapters.salesforce.entries import in_force
from connector.adapters.salesforce.refusals import USAGE
from connector.domain.errors import ConnectorError
from connector.domain.ticket import Person

USERS: Final = "SELECT Id, Name, Email, IsActive FROM User WHERE UserType = 'Standard'"
QUEUES: Final = "SELECT QueueId, Queue.Name, Queue.Email FROM QueueSobject WHERE SobjectType = 'Case'"
NEARLY_USED: Final = 0.85
PROBES: Final = {
    "cases": "SELECT Id FROM Case LIMIT 1",
    "contacts": "SELECT Id FROM Contact LIMIT 1",
    "users": "SELECT Id FROM User LIMIT 1",
}


class People:
    """Who a case can belong to: users by their address, queues by theirs or, where they have none, by their name."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def all(self) -> list[Person]:
        """The org's own users, those who have left as inactive, and the queues that take cases."""
        users = [_person(row) for row in self._api.rows(USERS)]
        queues = {}
        for row in self._api.rows(QUEUES):
            queue = row.get("Queue") or {}
            name = str(queue.get("Name") or "")
            address = str(queue.get("Email") or name).strip().lower()
            queue_id = long_id(str(row["QueueId"]))
            queues[queue_id] = Person(queue_id, address or None, name)
        return [*users, *queues.values()]


def _person(row: Json) -> Person:
    email = str(row.get("Email") or "").strip().lower()
    user_id = long_id(str(row["Id"]))
    return Person(user_id, email or None, str(row.get("Name") or ""), active=bool(row.get("IsActive", True)))


class Doctor:
    """The checks of one connection. `org` tells the org and our user, from the token in force."""

    def __init__(
        self,
        api: Api,
        org: Callable[[], str],
        forms: Callable[[], frozenset[str]],
        ensure: Callable[..., list[Step]],
        *,
        target: str,
        has_secret: bool,
    ) -> None:
        self._api = api
        self._forms = forms
        self._ensure = ensure
        self._org = org
        trigger = (
            f"a trigger must call {target}" if has_secret else "no trigger's secret is configured, so none is heard"
        )
        detail = f"{trigger}; an Outbound Message the address that `connector setup` prints; polling needs neither"
        self._webhooks = Check("webhooks", ok=True, detail=detail)

    def check(self) -> list[Check]:
        """One line each. A check that cannot be made is a line that is not well."""
        lines = [self._webhooks]
        for what, look in {"org": self._usage, "fields": self._fields, "rights": self._rights}.items():
            try:
                lines += look()
            except ConnectorError as error:
                lines.append(Check(what, ok=False, detail=str(error)))
        entries = {one.name: f"SELECT Id FROM {one.name} LIMIT 1" for one in in_force(self._forms())}  # noqa: S608 - our words
        return lines + [self._probe(what, soql) for what, soql in {**PROBES, **entries}.items()]

    def _usage(self) -> Iterator[Check]:
        answer = self._api.send("GET", "")
        yield Check("org", ok=True, detail=f"{self._org()}, API {self._api.version}")
        if warning := answer.headers.get("warning"):
            advice = "set a newer api_version for this connection"
            yield Check("API version", ok=False, detail=warning[:200], advice=advice)
        if found := USAGE.search(answer.headers.get("sforce-limit-info", "")):
            used, limit = int(found[1]), int(found[2])
            ok = used < NEARLY_USED * limit
            advice = "" if ok else "all programs of the org share this number: see Setup > Company Information"
            yield Check("daily calls", ok=ok, detail=f"{used} of {limit}", advice=advice)

    def _fields(self) -> Iterator[Check]:
        steps = self._ensure(dry_run=True)
        lacking = [one for one in steps if one.state != "ok"]
        needed = [one for one in lacking if not one.advice.startswith("optional")]
        detail = "; ".join(f"{one.what}: {one.advice}" for one in needed or lacking) or "ours exist"
        yield Check("fields", ok=not needed, detail=detail, advice="run `connector setup`" if needed else "")

    def _rights(self) -> Iterator[Check]:
        for kind, needs in (("Case", ("createable", "updateable")), ("CaseComment", ("createable",))):
            told = self._api.send("GET", f"/sobjects/{kind}/describe").json
            lacking = [one for one in needs if not told.get(one)]
            advice = f"give our user's permission set these rights on {kind}" if lacking else ""
            yield Check(
                f"writing {kind}", ok=not lacking, detail=", ".join(lacking) and f"not {lacking}", advice=advice
            )

    def _probe(self, what: str, soql: str) -> Check:
        try:
            self._api.rows(soql)
        except ConnectorError as error:
            return Check(f"reading {what}", ok=False, detail=str(error), advice="give our user the right to read them")
        return Check(f"reading {what}", ok=True)
