"""The version that our last write to a CRM record was decided on, where its answer told no new one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("links", sa.Column("moved_from", sa.DateTime(timezone=True), nullable=True))
