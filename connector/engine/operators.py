"""What a person decides: try again, choose a side, join by hand, let it be. Every decision is journaled with a name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from connector.adapters.base import Delivery
from connector.domain.decision import COMMENTS, Shadow
from connector.domain.errors import BadDelivery, NeedsReview
from connector.domain.rules import Direction
from connector.domain.ticket import Side
from connector.engine import announcing, intake, people, switches
from connector.engine.context import Engine
from connector.engine.sharing import attach
from connector.store import claims, decided, deliveries, effects, journal, links, parked, pauses
from connector.store.links import Look, from_json, to_json


def retry(engine: Engine, ids: Sequence[int], *, by: str) -> int:
    """Try these parked items again; how many there were. A delivery that still cannot be read waits on."""
    done = 0
    for item_id in ids:
        with engine.db.read() as connection:
            item = _open(connection, item_id)
        if item is None or (item.delivery_id is not None and not _is_taken_in(engine, item.delivery_id)):
            continue
        if item.code == pauses.MASS_CHANGE:
            switches.resume(engine, item.connection, Direction(item.field), by=by)
            done += 1
            continue
        if item.code in people.UNMATCHED:
            people.ask_again(engine, item.connection)
        with engine.db.write() as connection:
            done += _close(engine, connection, item, by=by, how="retry")
            if item.link_id is not None:
                _forget_loop(connection, item)
                if effects.is_comment_key(item.field):
                    effects.reopen(connection, item.link_id, item.field)
                _again(engine, connection, item, f"{by} asked for another try", "retried")
        engine.bell([item.connection])
    return done


def _is_taken_in(engine: Engine, delivery_id: int) -> bool:
    try:
        replay(engine, delivery_id)
    except (BadDelivery, NeedsReview):
        return False
    return True


def retry_all(engine: Engine, *, by: str, name: str | None = None, code: str | None = None) -> int:
    """Try everything again that waits for this cause; how many items."""
    with engine.db.read() as connection:
        ids = [int(item["id"]) for item in parked.listed(connection, name=name, code=code, limit=10_000)]
    return retry(engine, ids, by=by)


def resolve(engine: Engine, item_id: int, *, take: Side, by: str) -> None:
    """Settle a conflict: this side's value goes to the other. Raises NeedsReview where it cannot be settled so."""
    with engine.db.write() as connection:
        item = _open(connection, item_id)
        if item is None or not _is_of_a_field(item):
            raise NeedsReview(f"item {item_id} is not an open conflict of a field", code="not_a_conflict")
        nextcap, crm = (item.nextcap or {}).get("value"), (item.crm or {}).get("value")
        chosen = [decided.UNDECIDED, crm] if take is Side.NEXTCAP else [nextcap, decided.UNDECIDED]
        claims.overrule(connection, item.link_id)
        _forget_loop(connection, item)
        decided.set_shadow(connection, item.link_id, item.field, Shadow(from_json(chosen[0]), from_json(chosen[1])))
        _close(engine, connection, item, by=by, how=f"take {take}")
        _again(engine, connection, item, f"{by} chose {take}'s value of {item.field}", "resolved")
    engine.bell([item.connection])


def relink(engine: Engine, item_id: int, record_id: str, *, by: str) -> None:
    """Join the parked ticket to this CRM record. Raises NeedsReview where the record belongs to another ticket."""
    with engine.db.write() as connection:
        item = _open(connection, item_id)
        if item is None or item.link_id is None:
            raise NeedsReview(f"item {item_id} is not an open item of a ticket", code="not_open")
        taken = links.by_record(connection, item.connection, [record_id]).get(record_id)
        if taken is not None and taken.id != item.link_id:
            raise NeedsReview(f"record {record_id} is linked to another ticket", code="record_taken")
        link = links.get(connection, item.link_id)
        assert link is not None  # noqa: S101 - parked items belong to links
        claims.overrule(connection, item.link_id)
        unmet: dict[str, Any] = {"shadows": {}, "substitutes": [], "moments": {}, "crm": {}, "crm_read_at": None}
        unmet["crm_version"] = unmet["echo_version"] = unmet["moved_from"] = None
        attach(engine, connection, link, record_id, **(unmet if record_id != link.record_id else {}))
        announcing.relinked(engine, connection, link, record_id, engine.now())
        _close(engine, connection, item, by=by, how=f"linked to {record_id}")
        _again(engine, connection, item, f"{by} joined the ticket to record {record_id}", "relinked")
    engine.bell([item.connection])


