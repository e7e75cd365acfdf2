"""What people and the portal's administrators do in HubSpot's own pages, as actions."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from typing import Any

from .hubspot_errors import not_found
from .hubspot_portal import Portal
from .hubspot_records import Record, Source
from .hubspot_schema import Option
from .hubspot_settings import Settings
from .hubspot_stock import CONTACTS, NOTES, TICKETS, ObjectType
from .kernel import Imitation, action, iso


class People(Imitation):
    """The actions. `by` is an owner's e-mail address or id, the first owner if it is left out.

    Events of these changes carry CRM_UI and the person's user id.
    """

    portal: Portal
    settings: Settings
    timers: list[threading.Timer]

    @action
    def create_ticket(
        self,
        subject: str,
        content: str = "",
        stage: str = "New",
        pipeline: str = "0",
        contact: str | None = None,
        by: str | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> str:
        """Make a ticket in the pages, with a contact known or made by e-mail address; returns its id."""
        source = self._person(by)
        chosen = self.portal.pipelines.named(pipeline)
        raw = {"subject": subject, "hs_pipeline": chosen.id, "hs_pipeline_stage": chosen.stage(stage).id}
        if content:
            raw["content"] = content
        links = [] if contact is None else [(self._contact(contact, source), ())]
        made = self.portal.create(TICKETS, {**raw, **(properties or {})}, source, links=links)
        return made.id

    @action
    def set_properties(self, ticket: str, properties: Mapping[str, str], by: str | None = None) -> list[str]:
        """Edit a ticket; returns the names that changed or followed."""
        return sorted(self.portal.update(self._ticket(ticket), properties, self._person(by)))

    @action
    def move_stage(self, ticket: str, stage: str, by: str | None = None) -> None:
        """Move a ticket to a stage of its own pipeline, by label or id."""
        record = self._ticket(ticket)
        pipeline = self.portal.pipelines.get(record.properties["hs_pipeline"])
        self.portal.update(record, {"hs_pipeline_stage": pipeline.stage(stage).id}, self._person(by))

    @action
    def write_note(self, ticket: str, html: str, by: str | None = None, attachments: list[str] | None = None) -> str:
        """Write a note on a ticket; `attachments` are file ids. Its link may come late (a setting)."""
        source = self._person(by)
        target = self._ticket(ticket)
        raw = {
            "hs_timestamp": iso(self.now()),
            "hs_note_body": html,
            "hubspot_owner_id": self._owner_id(by),
            "hs_attachment_ids": ";".join(attachments or []),
        }
        delay = self.settings.note_link_delay
        note = self.portal.create(NOTES, raw, source, links=[] if delay else [(target, ())])
        if delay:
            self._later(delay, note, target, source)
        return note.id

    @action
    def edit_note(self, note: str, html: str, by: str | None = None) -> None:
        self.portal.update(self.portal.live(NOTES, note), {"hs_note_body": html}, self._person(by))

    @action
    def delete_note(self, note: str, by: str | None = None) -> None:
        self.portal.archive(self.portal.live(NOTES, note), self._person(by))

    @action
    def archive_ticket(self, ticket: str, by: str | None = None) -> None:
        self.portal.archive(self._ticket(ticket), self._person(by))

    @action
    def restore_ticket(self, ticket: str, by: str | None = None) -> None:
        self.portal.restore(self._any(TICKETS, ticket), self._person(by))

    @action
    def merge_tickets(self, primary: str, other: str, by: str | None = None) -> str:
        """Merge `other` into `primary`; returns the id of what is left."""
        return self.portal.merge(TICKETS, primary, other, self._person(by)).id

    @action
    def create_contact(
        self,
        email: str,
        first_name: str = "",
        last_name: str = "",
        additional_emails: list[str] | None = None,
        by: str | None = None,
    ) -> str:
        """Make a contact; further addresses count as taken. Returns its id."""
        raw = {"email": email, "firstname": first_name, "lastname": last_name}
        made = self.portal.create(CONTACTS, raw, self._person(by))
        if additional_emails:
            self.portal.add_addresses(made, additional_emails, self._person(by))
        return made.id

    @action
    def set_contact(self, contact: str, properties: Mapping[str, str], by: str | None = None) -> None:
        self.portal.update(self.portal.live(CONTACTS, contact), properties, self._person(by))

    @action
    def merge_contacts(self, primary: str, other: str, by: str | None = None) -> str:
        return self.portal.merge(CONTACTS, primary, other, self._person(by)).id

    @action
    def forget_contact(self, contact: str, by: str | None = None) -> None:
        """Delete a contact for good, as a privacy request demands."""
        self.portal.forget(self.portal.live(CONTACTS, contact), self._person(by))

    @action
    def associate_contact(self, ticket: str, contact: str, by: str | None = None) -> None:
        self.portal.link(self._ticket(ticket), self.portal.live(CONTACTS, contact), (), self._person(by))

    @action
    def dissociate_contact(self, ticket: str, contact: str, by: str | None = None) -> None:
        self.portal.unlink(self._ticket(ticket), self.portal.live(CONTACTS, contact), self._person(by))

    @action
    def add_file(self, name: str, content: str, access: str = "PRIVATE", media_type: str = "") -> str:
        """Put a file (Base64) into the file manager as a person or a form does; returns its id."""
        kept = self.portal.files.keep(
            "/uploads",
            name,
            base64.b64decode(content, validate=True),
            media_type or "application/octet-stream",
            access,
        )
        return kept.id

    @action
    def add_pipeline(self, label: str, stages: Mapping[str, str | None]) -> dict[str, Any]:
        """A further ticket pipeline; `stages` gives each label's ticketState, which may be null."""
        return self.portal.pipelines.add(label, stages).as_json()

    @action
    def add_stage(self, label: str, state: str = "OPEN", pipeline: str = "0") -> str:
        """Add a stage at the end of a pipeline; returns its id."""
        chosen = self.portal.pipelines.named(pipeline)
        body = {"label": label, "displayOrder": len(chosen.stages), "metadata": {"ticketState": state}}
        return self.portal.pipelines.add_stage(chosen.id, body, may_choose_id=False).id

    @action
    def rename_stage(self, stage: str, label: str, pipeline: str = "0") -> None:
        self.portal.pipelines.named(pipeline).rename(stage, label)

    @action
    def remove_option(self, property: str, value: str, kind: str = "tickets") -> None:
        """Take an option away; records keep the value they have."""
        self.portal.schemas[kind].remove_option(property, value)

    @action
    def add_option(self, property: str, value: str, label: str, kind: str = "tickets") -> None:
        self.portal.schemas[kind].add_option(property, Option(label, value))

    @action
    def archive_property(self, property: str, kind: str = "tickets") -> None:
        """Archive a custom property; its name stays taken."""
        self.portal.schemas[kind].archive(property)

    @action
    def add_workflow(self, property: str, becomes: str, sets: Mapping[str, str]) -> None:
        """From now on, when `property` of a record becomes a value, set others."""
        self.settings.workflows.append({"property": property, "becomes": becomes, "set": dict(sets)})

    @action
    def add_label(self, start: str, end: str, label: str) -> int:
        """A label for associations between two object types; returns the type id from start to end."""
        return self.portal.links.add_label((start, end), label).type_id

    def _person(self, by: str | None) -> Source:
        owner = self.portal.owners.named(by or self.settings.owner_emails[0])
        return Source("CRM_UI", f"userId:{owner.user_id}", owner.email, owner.user_id)

    def _owner_id(self, by: str | None) -> str:
        return self.portal.owners.named(by or self.settings.owner_emails[0]).id

    def _ticket(self, ticket: str) -> Record:
        return self.portal.live(TICKETS, ticket)

    def _any(self, kind: ObjectType, record_id: str) -> Record:
        found = self.portal.tables[kind.name].records.get(record_id)
        if found is None:
            raise not_found()
        return found

    def _contact(self, email: str, source: Source) -> Record:
        held = self.portal.tables[CONTACTS.name].holder("email", email)
        return held or self.portal.create(CONTACTS, {"email": email}, source)

    def _later(self, delay: float, note: Record, ticket: Record, source: Source) -> None:
        """Associate after a while, unless the imitation is stopped or reset before."""

        def associate() -> None:
            with self.lock:
                if timer in self.timers:
                    self.timers.remove(timer)
                    self.portal.link(note, ticket, (), source)

        timer = threading.Timer(delay, associate)
        timer.daemon = True
        self.timers.append(timer)
        timer.start()
