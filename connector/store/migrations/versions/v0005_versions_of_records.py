"""The version of a CRM record as it is known, so that it need not be read before each write."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UTC = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("links", sa.Column("crm_version", UTC, nullable=True))
    op.add_column("links", sa.Column("echo_version", UTC, nullable=True))
