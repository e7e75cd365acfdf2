"""Many linked tickets, a long journal and what was heard, written straight into the database.

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
DELIVERIES = """
INSERT INTO deliveries (connection, key, received_at, body, seen)
SELECT 'hubspot', md5(n::text) || md5((-n)::text), now() - n * interval '1 second', NULL, 1
FROM generate_series(1, %(count)s) n
"""
EVENTS = """
INSERT INTO events (delivery_id, connection, name, subject, ticket_id, outcome, at)
SELECT d.id, d.connection, 'ticket.updated', l.record_id, l.ticket_id, 'echo: says what is known already', d.received_at
FROM deliveries d JOIN links l ON l.id = (SELECT min(id) FROM links) + (d.id % (SELECT count(*) FROM links))
WHERE d.connection = 'hubspot' AND length(d.key) = 64 AND d.body IS NULL
"""


def fill(database: str, *, tickets: int, lines: int) -> None:
    """Add so many linked tickets, and so many journal lines, deliveries and events; let the planner know of them."""
    with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(TICKETS, {"count": tickets})
        connection.execute(LINKS)
        connection.execute(JOURNAL, {"count": lines})
        connection.execute(DELIVERIES, {"count": lines})
        connection.execute(EVENTS)
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
