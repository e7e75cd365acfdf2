"""Directions that are paused, what the fuses count, and what a link remembers of its own writes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UTC = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "pauses",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.PrimaryKeyConstraint("connection", "direction", name=op.f("pk_pauses")),
    )
    op.execute(
        "INSERT INTO pauses (connection, direction, code, reason, by, at) "
        "SELECT name, 'both', 'paused_by_person', '', 'a person', CURRENT_TIMESTAMP FROM connections WHERE paused"
    )
    op.create_table(
        "mass_changes",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("step", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "direction", "step", "kind", name=op.f("pk_mass_changes")),
    )
    op.add_column("links", sa.Column("trails", JSON, nullable=True))
    op.add_column("links", sa.Column("mass", sa.Text(), nullable=True))
    waits = sa.text("cause_code IS NOT NULL")
    op.create_index("ix_links_cause", "links", ["cause_code", "connection"], postgresql_where=waits, sqlite_where=waits)
