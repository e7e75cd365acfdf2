"""The org around the cases: its people and queues, and what `doctor` looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from connector.adapters.base import Check
from connector.adapters.building import Parts
from connector.adapters.checks import judged, looked_at, ours_exist, readable, used
from connector.adapters.people import person_of
from connector.adapters.salesforce.api import Api, long_id
from connector.adapters.salesforce.forms import in_force
from connector.adapters.salesforce.refusals import USAGE
from connector.adapters.salesforce.schema import OPTIONAL, Catalogue
from connector.domain.ticket import Person

USERS: Final = "SELECT Id, Name, Email, IsActive FROM User WHERE UserType = 'Standard'"
QUEUES: Final = "SELECT QueueId, Queue.Name, Queue.Email FROM QueueSobject WHERE SobjectType = 'Case'"
NEARLY_USED: Final = 0.85
SHARED: Final = "all programs of the org share this number: see Setup > Company Information"


class Account:
    """The people and the checks of one connection. `org` tells the org, from the token in force."""

    def __init__(self, api: Api, catalogue: Catalogue, org: Callable[[], str], parts: Parts) -> None:
        self._api, self._catalogue, self._org, self._parts = api, catalogue, org, parts

    def people(self) -> list[Person]:
        """Whose a case can be: users, those who have left as inactive, and queues, which may have a name alone."""
        users = [
            person_of(long_id(row["Id"]), row.get("Email"), row.get("Name"), active=bool(row.get("IsActive", True)))
            for row in self._api.rows(USERS)
        ]
        queues = [(long_id(row["QueueId"]), row.get("Queue") or {}) for row in self._api.rows(QUEUES)]
        return users + [person_of(key, one.get("Email") or one.get("Name"), one.get("Name")) for key, one in queues]

    def check(self) -> list[Check]:
        """One line each. A check that cannot be made is a line that is not well."""
        looks = {"webhooks": self._webhooks, "org": self._usage, "fields": self._fields, "rights": self._rights}
        kinds = ["Case", *(one.name for one in in_force(self._parts.forms())), "Contact", "User"]
        probes = {one: partial(self._api.rows, f"SELECT Id FROM {one} LIMIT 1") for one in kinds}  # noqa: S608 - our words
        return [*looked_at(looks), *readable(probes, advise=lambda _: "give our user the right to read them")]

    def _webhooks(self) -> Iterator[Check]:
        trigger = "must call" if any(self._parts.webhook_secrets) else "is not heard, as webhook_secrets is empty, at"
        detail = f"a trigger {trigger} {self._parts.target}; `connector setup` prints the address of Outbound Messages"
        yield Check("webhooks", ok=True, detail=detail)

    def _usage(self) -> Iterator[Check]:
        answer = self._api.send("GET", "")
        yield Check("org", ok=True, detail=f"{self._org()}, API {self._api.version}")
        if warning := answer.headers.get("warning"):
            yield judged("API version", False, warning[:200], advice="set a newer api_version for this connection")
        if found := USAGE.search(answer.headers.get("sforce-limit-info", "")):
            yield used("daily calls", int(found[1]), int(found[2]), nearly=NEARLY_USED, advice=SHARED)

    def _fields(self) -> Iterator[Check]:
        steps = self._catalogue.ensure_schema(dry_run=True)
        yield ours_exist("fields", [one for one in steps if not one.advice.startswith(OPTIONAL)])

    def _rights(self) -> Iterator[Check]:
        for kind, needs in (("Case", ("createable", "updateable")), ("CaseComment", ("createable",))):
            told = self._api.send("GET", f"/sobjects/{kind}/describe").json
            lacking = ", ".join(one for one in needs if not told.get(one))
            advice = f"give our user's permission set these rights on {kind}"
            yield judged(f"writing {kind}", not lacking, lacking and f"not {lacking}", advice=advice)