def discard(engine: Engine, item_id: int, *, by: str, reason: str) -> None:
    """Let both sides stay as they are; the reason is kept. Raises NeedsReview where the item is not open.

    For a fuse: what it held back is not written, and the direction is opened.
    """
    with engine.db.read() as connection:
        item = _open(connection, item_id)
    if item is not None and item.code == pauses.MASS_CHANGE:
        switches.resume(engine, item.connection, Direction(item.field), by=f"{by} ({reason})", discard=True)
        return
    with engine.db.write() as connection:
        item = _open(connection, item_id)
        if item is None:
            raise NeedsReview(f"item {item_id} is not open", code="not_open")
        if _is_of_a_field(item):
            pair = Shadow(from_json((item.nextcap or {}).get("value")), from_json((item.crm or {}).get("value")))
            claims.overrule(connection, item.link_id)
            _forget_loop(connection, item)
            decided.set_shadow(connection, item.link_id, item.field, pair)
        _close(engine, connection, item, by=by, how=f"discarded: {reason}")
        text = f"{by} discarded {item.field or item.code}: {reason}"
        _journal(engine, connection, item, text, "discarded")


def replay(engine: Engine, delivery_id: int) -> intake.Receipt:
    """Take a stored delivery in again, as if it had come now. It was verified when it came."""
    with engine.db.read() as connection:
        kept = deliveries.body_of(connection, delivery_id)
    if kept is None:
        raise NeedsReview(f"delivery {delivery_id} is not kept (any more)", code="not_kept")
    source, body = kept
    adapter = engine.crms.get(source, engine.nextcap)
    events = intake.read(adapter, Delivery("POST", f"/webhooks/{source}", {}, body))
    key = f"replay:{delivery_id}:{engine.now().isoformat()}"
    return intake.take(engine, source, [intake.Arrival(key, body, events)])[0]


def resync(engine: Engine, link_id: int, *, by: str) -> None:
    """Look at both sides of a link whole, now. A record whose new ticket was discarded gets it after all."""
    with engine.db.write() as connection:
        link = links.get(connection, link_id)
        if link is None:
            raise NeedsReview(f"there is no link {link_id}", code="no_link")
        if link.state == links.FROZEN and link.ticket.nextcap_id is None:
            decided.set_state(connection, link_id, links.NEW)
        links.mark(connection, [link_id], Look.ALL, engine.now())
        text = f"{by} asked for both sides to be read"
        journal.record(connection, [journal.Line(link.connection, link_id, "resync", text)], engine.now())
    engine.bell([link.connection])


def _open(connection: sa.Connection, item_id: int) -> sa.Row[Any] | None:
    item = parked.one(connection, item_id)
    return item if item is not None and item.resolved_at is None else None


def _is_of_a_field(item: sa.Row[Any]) -> bool:
    """Whether the item is about one field of a link, not about the whole link or its conversation."""
    is_conversation = item.field == COMMENTS or effects.is_comment_key(item.field)
    return item.link_id is not None and bool(item.field) and not is_conversation


def _close(engine: Engine, connection: sa.Connection, item: sa.Row[Any], *, by: str, how: str) -> int:
    """The item waits no more; 0 where somebody else had closed it."""
    done = parked.resolve(connection, [item.id], now=engine.now(), by=by, how=how)
    if done:
        announcing.settled(engine, connection, item, engine.now())
    return done


def _forget_loop(connection: sa.Connection, item: sa.Row[Any]) -> None:
    """A field that a person lets out of quarantine begins anew."""
    if item.code == parked.LOOP:
        claims.overrule(connection, item.link_id)
        decided.forget_trail(connection, item.link_id, item.field)


def _again(engine: Engine, connection: sa.Connection, item: sa.Row[Any], text: str, code: str) -> None:
    links.mark(connection, [item.link_id], Look.ALL, engine.now())
    _journal(engine, connection, item, text, code)


def _journal(engine: Engine, connection: sa.Connection, item: sa.Row[Any], text: str, code: str) -> None:
    details = {"field": item.field, "nextcap": to_json((item.nextcap or {}).get("value"))}
    journal.record(connection, [journal.Line(item.connection, item.link_id, code, text, details)], engine.now())
