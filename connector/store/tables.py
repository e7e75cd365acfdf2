"""Every table, in one place. Uniqueness and order are constraints here, not checks in Python.

Times are aware UTC. JSON columns hold what only our own code reads; whatever is searched for is a column.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Utc(sa.types.TypeDecorator[datetime]):
    """An aware UTC moment: `timestamptz` on PostgreSQL, naive UTC text on SQLite."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, _dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
# Few of all rows, found among many by an index of their own. Queries say the same words.
TO_NEXTCAP = sa.text("kind = 'comment' AND side = 'nextcap'")
CREATING = sa.text("kind IN ('create_crm', 'create_nextcap') AND state IN ('sending', 'unknown')")
IS_DUE = sa.text("due_at IS NOT NULL")
IS_SAID = sa.text("due_at IS NOT NULL AND (look & 12) != 0")
OF_NO_LINK = sa.text("link_id IS NULL")
HAS_BODY, HAS_NO_BODY = sa.text("body IS NOT NULL"), sa.text("body IS NULL")


def _id() -> sa.Column[int]:
    return sa.Column("id", Id, primary_key=True, autoincrement=True)


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, Json, nullable=False, default=dict)


def _index_of_few(name: str, *columns: str, where: sa.TextClause) -> sa.Index:
    return sa.Index(name, *columns, postgresql_where=where, sqlite_where=where)


# One row a connection, and one named `nextcap`: its switch, its bell, who drains it, how it fares.
connections = sa.Table(
    "connections",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("paused", sa.Boolean, nullable=False, default=False),
    sa.Column("bell_at", Utc),
    sa.Column("owner", sa.Text),
    sa.Column("lease_until", Utc),
    sa.Column("fence", sa.BigInteger, nullable=False, default=0),
    sa.Column("next_start_at", Utc),
    sa.Column("failures", sa.Integer, nullable=False, default=0),
    sa.Column("closed_until", Utc),
    sa.Column("cause", sa.Text),
    sa.Column("schema", Json),
    sa.Column("schema_at", Utc),
)

# A connection, or one direction of it, that a person or a fuse has closed: why, by whom, since when.
pauses = sa.Table(
    "pauses",
    metadata,
    sa.Column("connection", sa.Text, primary_key=True),
    sa.Column("direction", sa.Text, primary_key=True),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", Utc, nullable=False),
)

