"""Both imitations, the connector without any thread of its own, and a clock that only the test moves.

Nothing happens unless the test says so: webhooks wait until they are posted, work waits until it is drained, and time
stands still. So every interleaving can be played, a crash between any two steps included.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask.testing import FlaskClient

from connector import config
from connector.adapters.base import Adapter
from connector.adapters.budget import Limit
from connector.adapters.hubspot import HubSpot, StaticCredentials
from connector.adapters.hubspot import rate as hubspot_rate
from connector.adapters.hubspot import sort as hubspot_sort
from connector.adapters.nextcap import NextCap
from connector.adapters.nextcap import rate as nextcap_rate
from connector.adapters.nextcap import sort as nextcap_sort
from connector.adapters.transport import Call, HeaderCredentials, Request, Response, Transport, Wire
from connector.adapters.wires import HttpxWire, HubSpotWire
from connector.domain.text import html_to_text
from connector.domain.ticket import Value
from connector.engine import drain as draining
from connector.engine import poll
from connector.engine.budget import SqlBudget
from connector.engine.context import NEXTCAP, Engine, Health
from connector.engine.drain import Alone, Drained
from connector.engine.mappings import Mappings
from connector.sandbox.hubspot import HubSpot as HubSpotImitation
from connector.sandbox.hubspot_events import sign_v3
from connector.sandbox.kernel import Delivery as Sent
from connector.sandbox.kernel import Imitation, epoch_ms, iso
from connector.sandbox.nextcap import CRM_KEY
from connector.sandbox.nextcap import NextCap as NextCapImitation
from connector.sandbox.nextcap_hooks import EVENTS, sign
from connector.secretbox import SecretBox
from connector.store import connections, journal, links, parked, tables
from connector.store.database import Database
from connector.store.links import LinkRow
from connector.web.app import create_app
from connector.wiring import Runtime

from .mapping import mapping_text

HUBSPOT, SECOND = "hubspot", "second"
PUBLIC_URL = "https://connector.example.test"
SECRET = "nxc-engine-tests"
PLENTY = Limit(100_000, 1.0)


class Killed(BaseException):
    """The process ends here: no handler runs, nothing more is written or sent."""


class Clock:
    """Stands still until it is moved; the imitations' clocks are moved along."""

    def __init__(self, imitations: Iterable[Imitation]) -> None:
        self._imitations = list(imitations)
        self._now = datetime.now(UTC)
        self.began = self._now
        self.pauses: list[float] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self.began).total_seconds()

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        for imitation in self._imitations:
            imitation.clock.advance(seconds)

    def pause(self, seconds: float) -> None:
        """What the connector does instead of sleeping."""
        self.pauses.append(seconds)
        self.advance(max(0.0, seconds))


class Life:
    """Whether a process lives, and how many steps it has left (None: it lives on).

    A step is a call about to be sent, an answer about to be read, a transaction about to be committed, or one that
    was committed just now. After its last step the process is dead: it neither writes nor sends.
    """

    def __init__(self, steps: int | None = None) -> None:
        self.steps = steps
        self.taken = 0
        self.is_over = False

    def step(self) -> None:
        if self.is_over or (self.steps is not None and self.taken >= self.steps):
            self.end()
        self.taken += 1

    def end(self) -> None:
        self.is_over = True
        raise Killed


class MortalDatabase(Database):
    """A database whose process may die before or after any commit."""

    def __init__(self, url: str, life: Life) -> None:
        super().__init__(url)
        self._life = life

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        if self._life.is_over:
            raise Killed
        with super().write() as connection:
            yield connection
            self._life.step()
        self._life.step()


Act = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Wires:
    """Real wires, shared by all processes."""

    nextcap: HttpxWire
    hubspot: HubSpotWire

    def of(self, name: str) -> HttpxWire:
        """The wire of a system."""
        return self.nextcap if name == NEXTCAP else self.hubspot

    def close(self) -> None:
        self.nextcap.close()
        self.hubspot.close()


@dataclass(slots=True)
class _Trigger:
    method: str
    route: str
    act: Act
    after: bool

    def fits(self, request: Request, *, after: bool) -> bool:
        return self.after is after and self.method == request.method and request.route.endswith(self.route)


