"""Entries that came from a CRM by their key: a merge puts an entry of one record onto another."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TO_NEXTCAP = sa.text("kind = 'comment' AND side = 'nextcap'")


def upgrade() -> None:
    op.create_index("ix_effects_brought", "effects", ["key"], sqlite_where=TO_NEXTCAP, postgresql_where=TO_NEXTCAP)