# How many changes of the kinds that the mass-change fuse counts were made, in steps of a few seconds.
mass_changes = sa.Table(
    "mass_changes",
    metadata,
    sa.Column("connection", sa.Text, primary_key=True),
    sa.Column("direction", sa.Text, primary_key=True),
    sa.Column("step", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    _id(),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("received_at", Utc, nullable=False),
    sa.Column("body", sa.LargeBinary),
    sa.Column("seen", sa.Integer, nullable=False, default=1),
    sa.UniqueConstraint("connection", "key"),
    _index_of_few("ix_deliveries_bodies", "received_at", where=HAS_BODY),
    _index_of_few("ix_deliveries_emptied", "received_at", where=HAS_NO_BODY),
)

events = sa.Table(
    "events",
    metadata,
    _id(),
    sa.Column("delivery_id", Id, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("ticket_id", Id),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Index("ix_events_ticket_id", "ticket_id"),
    sa.Index("ix_events_subject", "subject"),
    sa.Index("ix_events_at", "at"),
)

# What Next Cap last said of a ticket, and who holds it: all links of a ticket are worked by one holder. The rotation
# looked at it last `compared_at`; its timeline is owed a look since `owed_at`, because we wrote there.
tickets = sa.Table(
    "tickets",
    metadata,
    _id(),
    sa.Column("nextcap_id", sa.Text, unique=True),
    sa.Column("number", sa.Text, nullable=False, default=""),
    sa.Column("reading", Json),
    sa.Column("version", Utc),
    sa.Column("own_version", Utc),
    sa.Column("timeline_version", Utc),
    _json("moments"),
    sa.Column("read_at", Utc),
    sa.Column("forbidden_until", Utc),
    sa.Column("owner", sa.Text),
    sa.Column("lease_until", Utc),
    sa.Column("fence", sa.BigInteger, nullable=False, default=0),
    sa.Column("compared_at", Utc),
    sa.Column("owed_at", Utc),
    sa.Index("ix_tickets_number", "number"),
    sa.Index("ix_tickets_turn", "compared_at", "id"),
    sa.Index("ix_tickets_owed", "owed_at"),
)

# Ticket ↔ record of one connection. A link without `due_at` has nothing to do.
links = sa.Table(
    "links",
    metadata,
    _id(),
    sa.Column("ticket_id", Id, sa.ForeignKey("tickets.id"), nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("record_id", sa.Text),
    sa.Column("state", sa.Text, nullable=False, default="new"),
    _json("shadows"),
    _json("substitutes"),
    _json("moments"),
    _json("crm"),
    *(sa.Column(name, Utc) for name in ("crm_read_at", "crm_version", "echo_version", "moved_from", "linked_at")),
    sa.Column("look", sa.Integer, nullable=False, default=0),
    sa.Column("seq", sa.BigInteger, nullable=False, default=0),
    sa.Column("dirty_at", Utc),
    sa.Column("due_at", Utc),
    sa.Column("alone", sa.Boolean, nullable=False, default=False),
    sa.Column("claims", sa.Integer, nullable=False, default=0),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("failing_since", Utc),
    sa.Column("cause", sa.Text),
    sa.Column("cause_code", sa.Text),
    sa.Column("compared_at", Utc),
    sa.Column("trails", Json),
    sa.Column("mass", sa.Text),
    sa.UniqueConstraint("connection", "record_id"),
    sa.UniqueConstraint("ticket_id", "connection"),
    sa.Index("ix_links_turn", "connection", "compared_at", "ticket_id", "state", "linked_at"),
    _index_of_few("ix_links_queue", "connection", "dirty_at", "id", where=IS_DUE),
    _index_of_few("ix_links_said", "connection", "dirty_at", "id", where=IS_SAID),
    _index_of_few("ix_links_cause", "cause_code", "connection", where=sa.text("cause_code IS NOT NULL")),
)

effects = sa.Table(
    "effects",
    metadata,
    _id(),
    sa.Column("link_id", Id, sa.ForeignKey("links.id", ondelete="CASCADE"), nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("side", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    _json("payload"),
    sa.Column("remote_id", sa.Text),
    sa.Column("answered", sa.Boolean, nullable=False, default=False),
    sa.Column("absent", sa.Integer, nullable=False, default=0),
    sa.Column("sending_until", Utc),
    sa.Column("sent_at", Utc),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False, default=0),
    sa.UniqueConstraint("link_id", "key"),
    sa.UniqueConstraint("link_id", "side", "remote_id"),
    sa.Index("ix_effects_open", "link_id", "state"),
    sa.Index("ix_effects_remote", "remote_id"),
    _index_of_few("ix_effects_brought", "key", where=TO_NEXTCAP),
    _index_of_few("ix_effects_creating", "kind", "link_id", where=CREATING),
)

journal = sa.Table(
    "journal",
    metadata,
    _id(),
    sa.Column("link_id", Id),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("last_at", Utc, nullable=False),
    sa.Column("count", sa.Integer, nullable=False, default=1),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    _json("details"),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Index("ix_journal_link", "link_id", "id"),
    _index_of_few("ix_journal_connection", "connection", "id", where=OF_NO_LINK),
    sa.Index("ix_journal_last_at", "last_at"),
)

# What waits for a person: a field, a whole link, or a delivery that could not be read.
parked = sa.Table(
    "parked",
    metadata,
    _id(),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("link_id", Id),
    sa.Column("delivery_id", Id),
    sa.Column("field", sa.Text, nullable=False, default=""),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("nextcap", Json),
    sa.Column("crm", Json),
    sa.Column("candidates", Json),
    sa.Column("at", Utc, nullable=False),
    sa.Column("resolved_at", Utc),
    sa.Column("resolution", sa.Text),
    sa.Column("resolved_by", sa.Text),
    sa.Index("ix_parked_link", "link_id", "resolved_at"),
    sa.Index("ix_parked_code", "code", "resolved_at"),
)

# Records that an event named and no link knows yet.
unplaced = sa.Table(
    "unplaced",
    metadata,
    _id(),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    sa.Column("due_at", Utc, nullable=False),
    sa.UniqueConstraint("connection", "kind", "subject"),
    sa.Index("ix_unplaced_due", "connection", "due_at"),
)

# What a look at a system found changed. `told` says whether a webhook told of it, and is empty until late webhooks have
# had their time. `shown` is a fingerprint of the values of `fields`, for lists that may be late.
drifts = sa.Table(
    "drifts",
    metadata,
    _id(),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("side", sa.Text, nullable=False),
    sa.Column("link_id", Id),
    sa.Column("ticket_id", Id),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("fields", Json),
    sa.Column("shown", sa.Text),
    sa.Column("day", sa.Text, nullable=False),
    sa.Column("found_at", Utc, nullable=False),
    sa.Column("told", sa.Boolean),
    sa.Index("ix_drifts_found_at", "found_at"),
    sa.Index("ix_drifts_open", "told", "found_at"),
)

people = sa.Table(
    "people",
    metadata,
    sa.Column("connection", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("email", sa.Text),
    sa.Column("name", sa.Text, nullable=False, default=""),
    sa.Column("active", sa.Boolean, nullable=False, default=True),
)

cursors = sa.Table(
    "cursors",
    metadata,
    sa.Column("connection", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("at", Utc, nullable=False),
)

mappings = sa.Table(
    "mappings",
    metadata,
    _id(),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("activated_at", Utc, nullable=False),
    sa.Column("activated_by", sa.Text, nullable=False),
    sa.Index("ix_mappings_connection", "connection", "id"),
)

secrets = sa.Table(
    "secrets",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("ciphertext", sa.Text, nullable=False),
    sa.Column("at", Utc, nullable=False),
)

# The calls of one credential and API family in the vendor's window, shared by all processes: what is free (`tokens`)
# of how many (`size`), and in `window` the count by slot and lane, as `adapters/budget.py` keeps it.
budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("tokens", sa.Float, nullable=False),
    sa.Column("size", sa.Float, nullable=False),
    sa.Column("per_second", sa.Float, nullable=False),
    sa.Column("refilled_at", Utc, nullable=False),
    sa.Column("paused_until", Utc),
    sa.Column("reason", sa.Text),
    sa.Column("window", Json),
)

# Counters that several processes add to, read by `/metrics` and the demo's summary.
counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("label", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False, default=0),
)

# Who listens to outgoing events, since when: who sends there, how it fares, and whether it is turned off.
endpoints = sa.Table(
    "endpoints",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("since", Utc, nullable=False),
    sa.Column("owner", sa.Text),
    sa.Column("lease_until", Utc),
    sa.Column("failures", sa.Integer, nullable=False, default=0),
    sa.Column("failing_since", Utc),
    sa.Column("closed_until", Utc),
    sa.Column("cause", sa.Text),
    sa.Column("answered_at", Utc),
    sa.Column("off_at", Utc),
    sa.Column("off_why", sa.Text),
)

# Outgoing events, one row an endpoint. What has the same `subject` is sent in the order of the ids.
outbox = sa.Table(
    "outbox",
    metadata,
    _id(),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("due_at", Utc, nullable=False),
    sa.Column("done_at", Utc),
    sa.Column("cause", sa.Text),
    sa.UniqueConstraint("endpoint", "key"),
    sa.Index("ix_outbox_due", "endpoint", "state", "due_at"),
    _index_of_few("ix_outbox_subject", "endpoint", "subject", "id", where=sa.text("state = 'waiting'")),
    sa.Index("ix_outbox_done", "state", "done_at"),
)
