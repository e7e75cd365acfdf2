"""The engine's world around any CRM, as its shipped mapping has it and as its administrator sets it up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connector.adapters.base import Adapter
from connector.adapters.building import Parts
from connector.adapters.registry import kind
from connector.adapters.settings import shown
from connector.doctor.parts import hook_url
from connector.domain.text import fingerprint
from connector.engine.context import NEXTCAP
from connector.engine.drain import Drained
from connector.sandbox.kernel import Delivery as Sent
from connector.sandbox.nextcap import NextCap
from connector.sandbox.server import imitation
from connector.store import effects, tables
from connector.store.links import LinkRow
from tests.engine.harness import Parcel, World
from tests.engine.parts import Clock, Wires
from tests.engine.process import HUBSPOT, PUBLIC_URL, Site

MAPPINGS = Path(__file__).parents[2] / "mappings"


@dataclass(frozen=True, slots=True)
class Crm:
    """A kind of CRM and where people find things in its imitation.

    `name` is the imitation's and our connection's, `kind` what the configuration calls it. `tickets` are the records
    of a Next Cap ticket, `subjects` those of all records, `entries` what is said in one, `customers` all addresses.
    `plenty` are the imitation's settings under which no limit is met.
    """

    name: str
    mapping: str
    tickets: Callable[[Any, str], Sequence[Mapping[str, Any]]]
    subjects: Callable[[Any], Sequence[str]]
    entries: Callable[[Any, str], Sequence[str]]
    customers: Callable[[Any], Sequence[str]]
    kind: str = ""
    plenty: Mapping[str, Any] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """What the configuration calls it."""
        return self.kind or self.name


ALL = (
    Crm(
        "hubspot",
        "hubspot.yaml",
        lambda portal, ours: portal.tickets_of(ours),
        lambda portal: [one["properties"]["subject"] for one in portal.state()["tickets"]],
        lambda portal, ticket: [one["body"] for one in portal.ticket(ticket)["notes"]],
        lambda portal: [one["properties"]["email"] for one in portal.state()["contacts"]],
        plenty={"burst": 100_000, "association_burst": 100_000, "search_burst": 100_000, "search_lag": 0.0}
        | {"event_window": 0.0},
    ),
    Crm(
        "salesforce",
        "salesforce.yaml",
        lambda org, ours: org.cases_of(ours),
        lambda org: [one["fields"]["Subject"] for one in org.state()["cases"]],
        lambda org, case: [one["body"] for one in org.case(case)["comments"]],
        lambda org: [one["fields"]["Email"] for one in org.state()["contacts"]],
    ),
    Crm(
        "zendesk",
        "zendesk.yaml",
        lambda account, ours: account.tickets_of(ours),
        lambda account: [one["subject"] for one in account.state()["tickets"]],
        lambda account, ticket: [one["body"] for one in account.ticket(ticket)["comments"][1:]],
        lambda account: [one["email"] for one in account.account.users.values()],
        plenty={"rate_limit": 100_000, "update_limit": 100_000, "export_limit": 1000, "job_seconds": 0.0},
    ),
    Crm(
        "capsule",
        "capsule.yaml",
        lambda account, ours: account.records_of(ours),
        lambda account: [one["name"] for one in account.state()["projects"]],
        lambda account, project: [one["content"] for one in account.record(project)["entries"]],
        lambda account: [address for one in account.state()["parties"] for address in one["emails"]],
        plenty={"rate_limit": 100_000, "search_lag": 0.0},
    ),
    Crm(
        "example",
        "custom-example.yaml",
        lambda desk, ours: desk.tickets_of(ours),
        lambda desk: [one["fields"]["subject"] for one in desk.state()["tickets"]],
        lambda desk, ticket: [one["text"] for one in desk.ticket(ticket)["notes"]],
        lambda desk: [one["customer"]["email"] for one in desk.state()["tickets"]],
        kind="custom",
        plenty={"calls": 100_000},
    ),
)
CRMS = {one.name: one for one in ALL}


class CrmWorld(World):
    """Next Cap and one account of this kind, with the mapping that is shipped for it."""

    def __init__(self, crm: Crm, site: Site) -> None:
        self.crm = crm
        self.account = site.crms[crm.name]
        super().__init__(site)
        url = hook_url(self.process.runtime.settings, crm.name)
        steps = self.engine.crms[crm.name].subscribe(url, dry_run=False)
        assert "problem" not in [one.state for one in steps], steps

    def write_mapping(self, **_: Any) -> None:
        self.site.mapping_file.write_text((MAPPINGS / self.crm.mapping).read_text())

    def _set_up_accounts(self) -> None:
        self.account.configure(**self.crm.plenty)

    def _parcel(self, source: str, one: Sent) -> Parcel:
        if source == NEXTCAP:
            return super()._parcel(source, one)
        body, headers = self.account.deliveries.attempt_of(one)
        return Parcel(urlsplit(one.url).path.removeprefix("/webhooks/"), body, headers, one.events)

    def _headers(self, parcel: Parcel) -> dict[str, str]:
        # HubSpot's imitation signs with the machine's time, which is not this world's.
        return super()._headers(parcel) if self.crm.name == HUBSPOT else dict(parcel.headers)

    def drain(self, name: str = "") -> Drained:
        return self.process.drain(name or self.crm.name)

    def link(self, ticket: str, name: str = "") -> LinkRow:
        return super().link(ticket, name or self.crm.name)

    def record_id(self, ticket: str, name: str = "") -> str:
        """The one record that carries this id."""
        (found,) = self.crm.tickets(self.account, ticket)
        return str(found["id"])

    # -- what stands in the CRM

    def made(self, subject: str) -> int:
        """How many records there are with this subject."""
        return list(self.crm.subjects(self.account)).count(subject)

    def written(self, record: str, words: str) -> int:
        """How many entries of a record say this."""
        return sum(fingerprint(words) in fingerprint(one) for one in self.crm.entries(self.account, record))

    def known(self, address: str) -> int:
        """How many customers have this address."""
        return list(self.crm.customers(self.account)).count(address)

    # -- progress

    def is_at_rest(self) -> bool:
        """Nothing is due, and no write is open."""
        is_open = [row for row in self.rows(tables.effects) if row.state in effects.OPEN]
        return not is_open and all(row.due_at is None for row in self.rows(tables.links))

    def until_something_is_due(self, step: int) -> int:
        """Let the time pass until the sweep that finds something due, which rings every so many seconds."""
        due = [row.due_at for row in self.rows(tables.links) if row.due_at is not None]
        wait = (min(due) - self.clock.now()).total_seconds() if due else 0.0
        seconds = step * max(1, -int(-wait // step))
        self.advance(seconds)
        return seconds


@contextmanager
def crm_world(name: str, wires: Wires, folder: Path, url: str) -> Iterator[CrmWorld]:
    """A world of its own around this CRM, until it is left."""
    crm, nextcap, account = CRMS[name], NextCap(), imitation(name)
    for side in (nextcap, account):
        side.start()
    told = account.introduce(PUBLIC_URL)
    sort = kind(crm.word)
    settings = sort.settings.model_validate({"crm": crm.word, "mapping": MAPPINGS / crm.mapping, **told})

    def build(parts: Parts) -> Adapter:
        configured = [shown(secret) for secret in settings.webhook_secrets]
        return sort.build(replace(parts, webhook_secrets=configured or parts.webhook_secrets), settings)

    site = Site(nextcap, {name: account}, wires, Clock([nextcap, account]), folder, url, kinds={name: build})
    world = CrmWorld(crm, site)
    try:
        yield world
    finally:
        world.close()
        for side in (nextcap, account):
            side.stop()
