"""What a link's row tells of the version that its CRM record has: by a reading, an answer, or an echo of our write."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa


def of(row: sa.Row[Any]) -> dict[str, Any]:
    """The same for a claimed link; its version is None where our last write moved the record on, and nobody told to."""
    told = _newest(row.crm_version, row.echo_version)
    is_known = row.moved_from is None or (told is not None and told > row.moved_from)
    seen = _newest(row.crm_version, row.moved_from)
    is_read = seen is not None and (row.echo_version is None or row.echo_version <= seen)
    return {"crm_version": told if is_known else None, "moved_from": row.moved_from, "is_read": is_read}


def _newest(*moments: datetime | None) -> datetime | None:
    return max(filter(None, moments), default=None)
