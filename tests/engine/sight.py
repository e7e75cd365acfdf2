"""What people see on both sides, and what the store says: how the engine's tests look at a world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from connector.domain.text import html_to_text
from connector.domain.ticket import Value
from connector.engine.context import Engine
from connector.sandbox.hubspot import HubSpot as HubSpotImitation
from connector.sandbox.nextcap import NextCap as NextCapImitation
from connector.store import connections, journal, links, parked, tables
from connector.store.links import LinkRow

from .process import HUBSPOT, Process


class Sight:
    """Questions about a world, answered by the imitations and by the database of its present process."""

    nextcap: NextCapImitation
    crms: Mapping[str, HubSpotImitation]
    process: Process

    @property
    def hubspot(self) -> HubSpotImitation:
        """The first account."""
        return self.crms[HUBSPOT]

    @property
    def engine(self) -> Engine:
        return self.process.engine

    # -- what people see

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

    def reading(self, ticket: str) -> Mapping[str, Any]:
        """The fields of a Next Cap ticket as the store last saw them."""
        reading = self.link(ticket).ticket.reading
        assert reading is not None
        fields: Mapping[str, Any] = reading["fields"]
        return fields

    def shadow(self, ticket: str, rule: str) -> tuple[Value, Value] | None:
        """What Next Cap and HubSpot last said of a field."""
        pair = self.link(ticket).shadows.get(rule)
        return None if pair is None else (pair.nextcap, pair.crm)

    def due_in(self, ticket: str) -> float | None:
        """Seconds until this ticket is worked next; None where it waits for something to happen."""
        with self.engine.db.read() as connection:
            moment = links.due_at(connection, self.link(ticket).id)
        return None if moment is None else (moment - self.engine.now()).total_seconds()

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
