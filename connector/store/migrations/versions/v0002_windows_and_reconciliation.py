"""Calls counted in windows; when each side was last compared, and what no webhook had told of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UTC = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("budgets", sa.Column("window", JSON, nullable=True))
    op.add_column("tickets", sa.Column("compared_at", UTC, nullable=True))
    op.add_column("tickets", sa.Column("owed_at", UTC, nullable=True))
    op.create_index("ix_tickets_compared", "tickets", ["compared_at"])
    op.create_index("ix_tickets_owed", "tickets", ["owed_at"])
    op.add_column("links", sa.Column("compared_at", UTC, nullable=True))
    op.create_index("ix_links_compared", "links", ["connection", "compared_at"])
    op.create_table(
        "drifts",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("connection", sa.Text, nullable=False),
        sa.Column("side", sa.Text, nullable=False),
        sa.Column("link_id", ID, nullable=True),
        sa.Column("ticket_id", ID, nullable=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("fields", JSON, nullable=True),
        sa.Column("shown", sa.Text, nullable=True),
        sa.Column("day", sa.Text, nullable=False),
        sa.Column("found_at", UTC, nullable=False),
        sa.Column("told", sa.Boolean, nullable=True),
    )
    op.create_index("ix_drifts_found_at", "drifts", ["found_at"])
    op.create_index("ix_drifts_open", "drifts", ["told", "found_at"])


def downgrade() -> None:
    op.drop_table("drifts")
    op.drop_index("ix_links_compared", "links")
    op.drop_column("links", "compared_at")
    op.drop_index("ix_tickets_owed", "tickets")
    op.drop_index("ix_tickets_compared", "tickets")
    op.drop_column("tickets", "owed_at")
    op.drop_column("tickets", "compared_at")
    op.drop_column("budgets", "window")
