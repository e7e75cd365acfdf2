"""Indexes for many tickets and a long journal: the queue, the rotations, retention, and lines of no link."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NEW: dict[str, tuple[str, list[str], str | None]] = {
    "ix_deliveries_bodies": ("deliveries", ["received_at"], "body IS NOT NULL"),
    "ix_deliveries_emptied": ("deliveries", ["received_at"], "body IS NULL"),
    "ix_events_at": ("events", ["at"], None),
    "ix_tickets_turn": ("tickets", ["compared_at", "id"], None),
    "ix_links_turn": ("links", ["connection", "compared_at", "ticket_id", "state", "linked_at"], None),
    "ix_links_queue": ("links", ["connection", "dirty_at", "id"], "due_at IS NOT NULL"),
    "ix_links_said": ("links", ["connection", "dirty_at", "id"], "due_at IS NOT NULL AND (look & 12) != 0"),
    "ix_effects_creating": (
        "effects",
        ["kind", "link_id"],
        "kind IN ('create_crm', 'create_nextcap') AND state IN ('sending', 'unknown')",
    ),
    "ix_journal_connection": ("journal", ["connection", "id"], "link_id IS NULL"),
    "ix_journal_last_at": ("journal", ["last_at"], None),
}
REPLACED = {
    "ix_deliveries_received_at": "deliveries",
    "ix_tickets_compared": "tickets",
    "ix_links_compared": "links",
    "ix_links_due": "links",
    "ix_journal_at": "journal",
}


def upgrade() -> None:
    with _one_by_one():
        for name, (table, columns, where) in NEW.items():
            few = sa.text(where) if where else None
            op.create_index(name, table, columns, if_not_exists=True, postgresql_where=few, sqlite_where=few)
        for name, table in REPLACED.items():
            op.drop_index(name, table, if_exists=True)


def _one_by_one() -> AbstractContextManager[None]:
    """On PostgreSQL each is a transaction of its own: writers wait for one index at a time, and in no circle."""
    context = op.get_context()
    return context.autocommit_block() if context.dialect.name == "postgresql" else nullcontext()
