"""What the store knows of a ticket with which something went wrong."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from connector.store import journal, links, tables
from connector.store.database import Database

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def story(url: str, sentences: str) -> str:
    """The links, open effects, parked items and the last lines of the journal of every ticket that is named."""
    lines, db = list[str](), Database(url)
    with db.read() as connection:
        lines += [f"connection {_shown(row)}" for row in connection.execute(sa.select(tables.connections))]
        lines += [f"unplaced {_shown(row)}" for row in connection.execute(sa.select(tables.unplaced))]
        for ticket in sorted(set(UUID.findall(sentences))):
            lines.append(f"ticket {ticket}")
            for link in links.of_ticket(connection, ticket):
                for table in (tables.links, tables.effects, tables.parked):
                    column = table.c.id if table is tables.links else table.c.link_id
                    rows = connection.execute(sa.select(table).where(column == link.id))
                    lines += [f"  {table.name} {_shown(row)}" for row in rows]
                for row in journal.of_link(connection, link.id)[-25:]:
                    details = [one["text"] for one in (row["details"] or {}).get("lines", ())]
                    lines.append(f"  {row['at']:%H:%M:%S} ×{row['count']} {row['text']} {details or ''}")
    db.close()
    return "\n".join(lines)


def _shown(row: sa.Row[Any]) -> str:
    left_out = ("schema", "shadows", "crm", "substitutes", "moments", "text")
    shown = {name: value for name, value in row._mapping.items() if name not in left_out and value is not None}
    return " ".join(f"{name}={str(value)[:80]}" for name, value in shown.items())