class Tap:
    """A wire with a test between: what it does before a call is sent, or before its answer is read."""

    def __init__(self, wire: Wire, life: Life) -> None:
        self._wire = wire
        self._life = life
        self._triggers: list[_Trigger] = []
        self.calls: list[str] = []

    def before(self, call: str, act: Act) -> None:
        """Once, just before such a call is sent. `call` is a method and the end of a route: `PATCH /tickets/:id`."""
        self._add(call, act, after=False)

    def after(self, call: str, act: Act) -> None:
        """Once, when such a call was carried out, and before its answer is read."""
        self._add(call, act, after=True)

    def _add(self, call: str, act: Act, *, after: bool) -> None:
        method, _, route = call.partition(" ")
        self._triggers.append(_Trigger(method, route, act, after))

    def send(self, request: Request, *, url: str, headers: Mapping[str, str], timeout: float) -> Response:
        self._life.step()
        self._pull(request, after=False)
        self.calls.append(f"{request.method} {request.route}")
        answer = self._wire.send(request, url=url, headers=headers, timeout=timeout)
        self._life.step()
        self._pull(request, after=True)
        return answer

    def _pull(self, request: Request, *, after: bool) -> None:
        found = next((one for one in self._triggers if one.fits(request, after=after)), None)
        if found is not None:
            self._triggers.remove(found)
            found.act()


@dataclass(frozen=True, slots=True)
class Parcel:
    """One webhook request on its way. It can be posted late, twice or never."""

    source: str
    body: bytes
    headers: Mapping[str, str]
    events: tuple[str, ...]


@dataclass(slots=True)
class Process:
    """One running connector, web and worker in one, without threads. Several may share one database."""

    life: Life
    runtime: Runtime
    taps: Mapping[str, Tap]
    bells: list[str]

    @property
    def engine(self) -> Engine:
        return self.runtime.engine

    @property
    def client(self) -> FlaskClient:
        return create_app(self.runtime).test_client()

    def drain(self, name: str = HUBSPOT) -> Drained:
        """What the `drain` task does."""
        return draining.drain(self.engine, name)

    def poll(self) -> int:
        """What the `poll_nextcap` task does."""
        return poll.poll_nextcap(self.engine)

    def work_alone(self) -> list[Alone]:
        """What the `sync_ticket` tasks do that the sweep rings."""
        with self.engine.db.read() as connection:
            due = links.due_alone(connection, self.engine.now())
        return [ended for link_id, _ in due if (ended := draining.work_alone(self.engine, link_id)) is not None]

    def die(self, act: Act) -> None:
        """Run something that is expected to kill this process."""
        with suppress(Killed):
            act()
        assert self.life.is_over, "the process was expected to die"


