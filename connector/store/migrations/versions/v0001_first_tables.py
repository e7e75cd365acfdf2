"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UTC = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _budgets()
    _connections()
    _counters()
    _cursors()
    _deliveries()
    _events()
    _journal()
    _mappings()
    _parked()
    _people()
    _secrets()
    _tickets()
    _unplaced()
    _links()
    _effects()


def _budgets() -> None:
    op.create_table(
        "budgets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("size", sa.Float(), nullable=False),
        sa.Column("per_second", sa.Float(), nullable=False),
        sa.Column("refilled_at", UTC, nullable=False),
        sa.Column("paused_until", UTC, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_budgets")),
    )


def _connections() -> None:
    op.create_table(
        "connections",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("bell_at", UTC, nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", UTC, nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("next_start_at", UTC, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("closed_until", UTC, nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("schema", JSON, nullable=True),
        sa.Column("schema_at", UTC, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_connections")),
    )


def _counters() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "label", name=op.f("pk_counters")),
    )


def _cursors() -> None:
    op.create_table(
        "cursors",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.PrimaryKeyConstraint("connection", "name", name=op.f("pk_cursors")),
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("received_at", UTC, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("connection", "key", name=op.f("uq_deliveries_connection_key")),
    )
    op.create_index("ix_deliveries_received_at", "deliveries", ["received_at"], unique=False)


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("delivery_id", ID, nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("ticket_id", ID, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index("ix_events_subject", "events", ["subject"], unique=False)
    op.create_index("ix_events_ticket_id", "events", ["ticket_id"], unique=False)


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("link_id", ID, nullable=True),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("last_at", UTC, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("details", JSON, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
    )
    op.create_index("ix_journal_at", "journal", ["at"], unique=False)
    op.create_index("ix_journal_link", "journal", ["link_id", "id"], unique=False)


def _mappings() -> None:
    op.create_table(
        "mappings",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("activated_at", UTC, nullable=False),
        sa.Column("activated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mappings")),
    )
    op.create_index("ix_mappings_connection", "mappings", ["connection", "id"], unique=False)


def _parked() -> None:
    op.create_table(
        "parked",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("link_id", ID, nullable=True),
        sa.Column("delivery_id", ID, nullable=True),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("nextcap", JSON, nullable=True),
        sa.Column("crm", JSON, nullable=True),
        sa.Column("candidates", JSON, nullable=True),
        sa.Column("at", UTC, nullable=False),
        sa.Column("resolved_at", UTC, nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parked")),
    )
    op.create_index("ix_parked_code", "parked", ["code", "resolved_at"], unique=False)
    op.create_index("ix_parked_link", "parked", ["link_id", "resolved_at"], unique=False)


def _people() -> None:
    op.create_table(
        "people",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "id", name=op.f("pk_people")),
    )


def _secrets() -> None:
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.Text(), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secrets")),
    )


def _tickets() -> None:
    op.create_table(
        "tickets",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("nextcap_id", sa.Text(), nullable=True),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("reading", JSON, nullable=True),
        sa.Column("version", UTC, nullable=True),
        sa.Column("own_version", UTC, nullable=True),
        sa.Column("timeline_version", UTC, nullable=True),
        sa.Column("moments", JSON, nullable=False),
        sa.Column("read_at", UTC, nullable=True),
        sa.Column("forbidden_until", UTC, nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", UTC, nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickets")),
        sa.UniqueConstraint("nextcap_id", name=op.f("uq_tickets_nextcap_id")),
    )
    op.create_index("ix_tickets_number", "tickets", ["number"], unique=False)


def _unplaced() -> None:
    op.create_table(
        "unplaced",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unplaced")),
        sa.UniqueConstraint("connection", "kind", "subject", name=op.f("uq_unplaced_connection_kind_subject")),
    )
    op.create_index("ix_unplaced_due", "unplaced", ["connection", "due_at"], unique=False)


def _links() -> None:
    op.create_table(
        "links",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("ticket_id", ID, nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("shadows", JSON, nullable=False),
        sa.Column("substitutes", JSON, nullable=False),
        sa.Column("moments", JSON, nullable=False),
        sa.Column("crm", JSON, nullable=False),
        sa.Column("crm_read_at", UTC, nullable=True),
        sa.Column("linked_at", UTC, nullable=True),
        sa.Column("look", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("dirty_at", UTC, nullable=True),
        sa.Column("due_at", UTC, nullable=True),
        sa.Column("alone", sa.Boolean(), nullable=False),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failing_since", UTC, nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("cause_code", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_links_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint("connection", "record_id", name=op.f("uq_links_connection_record_id")),
        sa.UniqueConstraint("ticket_id", "connection", name=op.f("uq_links_ticket_id_connection")),
    )
    op.create_index("ix_links_due", "links", ["connection", "due_at", "dirty_at"], unique=False)


def _effects() -> None:
    op.create_table(
        "effects",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("link_id", ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=True),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.Column("absent", sa.Integer(), nullable=False),
        sa.Column("sending_until", UTC, nullable=True),
        sa.Column("sent_at", UTC, nullable=True),
        sa.Column("created_at", UTC, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_effects_link_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_effects")),
        sa.UniqueConstraint("link_id", "key", name=op.f("uq_effects_link_id_key")),
        sa.UniqueConstraint("link_id", "side", "remote_id", name=op.f("uq_effects_link_id_side_remote_id")),
    )
    op.create_index("ix_effects_open", "effects", ["link_id", "state"], unique=False)
    op.create_index("ix_effects_remote", "effects", ["remote_id"], unique=False)
