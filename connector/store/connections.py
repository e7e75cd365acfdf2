"""One row a connection: its switch, its bell, who drains it, and how its vendor fares.

A circuit is closed (calls flow) unless `closed_until` lies ahead; when that passes, one drain tries again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from connector.store import bulk, causes
from connector.store.links import lock_where
from connector.store.tables import Utc, connections, links

BELL_LASTS = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to drain one connection, under a fencing number."""

    name: str
    owner: str
    fence: int


def ensure(connection: sa.Connection, names: Sequence[str]) -> None:
    """Make sure that every configured connection has its row."""
    bulk.upsert(connection, connections, [{"name": name} for name in names], ["name"])


_now = sa.bindparam("now", type_=Utc)
_rung = connections.c.bell_at
_is_quiet = sa.or_(
    _rung.is_(None), _rung < sa.bindparam("long_ago", type_=Utc), _rung > sa.bindparam("ahead", type_=Utc)
)


def ringing(names: Any) -> sa.sql.dml.ReturningUpdate[Any]:
    """What `ring` does, as a statement that takes `ring_times`; `names` is a parameter or a query."""
    silent = connections.update().where(connections.c.name.in_(names), _is_quiet)
    return silent.values(bell_at=_now).returning(connections.c.name)


def ring_times(now: datetime) -> dict[str, datetime]:
    """The moments that `ringing` compares with."""
    return {"now": now, "long_ago": now - BELL_LASTS, "ahead": now + BELL_LASTS}


_ring = ringing(sa.bindparam("names", expanding=True))


def ring(connection: sa.Connection, names: Sequence[str], now: datetime) -> list[str]:
    """Note a bell for these connections; those for which none was outstanding, so that a message is due.

    One that is noted ahead of now is none: the clock went back.
    """
    return sorted(row.name for row in connection.execute(_ring, {"names": list(names), **ring_times(now)}))


def lock(connection: sa.Connection, name: str) -> None:
    """Let nobody else lock or change this connection's row before the transaction ends. Tickets are locked before."""
    connection.execute(sa.select(connections.c.name).where(connections.c.name == name).with_for_update())


def acquire(connection: sa.Connection, name: str, *, owner: str, now: datetime, until: datetime) -> Lease | None:
    """Become the one who drains this connection, unless somebody is, or it is paused. Answers the bell."""
    free = sa.or_(connections.c.lease_until.is_(None), connections.c.lease_until <= now)
    row = connection.execute(
        connections.update()
        .where(connections.c.name == name, free, connections.c.paused.is_(False))
        .values(owner=owner, lease_until=until, fence=connections.c.fence + 1, bell_at=None)
        .returning(connections.c.fence)
    ).one_or_none()
    return Lease(name, owner, row.fence) if row else None


def renew(connection: sa.Connection, lease: Lease, until: datetime) -> bool:
    """Hold the lease longer; False where somebody else has it by now."""
    return bool(connection.execute(_mine(lease).values(lease_until=until)).rowcount)


def give_back(connection: sa.Connection, lease: Lease) -> None:
    """Let others drain. Whoever answered a bell meanwhile found the lease taken: the next bell is heard again."""
    connection.execute(_mine(lease).values(owner=None, lease_until=None, bell_at=None))


def _mine(lease: Lease) -> sa.Update:
    return connections.update().where(connections.c.name == lease.name, connections.c.fence == lease.fence)


def start_after(connection: sa.Connection, name: str, moment: datetime) -> None:
    """The next drain of this busy connection starts no sooner than this."""
    connection.execute(connections.update().where(connections.c.name == name).values(next_start_at=moment))


STATE = [column for column in connections.c if column.name != "schema"]
"""Everything of a row but the vendor's schema, which is long and seldom asked for."""


def is_paused(connection: sa.Connection, name: str) -> bool:
    """Whether nobody is to drain this connection."""
    return bool(connection.execute(sa.select(connections.c.paused).where(connections.c.name == name)).scalar())


def state(connection: sa.Connection, name: str) -> sa.Row[Any]:
    """One connection's row, without its schema."""
    return connection.execute(sa.select(*STATE).where(connections.c.name == name)).one()


def states(connection: sa.Connection) -> list[sa.Row[Any]]:
    """Every connection's row, without its schema."""
    return list(connection.execute(sa.select(*STATE).order_by(connections.c.name)))


def schema(connection: sa.Connection, name: str) -> Any:
    """The vendor's schema as it was kept; None before it was first read."""
    return connection.execute(sa.select(connections.c.schema).where(connections.c.name == name)).scalar()


def fail(connection: sa.Connection, name: str, *, cause: str, until: datetime | None) -> int:
    """Note a failure of the vendor; with `until`, nothing is tried before then. How many there were in a row."""
    row = connection.execute(
        connections.update()
        .where(connections.c.name == name)
        .values(
            failures=connections.c.failures + 1,
            cause=cause,
            closed_until=connections.c.closed_until if until is None else until,
        )
        .returning(connections.c.failures)
    ).one()
    return int(row.failures)


def hold(connection: sa.Connection, name: str, *, cause: str, until: datetime) -> None:
    """The vendor asks everybody to wait until then."""
    connection.execute(connections.update().where(connections.c.name == name).values(closed_until=until, cause=cause))


def recover(connection: sa.Connection, name: str, now: datetime) -> bool:
    """A call went through: the cause has ended, and what waited for it is due at once. True where there was one."""
    late = sa.and_(causes.of_system(name), links.c.due_at > now)
    lock_where(connection, late)
    row = connection.execute(
        connections.update()
        .where(connections.c.name == name, sa.or_(connections.c.failures > 0, connections.c.cause.is_not(None)))
        .values(failures=0, cause=None)
        .returning(connections.c.closed_until)
    ).one_or_none()
    if row is None or row.closed_until is None:
        return False
    connection.execute(connections.update().where(connections.c.name == name).values(closed_until=None))
    connection.execute(links.update().where(late).values(due_at=now))
    return True


def keep_schema(connection: sa.Connection, name: str, schema: Any, now: datetime) -> None:
    """Store the vendor's schema, as `prepare.schema_to_json` makes it."""
    connection.execute(connections.update().where(connections.c.name == name).values(schema=schema, schema_at=now))