class World:
    """The imitations, one database, and the processes that share it. `process` is the present one."""

    def __init__(
        self, nextcap: NextCapImitation, crms: Mapping[str, HubSpotImitation], wires: Wires, folder: Path, url: str
    ) -> None:
        """`crms` are accounts of HubSpot by the names of their connections."""
        self.nextcap = nextcap
        self.crms = crms
        self.sides: Mapping[str, Imitation] = {NEXTCAP: nextcap, **crms}
        self.clock = Clock(self.sides.values())
        self.folder = folder
        self.url = url
        self._wires = wires
        self._posted: set[str] = set()
        self._numbers = count(1)
        self._processes: list[Process] = []
        self.mapping_file = folder / "mapping.yaml"
        self._set_up()
        self.process = self.new_process()

    @property
    def hubspot(self) -> HubSpotImitation:
        """The first account."""
        return self.crms[HUBSPOT]

    def _set_up(self) -> None:
        for side in self.sides.values():
            side.deliveries.pause()
        self.nextcap.configure(rate_limit=100_000)
        for name, account in self.crms.items():
            account.configure(
                burst=100_000,
                association_burst=100_000,
                search_burst=100_000,
                search_lag=0.0,
                event_window=0.0,
                webhook_url=f"{PUBLIC_URL}/webhooks/{name}",
            )
        events = [event for event in EVENTS if event.startswith("ticket.")]
        self.nextcap.create_webhook(f"{PUBLIC_URL}/webhooks/{NEXTCAP}", events, SECRET)
        self.write_mapping()

    def write_mapping(self, **changes: Any) -> None:
        """Write the mapping file, with these parts of it changed; the present process imports it if there is one."""
        self.mapping_file.write_text(mapping_text(**changes))
        if self._processes:
            found = self.process.runtime.import_mappings()
            assert [one.state for one in found] == ["activated"], found

    # -- processes

    def new_process(self, steps: int | None = None) -> Process:
        """Start a connector on the database; with `steps`, it dies after so many."""
        life = Life()
        db = MortalDatabase(self.url, life)
        taps = {name: Tap(self._wires.of(name), life) for name in self.sides}
        bells: list[str] = []
        mappings = Mappings(db, dict.fromkeys(self.crms, self.mapping_file))
        health = Health()
        engine = Engine(
            db=db,
            nextcap=self._nextcap_adapter(db, taps[NEXTCAP], health),
            crms={name: self._hubspot_adapter(db, name, taps[name], health) for name in self.crms},
            mappings=mappings,
            labels={HUBSPOT: "HubSpot"},
            bell=bells.extend,
            now=self.clock.now,
            pause=self.clock.pause,
            health=health,
        )
        runtime = Runtime(config.Settings(folder=self.folder), db, engine, mappings, SecretBox(db, []), ())
        with db.write() as connection:
            connections.ensure(connection, list(self.sides))
        runtime.import_mappings()
        made = Process(life, runtime, taps, bells)
        self._processes.append(made)
        life.taken, life.steps = 0, steps
        return made

    def restart(self) -> Process:
        """A new process in the place of the present one, which may be dead."""
        self.process = self.new_process()
        return self.process

    def close(self) -> None:
        for one in self._processes:
            one.engine.db.close()

    def _transport(self, db: Database, system: str, wire: Wire, health: Health, **options: Any) -> Transport:
        def observe(call: Call) -> None:
            health.note(call.system, call.status or 0)

        return Transport(
            system=system,
            wire=wire,
            budget=SqlBudget(db, system, {"default": PLENTY}, now=self.clock.now),
            observe=observe,
            sleep=self.clock.pause,
            clock=self.clock.monotonic,
            **options,
        )

    def _nextcap_adapter(self, db: Database, wire: Wire, health: Health) -> Adapter:
        transport = self._transport(
            db,
            NEXTCAP,
            wire,
            health,
            base_url=self.nextcap.api_url,
            credentials=HeaderCredentials("X-Api-Key", CRM_KEY),
            sort=nextcap_sort,
            rate=nextcap_rate,
        )
        return NextCap(transport, secrets=[SECRET], web_url="https://app.example.test/tickets/{id}")

    def _hubspot_adapter(self, db: Database, name: str, wire: Wire, health: Health) -> Adapter:
        account = self.crms[name]
        transport = self._transport(
            db,
            name,
            wire,
            health,
            base_url=account.url,
            credentials=StaticCredentials(account.credentials.static_token),
            sort=hubspot_sort,
            rate=hubspot_rate,
        )
        return HubSpot(
            transport,
            webhook_secrets=[account.settings.client_secret],
            public_url=PUBLIC_URL,
            path=f"/webhooks/{name}",
            clock=self.clock.now,
        )

    @property
    def engine(self) -> Engine:
        return self.process.engine

    # -- webhooks

    def mail(self, *sources: str) -> list[Parcel]:
        """Take the webhooks that the vendors (all, or these) have sent since the last time; they are on their way."""
        found: list[Parcel] = []
        for source in sources or self.sides:
            for one in self.sides[source].deliveries.all():
                if one.id not in self._posted:
                    self._posted.add(one.id)
                    found.append(self._parcel(source, one))
        return found

    def _parcel(self, source: str, one: Sent) -> Parcel:
        if source == NEXTCAP:
            headers = sign(self.nextcap.settings, self.nextcap.clock, one)
            return Parcel(source, one.body, headers, one.events)
        return Parcel(source, self.crms[source].announcer.render(one), {}, one.events)

    def forge(self, event: str, **fields: Any) -> Parcel:
        """A webhook of Next Cap, rightly signed, that says what the test wants."""
        now = self.nextcap.now()
        body = json.dumps({"event": event, "timestamp": iso(now), "data": fields}).encode()
        about = {"secret": SECRET, "event": event}
        return self._parcel(NEXTCAP, Sent(f"forged-{next(self._numbers)}", "", body, (event,), now, about))

    def post(self, parcel: Parcel, *, process: Process | None = None, answered: int = 202) -> None:
        """Let a webhook arrive."""
        headers = dict(parcel.headers)
        path = f"/webhooks/{parcel.source}"
        if parcel.source != NEXTCAP:
            timestamp = str(epoch_ms(self.clock.now()))
            secret = self.crms[parcel.source].settings.client_secret
            signature = sign_v3(secret, "POST", PUBLIC_URL + path, parcel.body, timestamp)
            headers = {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": timestamp}
        client = (process or self.process).client
        answer = client.post(path, data=parcel.body, headers=headers, content_type="application/json")
        assert answer.status_code == answered, answer.status_code

    def deliver(self, *sources: str) -> list[Parcel]:
        """Let everything that is on its way arrive, in order."""
        parcels = self.mail(*sources)
        for parcel in parcels:
            self.post(parcel)
        return parcels

    # -- progress

    def drain(self, name: str = HUBSPOT) -> Drained:
        return self.process.drain(name)

    def poll(self) -> int:
        return self.process.poll()

    def settle(self) -> None:
        """Deliver and work until nothing more is to be done now."""
        for _ in range(30):
            arrived = self.deliver()
            drained = [self.drain(name) for name in self.crms]
            alone = self.process.work_alone()
            if not (arrived or alone or any(one.worked or one.cause for one in drained)):
                return
        raise AssertionError("it does not come to rest")

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def forget_calls(self) -> None:
        """Count calls from here on."""
        for side in self.sides.values():
            side.calls.reset()
        for tap in self.process.taps.values():
            tap.calls.clear()

    def sent(self, name: str, call: str) -> int:
        """How often the present process called so: a method and the end of a route."""
        method, _, route = call.partition(" ")
        return sum(one.startswith(f"{method} ") and one.endswith(route) for one in self.process.taps[name].calls)

    # -- what people see

    def ticket(self, **fields: Any) -> str:
        """A customer opens a ticket in Next Cap; its id."""
        values = {"subject": "Cannot log in", "customer_email": "jo@home.example", "customer_name": "Jo", **fields}
        return str(self.nextcap.create_ticket(**values)["id"])

    def linked(self, **fields: Any) -> tuple[str, str]:
        """A ticket and its HubSpot record, at rest, with the call counters at zero."""
        ticket = self.ticket(**fields)
        self.settle()
        self.advance(60)
        self.settle()
        self.forget_calls()
        return ticket, self.record_id(ticket)

    def record_id(self, ticket: str, name: str = HUBSPOT) -> str:
        """The one HubSpot ticket that carries this id."""
        found = self.crms[name].tickets_of(ticket)
        assert len(found) == 1, f"{len(found)} HubSpot tickets for one Next Cap ticket"
        return str(found[0]["id"])

    def record(self, record_id: str) -> Mapping[str, str]:
        """The properties of a HubSpot ticket."""
        return dict(self.hubspot.ticket(record_id)["properties"])

    def stage(self, record_id: str) -> str:
        return str(self.hubspot.ticket(record_id)["stage"])

    def notes(self, record_id: str) -> list[str]:
        """What was said in a HubSpot ticket's notes, in the order in which HubSpot shows them."""
        found = sorted(self.hubspot.ticket(record_id)["notes"], key=lambda one: (one["timestamp"], int(one["id"])))
        return [_words(one["body"]) for one in found]

    def said(self, ticket: str, *kinds: str) -> list[str]:
        """What was said on a Next Cap ticket, oldest first."""
        return [str(one["content"]) for one in self.nextcap.timeline(ticket) if one["type"] in kinds]

    # -- what the store says

    def link(self, ticket: str, name: str = HUBSPOT) -> LinkRow:
        with self.engine.db.read() as connection:
            (found,) = (one for one in links.of_ticket(connection, ticket) if one.connection == name)
        return found

    def shadow(self, ticket: str, rule: str) -> tuple[Value, Value] | None:
        """What Next Cap and HubSpot last said of a field."""
        pair = self.link(ticket).shadows.get(rule)
        return None if pair is None else (pair.nextcap, pair.crm)

    def due_in(self, ticket: str) -> float | None:
        """Seconds until this ticket is worked next; None where it waits for something to happen."""
        with self.engine.db.read() as connection:
            moment = links.due_at(connection, self.link(ticket).id)
        return None if moment is None else (moment - self.clock.now()).total_seconds()

    def lines(self, ticket: str) -> list[Mapping[str, Any]]:
        """The journal of a ticket, oldest first."""
        with self.engine.db.read() as connection:
            return journal.of_link(connection, self.link(ticket).id)

    def codes(self, ticket: str) -> list[str]:
        """What the journal of a ticket says, in codes: those of its rows and of the lines in them."""
        found = []
        for row in self.lines(ticket):
            found += [row["code"], *(line["code"] for line in (row["details"] or {}).get("lines", ()))]
        return found

    def parked(self) -> list[Mapping[str, Any]]:
        with self.engine.db.read() as connection:
            return parked.listed(connection)

    def rows(self, table: sa.Table, **where: Any) -> Sequence[sa.Row[Any]]:
        """Rows of a table, by id."""
        query = sa.select(table).order_by(*table.primary_key.columns)
        for name, value in where.items():
            query = query.where(table.c[name] == value)
        with self.engine.db.read() as connection:
            return connection.execute(query).all()

    def effects(self, ticket: str) -> Sequence[sa.Row[Any]]:
        return self.rows(tables.effects, link_id=self.link(ticket).id)

    def outcomes(self) -> list[str]:
        """What became of every event at the door, in the order of arrival."""
        return [str(row.outcome) for row in self.rows(tables.events)]

    def connection(self, name: str = HUBSPOT) -> sa.Row[Any]:
        with self.engine.db.read() as connection:
            return connections.state(connection, name)


def _words(body: str) -> str:
    """The words of a note, without the heading and the reference that ours have."""
    parts = html_to_text(body).split("\n\n")
    return "\n\n".join(parts[1:-1]) if parts[-1].startswith("Reference ncref-") else "\n\n".join(parts)


def json_of(parcel: Parcel) -> Any:
    """A webhook's body."""
    return json.loads(parcel.body)
