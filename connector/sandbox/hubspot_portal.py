"""The portal: what creating, changing, linking, archiving and merging records does, and who is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from .hubspot_errors import Refusal, bad_request, not_found, unknown_ids
from .hubspot_files import Files
from .hubspot_links import Links, LinkType
from .hubspot_owners import Owners
from .hubspot_pipelines import Pipelines
from .hubspot_records import Record, Source, Table
from .hubspot_rules import Raw, Rules, Values
from .hubspot_settings import Settings
from .hubspot_stock import BY_NAME, CONTACTS, NOTES, TICKETS, ObjectType, stock_schemas
from .kernel_clock import iso

OUR_ID = "nextcap_ticket_id"
FIRST_ID = 30_000_000_001
WORKFLOW_DEPTH = 5
NOTE_WRAPPER = '<div style="" dir="auto" data-top-level="true">'
WORKFLOW = Source("AUTOMATION_PLATFORM", "enrollmentId:1;actionExecutionIndex:0", "Workflow")
COMPUTED = Source("CALCULATED", "StageCalculation")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to a record, before anybody subscribed to it."""

    what: str
    kind: ObjectType
    object_id: str
    at: datetime
    source: Source
    details: Mapping[str, Any] = field(default_factory=dict)


class Portal:
    """One portal's records. Not thread-safe: callers hold the imitation's lock.

    `announce` is called for every change, in order, while that lock is held.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        settings: Settings,
        announce: Callable[[Change], None],
        portal_id: int,
    ) -> None:
        self.now = now
        self.portal_id = portal_id
        self.settings = settings
        self._announce = announce
        self._ids = count(FIRST_ID)
        self.schemas = stock_schemas()
        self.tables = {name: Table(BY_NAME[name], schema) for name, schema in self.schemas.items()}
        self.pipelines = Pipelines(self.new_id, now)
        self.owners = Owners(settings)
        self.files = Files(self.new_id, now, portal_id)
        self.links = Links()
        self.creates: Counter[str] = Counter()
        self.rules = Rules(self.tables, self.pipelines, self.owners, self.files, settings, portal_id=portal_id)

    def new_id(self) -> str:
        """An id that no record, file or stage has had."""
        return str(next(self._ids))

    @property
    def horizon(self) -> datetime:
        """The moment up to which the search index has caught up."""
        return self.now() - timedelta(seconds=self.settings.search_lag)

    def live(self, kind: ObjectType, record_id: str) -> Record:
        """A record that can be read and changed; the id of a merged-away one leads to its survivor."""
        found = self.tables[kind.name].survivor(record_id)
        if found is None or found.archived_at is not None:
            raise not_found()
        return found

    def exact(self, kind: ObjectType, record_id: str) -> Record:
        """A live record by its own id, as batches want it: the id of a merged-away one is unknown."""
        found = self.tables[kind.name].records.get(record_id)
        if found is None or not found.is_live:
            raise unknown_ids(kind.upper, [record_id])
        return found

    def create(
        self,
        kind: ObjectType,
        raw: Raw,
        source: Source,
        *,
        links: Sequence[tuple[Record, Sequence[LinkType]]] = (),
        version: str | None = None,
    ) -> Record:
        values = self.rules.checked(kind, raw, version=version)
        made = Record(kind, self.new_id(), self.now(), self.now())
        self.tables[kind.name].records[made.id] = made
        if kind is TICKETS and OUR_ID in values:
            self.creates[values[OUR_ID]] += 1
        self._tell("creation", made, source, changeFlag="CREATED")
        self._stamp(made, source)
        self._write(made, values, source)
        for target, types in links:
            self.link(made, target, types, source)
        return made

    def update(self, record: Record, raw: Raw, source: Source, *, version: str | None = None) -> set[str]:
        """Change a record and return the names that were written or followed from it."""
        values = self.rules.checked(record.kind, raw, record=record, version=version)
        return self._write(record, values, source) | values.keys()

    def archive(self, record: Record, source: Source) -> None:
        record.archived_at = self.now()
        self.tables[record.kind.name].release(record)
        self._tell("deletion", record, source, changeFlag="DELETED")

    def restore(self, record: Record, source: Source) -> None:
        """Bring an archived record back, unless its unique values have been given to another."""
        if record.archived_at is None or record.merged_into is not None:
            raise bad_request(f"{record.id} is not archived")
        self.rules.check_claims(record)
        record.archived_at = None
        self.tables[record.kind.name].claim(record)
        record.settle(self.now(), horizon=self.horizon)
        self._tell("restore", record, source, changeFlag="RESTORED")

    def forget(self, record: Record, source: Source) -> None:
        """Delete for good, as a privacy request asks: nothing of the record stays but its id."""
        self.tables[record.kind.name].release(record)
        del self.tables[record.kind.name].records[record.id]
        for (kind, other), _ in self.links.all_of((record.kind.name, record.id)):
            self.links.remove((record.kind.name, record.id), (kind, other))
        self._tell("privacyDeletion", record, source)

    def merge(self, kind: ObjectType, primary_id: str, other_id: str, source: Source) -> Record:
        """Fold one record into another; both ids then lead to the survivor."""
        if primary_id == other_id:
            raise bad_request("A record cannot be merged with itself")
        primary, loser = self.live(kind, primary_id), self.live(kind, other_id)
        folded = [loser]
        survivor = primary
        if self.settings.merge_makes_new_record:
            survivor = Record(kind, self.new_id(), self.now(), self.now())
            self.tables[kind.name].records[survivor.id] = survivor
            self._stamp(survivor, source)
            folded = [primary, loser]
        moved = sum(self._fold(survivor, one) for one in folded)
        self.tables[kind.name].claim(survivor)
        survivor.settle(self.now(), horizon=self.horizon)
        self._tell(
            "merge",
            primary,
            source,
            primaryObjectId=int(primary.id),
            mergedObjectIds=[int(loser.id)],
            newObjectId=int(survivor.id),
            numberOfPropertiesMoved=moved,
        )
        return survivor

    def add_addresses(self, contact: Record, addresses: Sequence[str], source: Source) -> None:
        """Give a contact further e-mail addresses, which then count as taken."""
        held = contact.properties.get("hs_additional_emails", "").split(";")
        joined = ";".join(dict.fromkeys([*filter(None, held), *(one.lower() for one in addresses)]))
        self._write(contact, {"hs_additional_emails": joined}, source)

    def link(self, start: Record, end: Record, types: Iterable[LinkType], source: Source) -> list[LinkType]:
        """Associate two records, with the plain type and those given. Returns the types now held."""
        start_end, end_end = (start.kind.name, start.id), (end.kind.name, end.id)
        for one in self.links.put(start_end, end_end, types):
            self._tell_link(start, end, one, source, removed=False)
        for record in (start, end):
            record.settle(self.now(), horizon=self.horizon)
        return sorted(self.links.of(start_end, end.kind.name)[end.id])

    def unlink(self, start: Record, end: Record, source: Source) -> None:
        for one in self.links.remove((start.kind.name, start.id), (end.kind.name, end.id)):
            self._tell_link(start, end, one, source, removed=True)

    def linked(self, start: Record, to: ObjectType) -> list[tuple[Record, list[LinkType]]]:
        """The live records associated with `start`, oldest association first."""
        found = self.links.of((start.kind.name, start.id), to.name)
        records = self.tables[to.name].records
        return [
            (records[other], sorted(types, key=lambda one: one.type_id))
            for other, types in found.items()
            if records[other].is_live
        ]

    def _stamp(self, record: Record, source: Source) -> None:
        stamps = {
            "hs_object_id": record.id,
            record.kind.created: iso(record.created_at),
            "hs_object_source": source.change,
            "hs_object_source_id": source.id,
            "hs_object_source_label": source.label or source.change,
        }
        for name, value in stamps.items():
            record.assign(name, value, source=source, at=self.now())

    def _write(self, record: Record, values: Values, source: Source, depth: int = 0) -> set[str]:
        """Set checked values, with all that follows: computed properties, events, workflows."""
        if record.kind is NOTES and self.settings.note_html == "wrapped":
            values = _wrapped(values)
        touched = self._assign(record, values, source)
        if "hs_pipeline_stage" in touched:
            touched |= self._assign(record, self._stage_effects(record), COMPUTED)
        self.tables[record.kind.name].claim(record)
        record.settle(self.now(), horizon=self.horizon)
        if depth < WORKFLOW_DEPTH:
            self._run_workflows(record, touched, depth)
        return touched

    def _assign(self, record: Record, values: Values, source: Source) -> set[str]:
        at = self.now()
        touched = {name for name in values if record.assign(name, values[name], source=source, at=at)}
        for name in (name for name in values if name in touched):
            self._tell("propertyChange", record, source, propertyName=name, propertyValue=values[name])
        return touched

    def _stage_effects(self, record: Record) -> Values:
        """What HubSpot sets itself when a ticket enters or leaves a closed stage."""
        stage = self.pipelines.stage(record.properties["hs_pipeline_stage"])
        was_closed = record.properties.get("hs_is_closed") == "true"
        if stage is not None and stage.is_closed:
            if was_closed:
                return {}
            at = self.now()
            took = int((at - record.created_at).total_seconds() * 1000)
            dates = dict.fromkeys(("closed_date", "hs_last_closed_date"), iso(at))
            return {"hs_is_closed": "true", "time_to_close": str(took), **dates}
        reopened = {"closed_date": "", "time_to_close": "", "hs_ticket_reopened_at": iso(self.now())}
        return {"hs_is_closed": "false", **(reopened if was_closed else {})}

    def _run_workflows(self, record: Record, touched: set[str], depth: int) -> None:
        """Like HubSpot, a workflow whose action is invalid does nothing."""
        for rule in self.settings.workflows:
            name = rule["property"]
            if name in touched and record.properties.get(name, "") == rule["becomes"]:
                with suppress(Refusal):
                    values = self.rules.checked(record.kind, rule["set"], record=record)
                    self._write(record, values, WORKFLOW, depth + 1)

    def _fold(self, survivor: Record, loser: Record) -> int:
        """Give the survivor what it lacks of the loser's, and the loser's associations."""
        table = self.tables[loser.kind.name]
        table.release(loser)
        source = Source("MERGE_OBJECTS", f"{loser.id} to {survivor.id}")
        writable = {prop.name for prop in table.schema.listed(archived=False) if not prop.read_only}
        lacking = {
            name: value
            for name, value in loser.properties.items()
            if name in writable and name not in survivor.properties
        }
        touched = self._assign(survivor, lacking, source)
        self._assign(survivor, _traces(survivor, loser), source)
        loser.merged_into = survivor.id
        for (kind, other), types in self.links.all_of((loser.kind.name, loser.id)):
            self.links.remove((loser.kind.name, loser.id), (kind, other))
            if other != survivor.id:
                self.links.put((survivor.kind.name, survivor.id), (kind, other), types)
        return len(touched)

    def _tell(self, what: str, record: Record, source: Source, **details: Any) -> None:
        self._announce(Change(what, record.kind, record.id, self.now(), source, details))

    def _tell_link(self, start: Record, end: Record, one: LinkType, source: Source, *, removed: bool) -> None:
        """Both ends hear of it, each with the type of its own direction."""
        back = self.links.reverse((start.kind.name, end.kind.name), one)
        for here, there, seen in ((start, end, one), (end, start, back)):
            has_primary = len(self.links.types((here.kind.name, there.kind.name))) > 1
            suffix = "_UNLABELED" if has_primary and seen.label is None else ""
            self._tell(
                "associationChange",
                here,
                source,
                associationType=f"{here.kind.upper}_TO_{there.kind.upper}{suffix}",
                associationTypeId=seen.type_id,
                associationCategory=seen.category,
                fromObjectId=int(here.id),
                toObjectId=int(there.id),
                fromObjectTypeId=here.kind.type_id,
                toObjectTypeId=there.kind.type_id,
                associationRemoved=removed,
                isPrimaryAssociation=seen.label == "Primary",
            )


def _wrapped(values: Values) -> Values:
    """A note's body as HubSpot's editor keeps it."""
    body = values.get("hs_note_body")
    if not body or body.startswith(NOTE_WRAPPER):
        return values
    return {**values, "hs_note_body": f"{NOTE_WRAPPER}{body}</div>"}


def _traces(survivor: Record, loser: Record) -> Values:
    """What a survivor keeps of the loser's identity."""
    merged = [survivor.properties.get("hs_merged_object_ids"), loser.properties.get("hs_merged_object_ids")]
    traces = {"hs_merged_object_ids": ";".join([*filter(None, merged), loser.id])}
    if loser.kind is CONTACTS:
        addresses = [
            survivor.properties.get("hs_additional_emails"),
            loser.properties.get("hs_additional_emails"),
            loser.properties.get("email"),
        ]
        own = survivor.properties.get("email")
        traces["hs_additional_emails"] = ";".join(one for one in addresses if one and one != own)
    return traces
