"""The customers of tickets as parties: found by address, made where missing. A party that is there is never changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from connector.adapters.base import Json
from connector.adapters.capsule.api import Api
from connector.adapters.people import REMEMBERED, address_of, first_and_last
from connector.adapters.times import iso
from connector.domain.errors import RetryLater, UnknownOutcome
from connector.domain.ticket import Requester

LATE: Final = timedelta(minutes=5)
"""How late the index behind filters may be; what was made since is looked for in the list of what changed."""

NAMELESS: Final = "Next Cap visitor"


class Parties:
    """Finds and makes parties; ids of those with an address are remembered by the process.

    Capsule takes two people with one address, and no call here can be repeated safely: so each is looked for before it
    is made, first in the index and then among the newest. A visitor without an address is known by the ticket, which
    stands in the party's `about`.
    """

    def __init__(self, api: Api, clock: Callable[[], datetime]) -> None:
        self._api, self._clock = api, clock
        self._ids: dict[str, int] = {}

    def forget(self, party: int) -> None:
        """Look this party up again next time: it is not there any more."""
        self._ids = {address: one for address, one in self._ids.items() if one != party}

    def resolve(self, requester: Requester, ticket: str) -> int:
        """The party of this customer. Raises RetryLater where the same may succeed later, Refused otherwise."""
        address = address_of(requester)
        if address in self._ids:
            return self._ids[address]
        about = f"{NAMELESS}, ticket {ticket}"
        is_it = (lambda one: _has(one, address)) if address else (lambda one: one.get("about") == about)
        asked = ("email", address) if address else ("tag", NAMELESS)
        found = self._indexed(*asked, is_it) or self._newest(is_it)
        party = found or self._make(requester, address, about)
        if address:
            self._ids = {address: party, **(self._ids if len(self._ids) < REMEMBERED else {})}
        return party

    def _indexed(self, field: str, value: str, is_it: Callable[[Json], bool]) -> int | None:
        pages = self._api.filtered("parties", field, value)
        return next((min(held) for page in pages if (held := [int(one["id"]) for one in page if is_it(one)])), None)

    def _newest(self, is_it: Callable[[Json], bool]) -> int | None:
        since = iso(self._clock() - LATE)
        held = [int(one["id"]) for one in self._api.pages("/parties", "parties", {"since": since}) if is_it(one)]
        return min(held, default=None)

    def _make(self, requester: Requester, address: str, about: str) -> int:
        first, last = first_and_last(requester)
        party: Json = {"type": "person", "firstName": first or address.partition("@")[0] or NAMELESS}
        if last:
            party["lastName"] = last
        if address:
            party["emailAddresses"] = [{"type": "Work", "address": address}]
        else:
            party |= {"about": about, "tags": [{"name": NAMELESS}]}
        if requester.phone:
            party["phoneNumbers"] = [{"type": "Work", "number": requester.phone}]
        try:
            return int(self._api.send("POST", "/parties", json={"party": party}).json["party"]["id"])
        except UnknownOutcome as error:
            told = f"the customer's party may have been made: {error}; it is looked for before it is made again"
            raise RetryLater(told, code="party_open", scope="record", system="capsule") from error


def _has(party: Json, address: str) -> bool:
    held = [str(one.get("address") or "").strip().lower() for one in party.get("emailAddresses") or ()]
    return address in held
