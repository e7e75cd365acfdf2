"""The portal as tests and the demo look at it: labels instead of ids, notes under their tickets."""

from __future__ import annotations

from typing import Any

from .hubspot_portal import Portal
from .hubspot_records import Record
from .hubspot_stock import COMPANIES, CONTACTS, EMAILS, NOTES, TICKETS
from .kernel_clock import iso

View = dict[str, Any]


def portal_view(portal: Portal) -> View:
    """Everything that is in the portal."""
    return {
        "tickets": [ticket_view(portal, one) for one in portal.tables[TICKETS.name].records.values()],
        "contacts": [_record(one) for one in portal.tables[CONTACTS.name].records.values()],
        "companies": [_record(one) for one in portal.tables[COMPANIES.name].records.values()],
        "notes": [note_view(one) for one in portal.tables[NOTES.name].records.values()],
        "emails": [_record(one) for one in portal.tables[EMAILS.name].records.values()],
        "associations": _associations(portal),
        "creates": dict(portal.creates),
        "files": [
            {"id": one.id, "path": one.path, "access": one.access, "size": len(one.content), "md5": one.md5}
            for one in portal.files.by_id.values()
        ],
        "uploads": portal.files.uploads,
        "owners": [one.as_json() for one in portal.owners.all],
        "pipelines": [
            {"id": one.id, "label": one.label, "stages": [stage.label for stage in one.stages.values()]}
            for one in portal.pipelines.by_id.values()
        ],
    }


def ticket_view(portal: Portal, ticket: Record) -> View:
    """One ticket: its stage and pipeline by label, and what hangs on it, archived notes included."""
    held = ticket.properties
    pipeline = portal.pipelines.by_id.get(held.get("hs_pipeline", ""))
    stage = portal.pipelines.stage(held.get("hs_pipeline_stage", ""))
    notes = portal.links.of((TICKETS.name, ticket.id), NOTES.name)
    return {
        **_record(ticket),
        "pipeline": pipeline.label if pipeline is not None else None,
        "stage": stage.label if stage is not None else None,
        "contacts": [one.id for one, _ in portal.linked(ticket, CONTACTS)],
        "companies": [one.id for one, _ in portal.linked(ticket, COMPANIES)],
        "notes": [note_view(portal.tables[NOTES.name].records[one]) for one in notes],
        "emails": [_record(one) for one, _ in portal.linked(ticket, EMAILS)],
    }


def note_view(note: Record) -> View:
    """One note: its text and who wrote it."""
    return {
        "id": note.id,
        "body": note.properties.get("hs_note_body", ""),
        "attachments": [one for one in note.properties.get("hs_attachment_ids", "").split(";") if one],
        "source": note.properties["hs_object_source"],
        "source_id": note.properties["hs_object_source_id"],
        "owner": note.properties.get("hubspot_owner_id"),
        "timestamp": note.properties["hs_timestamp"],
        "created": iso(note.created_at),
        "archived": note.archived_at is not None,
    }


def _record(record: Record) -> View:
    return {
        "id": record.id,
        "properties": dict(record.properties),
        "created": iso(record.created_at),
        "updated": iso(record.updated_at),
        "archived": record.archived_at is not None,
        "merged_into": record.merged_into,
    }


def _associations(portal: Portal) -> list[View]:
    """Every pair from both sides, with the type ids of that direction."""
    return [
        {
            "from": f"{kind}/{record_id}",
            "to": f"{to_kind}/{to_id}",
            "types": sorted(one.type_id for one in types),
        }
        for kind, table in portal.tables.items()
        for record_id in table.records
        for (to_kind, to_id), types in portal.links.all_of((kind, record_id))
    ]
