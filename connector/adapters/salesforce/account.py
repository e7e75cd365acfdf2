"""The org around the cases: its people and queues, and what `doctor` looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from connector.adapters.base import Check, Step
from connector.adapters.checks import judged, looked_at, readable, used
from connector.adapters.people import person_of
from connector.adapters.salesforce.api import Api, long_id
from connector.adapters.salesforce.forms import in_force
from connector.adapters.salesforce.refusals import USAGE
from connector.domain.ticket import Person

USERS: Final = "SELECT Id, Name, Email, IsActive FROM User WHERE UserType = 'Standard'"
QUEUES: Final = "SELECT QueueId, Queue.Name, Queue.Email FROM QueueSobject WHERE SobjectType = 'Case'"
NEARLY_USED: Final = 0.85


def people(api: Api) -> list[Person]:
    """Who a case can belong to: users, those who have left as inactive, and queues, which may have a name alone."""
    users = [
        person_of(long_id(row["Id"]), row.get("Email"), row.get("Name"), active=bool(row.get("IsActive", True)))
        for row in api.rows(USERS)
    ]
    queues = {long_id(row["QueueId"]): row.get("Queue") or {} for row in api.rows(QUEUES)}
    return users + [person_of(key, one.get("Email") or one.get("Name"), one.get("Name")) for key, one in queues.items()]


class Doctor:
    """The checks of one connection. `org` tells the org, from the token in force; `ensure` looks for our fields."""

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
        self._api, self._org, self._forms, self._ensure = api, org, forms, ensure
        trigger = f"a trigger must call {target}" if has_secret else "no trigger's secret is set, so none is heard"
        detail = f"{trigger}; an Outbound Message the address that `connector setup` prints; polling needs neither"
        self._webhooks = Check("webhooks", ok=True, detail=detail)

    def check(self) -> list[Check]:
        """One line each. A check that cannot be made is a line that is not well."""
        lines = looked_at({"org": self._usage, "fields": self._fields, "rights": self._rights})
        kinds = ["Case", *(one.name for one in in_force(self._forms())), "Contact", "User"]
        probes = {one: partial(self._api.rows, f"SELECT Id FROM {one} LIMIT 1") for one in kinds}  # noqa: S608 - our words
        return [self._webhooks, *lines, *readable(probes, advise=lambda _: "give our user the right to read them")]

    def _usage(self) -> Iterator[Check]:
        answer = self._api.send("GET", "")
        yield Check("org", ok=True, detail=f"{self._org()}, API {self._api.version}")
        if warning := answer.headers.get("warning"):
            advice = "set a newer api_version for this connection"
            yield Check("API version", ok=False, detail=warning[:200], advice=advice)
        if found := USAGE.search(answer.headers.get("sforce-limit-info", "")):
            advice = "all programs of the org share this number: see Setup > Company Information"
            yield used("daily calls", int(found[1]), int(found[2]), nearly=NEARLY_USED, advice=advice)

    def _fields(self) -> Iterator[Check]:
        lacking = [one for one in self._ensure(dry_run=True) if one.state != "ok"]
        needed = [one for one in lacking if not one.advice.startswith("optional")]
        detail = "; ".join(f"{one.what}: {one.advice}" for one in needed or lacking) or "ours exist"
        yield judged("fields", not needed, detail, advice="run `connector setup`")

    def _rights(self) -> Iterator[Check]:
        for kind, needs in (("Case", ("createable", "updateable")), ("CaseComment", ("createable",))):
            told = self._api.send("GET", f"/sobjects/{kind}/describe").json
            lacking = [one for one in needs if not told.get(one)]
            advice = f"give our user's permission set these rights on {kind}"
            yield judged(f"writing {kind}", not lacking, ", ".join(lacking) and f"not {lacking}", advice=advice)
