"""What a connection needs before its first drain: our fields exist there, and its schema is known here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from connector.domain.errors import CIRCUIT_CLOSED, NotSupported, Refused, RetryLater
from connector.domain.schema import FieldSchema, Option, Schema
from connector.engine.context import Engine
from connector.store import connections, cursors, journal

KEPT = timedelta(hours=24)
CURSOR = "prepared"


def prepare(engine: Engine, name: str, *, force: bool = False) -> None:
    """Make our fields exist and read the schema, once a day, or at once with `force`.

    Raises `RetryLater` where the vendor is away, or is not to be called for now.
    """
    now = engine.now()
    with engine.db.read() as connection:
        done = cursors.get(connection, name, CURSOR)
        circuit = connections.state(connection, name)
    if done is not None and now - done[1] < KEPT and not force:
        return
    if circuit.closed_until is not None and circuit.closed_until > now and not force:
        raise RetryLater(circuit.cause or f"{name} is not called for now", code=CIRCUIT_CLOSED, system=name)
    adapter = engine.crms[name]
    try:
        steps = adapter.ensure_schema(dry_run=False)
        notes = [f"{step.what}: {step.advice}" for step in steps if step.state == "problem"]
    except (Refused, NotSupported) as problem:
        notes = [f"our fields could not be made: {problem}"]
    schema = adapter.schema()
    with engine.db.write() as connection:
        connections.keep_schema(connection, name, schema_to_json(schema), now)
        cursors.put(connection, name, CURSOR, "done", now)
        for note in notes:
            journal.record(connection, [journal.Line(name, None, "setup_incomplete", note)], now)


def schema_to_json(schema: Schema) -> list[dict[str, Any]]:
    """A schema as the store keeps it."""
    return [
        {
            "name": field.name,
            "label": field.label,
            "type": field.type,
            "options": [[option.value, option.label, option.group] for option in field.options],
            "multiple": field.multiple,
            "writable": field.writable,
            "required": field.required,
            "parent": field.parent,
            "longest": field.longest,
        }
        for field in schema.fields
    ]


def schema_from_json(stored: list[dict[str, Any]]) -> Schema:
    """The schema that `schema_to_json` stored."""
    return Schema(
        tuple(
            FieldSchema(**{**field, "options": tuple(Option(*option) for option in field["options"])})
            for field in stored
        )
    )
