"""Many linked tickets and a long journal, written straight into the database.

The vendors do not know these tickets; they count as compared just now, so that the rotation asks for none of them.
"""

from __future__ import annotations

import psycopg

TICKETS = """
INSERT INTO tickets (nextcap_id, number, reading, version, moments, read_at, fence, compared_at)
SELECT 'seed-' || n, n::text, t.reading, t.version, '{}', t.read_at, 0, now()
FROM generate_series(1, %(count)s) n, (SELECT * FROM tickets WHERE reading IS NOT NULL LIMIT 1) t
"""
LINKS = """
INSERT INTO links (ticket_id, connection, record_id, state, shadows, substitutes, moments, crm, crm_read_at, linked_at,
                   look, seq, alone, claims, attempts, trails, compared_at)
SELECT t.id, l.connection, 'seed-' || t.id, 'active', l.shadows, l.substitutes, '{}', l.crm, l.crm_read_at, now(),
       0, 0, false, 0, 0, l.trails, now()
FROM tickets t, (SELECT * FROM links WHERE state = 'active' LIMIT 1) l WHERE t.nextcap_id LIKE 'seed-%%'
"""
JOURNAL = """
INSERT INTO journal (link_id, connection, at, last_at, count, code, text, details, digest)
SELECT (SELECT min(id) FROM links) + (n %% (SELECT count(*) FROM links)), 'hubspot', now() - n * interval '1 second',
       now() - n * interval '1 second', 1, 'synced', 'carried subject → HubSpot', j.details, md5(n::text)
FROM generate_series(1, %(count)s) n, (SELECT details FROM journal WHERE code = 'synced' LIMIT 1) j
"""


def fill(database: str, *, tickets: int, lines: int) -> None:
    """Add so many linked tickets and journal lines, and let the planner know of them."""
    with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(TICKETS, {"count": tickets})
        connection.execute(LINKS)
        connection.execute(JOURNAL, {"count": lines})
        connection.execute("VACUUM ANALYZE")
