"""What an event about a linked record asks to be looked at: nothing, where it says only what is known already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connector.adapters.base import Event, EventKind
from connector.domain.loops import fingerprint
from connector.domain.rules import TicketMapping
from connector.domain.ticket import Record, Side, Value, normal
from connector.engine.effects import UPDATE_CRM
from connector.engine.work import name_of, native_of, observe
from connector.store import effects
from connector.store.links import Look, from_json

ECHO = "echo"
"""How the outcome of an event begins that tells of a write of ours."""


def consider(
    mapping: TicketMapping | None,
    row: sa.Row[Any],
    event: Event,
    opened: Sequence[effects.Effect],
) -> tuple[Look | None, str]:
    """What one CRM event about a linked record asks to be looked at (None: nothing), and why."""
    if event.kind is EventKind.COMMENT:
        return Look.CRM_COMMENTS, "doorbell: its comments will be read"
    if event.kind in (EventKind.DELETED, EventKind.RESTORED, EventKind.MERGED):
        return Look.CRM, "doorbell: the record will be read"
    if event.kind is EventKind.CREATED and row.record_id:
        return None, "the record is known already"
    if mapping is None or (event.record is None and event.field is None):
        return Look.CRM, "doorbell: the record will be read"
    if event.record is not None:
        return _whole(mapping, row, event.record, opened)
    return _field(mapping, row, event, opened)


def _known(what: str, *, is_held: bool, look: Look = Look.CRM) -> tuple[Look | None, str]:
    """What is known already rings no bell; but a pass that is at work may have read, and carried, something else.

    It is at work until it has let its ticket go: one whose lease is over may only be slow.
    """
    if is_held:
        return look, f"{what}, but the ticket is being worked on: the record will be read"
    return None, f"{ECHO}: {what}"


def _field(
    mapping: TicketMapping, row: sa.Row[Any], event: Event, opened: Sequence[effects.Effect]
) -> tuple[Look | None, str]:
    """What an event asks for that names one property of a linked record."""
    rule = name_of(mapping, event.field or "", Side.CRM)
    if rule is None:
        return None, f"{event.field} is not in the mapping"
    if not event.has_value:
        return Look.CRM, "doorbell: the record will be read"
    value = normal(event.value)
    told, said = _told_by(opened, rule), _last_said(row, rule, event.field or "")
    if value in told:
        return None, f"{ECHO}: {event.field} is what the pass at work writes or has seen"
    if not told and said and all(one == value for one in said):
        is_held = row.lease_until is not None and not _is_no_news(row, event.version)
        look = Look.CRM if event.version is None else Look.ECHO
        return _known(f"{event.field} is what was last known", is_held=is_held, look=look)
    if _is_late_echo(row, opened, rule, value, event.version):
        return None, f"late: {event.field} is what we wrote before, and have written anew since"
    return Look.CRM, f"{event.field} changed: the record will be read"


def _is_no_news(row: sa.Row[Any], version: datetime | None) -> bool:
    """Whether an event is of no later moment than what is known of the record, by the CRM's own clock."""
    heard = max(filter(None, (row.crm_version, row.echo_version, row.moved_from)), default=None)
    return version is not None and heard is not None and version <= heard


def _is_late_echo(
    row: sa.Row[Any], opened: Sequence[effects.Effect], rule: str, value: Value, version: datetime | None
) -> bool:
    """Whether an event tells of an earlier write of ours to a field that we have written again since.

    The value is ours, and the event is older than a version that we know, or no newer than the one that our later write
    was decided on: the CRM would have turned that write down if anything had come between.
    """
    mark = fingerprint(value)
    is_ours = any(side == Side.CRM and one == mark for side, one, *_ in (row.trails or {}).get(rule, ()))
    if version is None or not is_ours:
        return False
    writing = [datetime.fromisoformat(one) for effect in opened if (one := effect.payload.get("base"))]
    replaced = max(filter(None, (row.moved_from, *writing)), default=None)
    known = max(filter(None, (row.crm_version, row.echo_version)), default=None)
    return (replaced is not None and version <= replaced) or (known is not None and version < known)


def _last_said(row: sa.Row[Any], rule: str, native: str) -> list[Value]:
    """What a record last said of a field, by its shadow and by its last reading, which may not be settled yet.

    Empty where nothing was ever settled.
    """
    shadow, crm = (row.shadows or {}).get(rule), row.crm or {}
    if shadow is None:
        return []
    return [from_json(shadow[1]), *([from_json(crm[native])] if native in crm else [])]


def _whole(
    mapping: TicketMapping, row: sa.Row[Any], record: Record, opened: Sequence[effects.Effect]
) -> tuple[Look | None, str]:
    """What an event asks for that tells the whole record: nothing, where it says only what is known or being written.

    Nothing is taken from it: what differs is read. So a forged one can ask for a read, and no more.
    """
    shown = observe(mapping, Side.CRM, record)
    for rule in row.shadows or {}:
        told, said = _told_by(opened, rule), _last_said(row, rule, native_of(mapping, rule, Side.CRM))
        if rule in shown and (shown[rule] not in told if told else any(one != shown[rule] for one in said)):
            return Look.CRM, f"{rule} differs from what is known: the record will be read"
    unknown = [rule.name for rule in mapping.rules if rule.crm and rule.name not in shown]
    if unknown:
        return Look.CRM, f"does not tell {', '.join(sorted(unknown))}: the record will be read"
    is_writing = any(one.kind == UPDATE_CRM for one in opened)
    is_held = row.lease_until is not None and not is_writing
    return _known("the record says what is known already", is_held=is_held)


def _told_by(opened: Sequence[effects.Effect], rule: str) -> list[Value]:
    """What our open writes make of a field in the CRM, or leave as their pass has seen it; empty where neither."""
    payloads = [one.payload for one in opened if one.kind == UPDATE_CRM]
    written = [from_json(one["pairs"][rule][1]) for one in payloads if rule in one["pairs"]]
    return written or [from_json(one["seen"][rule]) for one in payloads if rule in one.get("seen", {})]
