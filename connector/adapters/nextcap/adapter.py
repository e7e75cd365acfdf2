"""Next Cap as one side of every link."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final, NoReturn

from connector.adapters.base import Capabilities, Delivery, Step, Sweep, taken
from connector.adapters.calls import bad_place
from connector.adapters.nextcap.answers import TICKET, TICKETS, Api, pick
from connector.adapters.nextcap.events import parse
from connector.adapters.nextcap.records import comment_of, is_whole, person_of, record_of
from connector.adapters.nextcap.setup import MEMBERS, Setup, schema
from connector.adapters.nextcap.writes import Writes
from connector.adapters.signing import PROFILES, Profile, profile_named, verify
from connector.adapters.times import moment
from connector.adapters.transport import Transport
from connector.domain.errors import BadDelivery, ConfigError, Gone, NotSupported, Refused
from connector.domain.ticket import Comment, Person, Record, Requester

FEW: Final = 4
"""From so many tickets on, a list call is cheaper than a call for each."""
PAGES_TO_READ: Final = 2
NEWEST_FIRST: Final = {"sort_by": "updatedAt", "sort_order": "desc"}


SOURCE: Final = "nextcap.ai/docs/crm-integration"
LACKS: Final = {
    "follow_ups": f"needed by none: what is closed can be opened again ({SOURCE})",
    "batch": f"no call takes several tickets ({SOURCE})",
    "idempotent_create": f"no idempotency key is documented ({SOURCE})",
    "dated_webhooks": "the layouts of signatures that may be in use do not all sign a time (nextcap.ai/docs/webhooks)",
    "batch_comments": f"a timeline is read a ticket at a time ({SOURCE})",
    "lists_comments": f"the list of tickets does not show that a note was added ({SOURCE})",
    "merges": f"tickets are not merged ({SOURCE})",
    "checks_versions": f"no conditional update is documented ({SOURCE})",
}


class NextCap:
    """The adapter of Next Cap's CRM API. Each attribute set in `__init__` is a call of the adapter protocol.

    Its transport must use `answers.sort` and `answers.rate`. Writes have no batches, no expected version and no
    documented idempotency: `recognise` and `probe_create` find what an unknown outcome left behind.
    """

    name = "nextcap"
    external_id = ""
    capabilities = Capabilities(public_comments=True, idempotent_create=False, lacks=LACKS)
    answer = staticmethod(taken)

    def __init__(
        self,
        transport: Transport,
        *,
        secrets: Sequence[str],
        data_transport: Transport | None = None,
        signature: str = "auto",
        pinned: Callable[[], str | None] = lambda: None,
        pin: Callable[[str], None] = lambda _: None,
        on_secret: Callable[[str], None] | None = None,
        web_url: str = "",
        widget_id: str | None = None,
        seat_id: str | None = None,
        idempotency: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`secrets` is read at every delivery and may grow.

        `signature` is a profile's name, or `auto`: the first that verifies is given to `pin`, and whatever `pinned`
        answers is the only one accepted. `web_url` holds `{id}` or `{number}`. `widget_id` is given to new tickets;
        `seat_id` is our own user, else learned.
        """
        self._api = Api(transport, idempotency=idempotency)
        self._secrets = secrets
        self._fixed = None if signature == "auto" else profile_named(signature)
        self._pinned, self._pin = pinned, pin
        self._record = partial(record_of, web_url=web_url)
        writes = Writes(self._api, web_url=web_url, widget_id=widget_id, seat_id=seat_id)
        data_api = Api(data_transport) if data_transport else None
        setup = Setup(self._api, data_api, secrets=secrets, on_secret=on_secret, now=now)
        self.parse = partial(parse, web_url=web_url)
        self.write, self.probe_create = writes.write, writes.probe_create
        self.add_comments, self.recognise = writes.add_comments, writes.recognise
        self.schema, self.subscribe, self.check = schema, setup.subscribe, setup.check

    # -- webhooks

    def verify(self, delivery: Delivery, *, now: datetime) -> None:
        """Check the signature; in `auto` mode the first layout that holds is the only one from then on."""
        profiles = self._accepted()
        found = verify(delivery.headers, delivery.body, secrets=self._secrets, profiles=profiles, now=now)
        if len(profiles) > 1:
            self._pin(found.name)

    def _accepted(self) -> Sequence[Profile]:
        if self._fixed:
            return (self._fixed,)
        pinned = self._pinned()
        if pinned is None:
            return PROFILES
        try:
            return (profile_named(pinned),)
        except ConfigError as error:
            told = "nextcap: the pinned signature profile is not known; set nextcap.signature"
            raise BadDelivery(told, code="unknown_profile") from error

    # -- reading

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Record]:
        """The tickets with all their fields; those that our seat does not see are left out.

        Several are looked for among those updated last, a hundred a call, and only the rest are read one by one. Where
        none is among the first hundred, the next are not looked through.
        """
        missing = list(dict.fromkeys(ids))
        found: dict[str, Record] = {}
        if len(missing) >= FEW:
            found = self._read_listed(set(missing))
        for ticket_id in missing:
            if ticket_id not in found:
                try:
                    found[ticket_id] = self._record(self._api.ticket(ticket_id), whole=True)
                except Gone:
                    continue
        return {ticket_id: _with_every(fields, record) for ticket_id, record in found.items()}

    def _read_listed(self, wanted: set[str]) -> dict[str, Record]:
        found: dict[str, Record] = {}
        for number, page in enumerate(self._api.pages(TICKETS, "tickets", query=NEWEST_FIRST), start=1):
            for raw in page:
                ticket_id = str(pick(raw, "id"))
                if ticket_id in wanted and is_whole(raw):
                    found[ticket_id] = self._record(raw, whole=True)
            if number == PAGES_TO_READ or not found or len(wanted) - len(found) < FEW:
                return found
        return found

    def changes(self, since: datetime, fields: Sequence[str], after: str = "") -> Sweep:
        """One page of the tickets updated last; a field that the list does not name is absent.

        A ticket that moves meanwhile pushes others to later pages, never to earlier ones, so none is passed over.
        """
        if after and not after.isdecimal():
            raise bad_place(self.name, after)
        number = int(after or 1)
        found, is_last = self._api.page(TICKETS, "tickets", number=number, query=NEWEST_FIRST)
        recent = [raw for raw in found if (moment(pick(raw, "updated_at")) or since) >= since]
        records = [self._record(raw, whole=is_whole(raw)) for raw in recent]
        shown = [_with_every(fields, one) if is_whole(raw) else one for raw, one in zip(recent, records, strict=True)]
        return Sweep(shown, after="" if is_last or len(recent) < len(found) else str(number + 1))

    def requesters(self, ids: Sequence[str]) -> Mapping[str, Requester]:
        """The customers of these tickets, as the tickets themselves name them."""
        return {ticket_id: record.requester for ticket_id, record in self.read(ids, ()).items()}

    def fate(self, record_id: str) -> Gone:  # noqa: ARG002 - the answer is the same for all
        """Next Cap neither deletes nor merges tickets: one that is not shown is out of our seat's sight."""
        return Gone("nextcap: our seat does not see this ticket, or it is not there", code="not_visible")

    def comments(
        self,
        ids: Sequence[str],
        *,
        since: datetime | None = None,  # noqa: ARG002 - the timeline takes no filter
    ) -> Mapping[str, Sequence[Comment]]:
        """The replies and notes of these tickets, oldest first. Raises Gone for one that our seat does not see."""
        return {ticket_id: self._timeline(ticket_id) for ticket_id in ids}

    def _timeline(self, ticket_id: str) -> list[Comment]:
        pages = self._api.pages(f"{TICKET}/events", "events", ids={"id": ticket_id})
        found = [comment for page in pages for raw in page if (comment := comment_of(raw))]
        if found and found[0].created_at > found[-1].created_at:
            found.reverse()  # Newest first; entries of one moment keep the order they are listed in.
        return sorted(found, key=lambda comment: comment.created_at)

    def people(self) -> Sequence[Person]:
        """Every seat. Raises NotSupported where the directory is closed to ours."""
        try:
            return [person_of(raw) for page in self._api.pages(MEMBERS, "members") for raw in page]
        except Refused as refusal:
            if refusal.status != 403:
                raise
            told = "the team directory is closed to this seat: its role lacks team:invite"
            raise NotSupported(told, code="no_directory") from refusal

    def find(self, field: str, values: Sequence[str], fields: Sequence[str]) -> NoReturn:  # noqa: ARG002 - never found
        """Not supported: its search covers subject and description only."""
        raise NotSupported(f"Next Cap cannot look tickets up by {field}", code="no_find")

    def tickets_of(self, comment_ids: Sequence[str]) -> NoReturn:  # noqa: ARG002 - never found
        """Not supported, and never needed: its events name the ticket."""
        raise NotSupported("Next Cap cannot look up the ticket of an entry", code="no_tickets_of")

    def ensure_schema(self, *, dry_run: bool) -> Sequence[Step]:  # noqa: ARG002 - nothing is written
        """Nothing to make: our reference lives in a ticket's metadata."""
        return []


def _with_every(fields: Sequence[str], record: Record) -> Record:
    """The record with every field that was asked for: one that a whole reading does not name is empty."""
    absent = {name: None for name in fields if name not in record.fields}
    if not absent:
        return record
    return Record(record.id, {**record.fields, **absent}, record.version, record.number, record.requester)
