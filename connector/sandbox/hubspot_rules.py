"""What a write may set: every check between a request and a record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .hubspot_errors import (
    PropertyFault,
    Refusal,
    bad_request,
    contact_exists,
    invalid_properties,
    missing_required,
)
from .hubspot_files import Files
from .hubspot_owners import Owners
from .hubspot_pipelines import Pipelines
from .hubspot_records import Record, Table
from .hubspot_settings import Settings
from .hubspot_stock import CONTACTS, TICKETS, ObjectType
from .hubspot_values import EMAIL, BadValue, kept_form

VALIDATED_SINCE = "2026-09"
"""The version from which a portal's own rules apply to writes by API."""

Raw = Mapping[str, Any]
Values = dict[str, str]


class Rules:
    """The checks of one portal. All raise `Refusal` and none changes anything."""

    def __init__(
        self,
        tables: Mapping[str, Table],
        pipelines: Pipelines,
        owners: Owners,
        files: Files,
        settings: Settings,
        *,
        portal_id: int,
    ) -> None:
        self._tables = tables
        self._pipelines = pipelines
        self._owners = owners
        self._files = files
        self._settings = settings
        self._portal_id = portal_id

    def checked(
        self, kind: ObjectType, raw: Raw, *, record: Record | None = None, version: str | None = None
    ) -> Values:
        """The values to keep for a creation (no `record`) or a change. `version` is None for people."""
        values, faults = self._kept(kind, raw, record)
        held = {} if record is None else record.properties
        if record is None and kind is TICKETS:
            values.setdefault("hs_pipeline", self._pipelines.default.id)
        faults += self._reference_faults(values)
        if kind is TICKETS and not faults:
            faults += self._stage_faults(values, held)
        if faults:
            raise invalid_properties(faults, portal_id=self._portal_id)
        if record is None:
            _check_required(kind, values)
        if kind is CONTACTS:
            self._check_address(values)
        _fill_addresses(values)
        self._check_unique(kind, values, record)
        if version == VALIDATED_SINCE:
            self._check_portal_rules(values, held)
        return values

    def check_claims(self, record: Record) -> None:
        """Whether an archived record may have its unique values back."""
        self._check_unique(record.kind, record.properties, record)

    def _kept(self, kind: ObjectType, raw: Raw, record: Record | None) -> tuple[Values, list[PropertyFault]]:
        values: Values = {}
        faults: list[PropertyFault] = []
        for name, value in raw.items():
            prop = self._tables[kind.name].schema.find(name)
            if prop is None or prop.read_only:
                if not kind.ignores_unknown:
                    faults.append(_unwritable(name, is_known=prop is not None))
                continue
            present = None if record is None else record.properties.get(name)
            try:
                values[name] = kept_form(prop, value, present)
            except BadValue as bad:
                faults.append(bad.about(name))
        return values, faults

    def _reference_faults(self, values: Values) -> list[PropertyFault]:
        faults = []
        owner = values.get("hubspot_owner_id")
        if owner and not self._owners.is_assignable(owner):
            faults.append(PropertyFault("hubspot_owner_id", "INVALID_OWNER_ID", f"Owner {owner} does not exist"))
        for file_id in filter(None, values.get("hs_attachment_ids", "").split(";")):
            if file_id not in self._files.by_id:
                faults.append(PropertyFault("hs_attachment_ids", "INVALID_FILE_ID", f"File {file_id} does not exist"))
        return faults

    def _stage_faults(self, values: Values, held: Mapping[str, str]) -> list[PropertyFault]:
        """A stage must be one of its pipeline's, so a pipeline is changed together with the stage."""
        if not {"hs_pipeline", "hs_pipeline_stage"} & values.keys():
            return []
        wanted = {**held, **values}
        pipeline = self._pipelines.by_id.get(wanted["hs_pipeline"])
        if pipeline is None:
            allowed = ", ".join(self._pipelines.by_id)
            return [_bad_option("hs_pipeline", wanted["hs_pipeline"], allowed)]
        stage = wanted.get("hs_pipeline_stage")
        if stage is not None and stage not in pipeline.stages:
            return [_bad_option("hs_pipeline_stage", stage, ", ".join(pipeline.stages))]
        return []

    def _check_address(self, values: Values) -> None:
        address = values.get("email")
        if not address:
            return
        if not EMAIL.fullmatch(address):
            fault = PropertyFault("email", "INVALID_EMAIL", f"Email address {address} is invalid")
            raise invalid_properties([fault], portal_id=self._portal_id)
        values["email"] = address.lower()

    def _check_unique(self, kind: ObjectType, values: Mapping[str, str], record: Record | None) -> None:
        table = self._tables[kind.name]
        own = None if record is None else record.id
        for name in table.schema.unique_names():
            value = values.get(name)
            if not value:
                continue
            holder = table.holder(name, value)
            if holder is None and name == "email":
                holder = table.holder("hs_additional_emails", value)
            if holder is None or holder.id == own:
                continue
            if kind is CONTACTS and name == "email":
                raise contact_exists(holder.id)
            text = f"CONFLICTING_UNIQUE_VALUE: {value} of {name} is already held by {holder.id}"
            fault = PropertyFault(name, "CONFLICTING_UNIQUE_VALUE", text)
            raise invalid_properties([fault], portal_id=self._portal_id)

    def _check_portal_rules(self, values: Values, held: Mapping[str, str]) -> None:
        stage_id = values.get("hs_pipeline_stage")
        if not stage_id or stage_id == held.get("hs_pipeline_stage"):
            return
        stage = self._pipelines.stage(stage_id)
        for rule in self._settings.portal_rules:
            is_meant = stage is not None and rule["stage"] in {stage.id, stage.label}
            if is_meant and not {**held, **values}.get(rule["requires"]):
                raise bad_request(
                    f"Property '{rule['requires']}' is required to enter stage '{rule['stage']}'",
                    properties=[rule["requires"]],
                )


def _unwritable(name: str, *, is_known: bool) -> PropertyFault:
    if is_known:
        return PropertyFault(name, "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.')
    return PropertyFault(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')


def _bad_option(name: str, value: str, allowed: str) -> PropertyFault:
    text = f"{value} was not one of the allowed options: [{allowed}]"
    return PropertyFault(name, "INVALID_OPTION", text)


def _check_required(kind: ObjectType, values: Values) -> None:
    missing = [name for name in kind.required if not values.get(name)]
    if missing:
        raise missing_required(kind.upper, missing)
    if kind is CONTACTS and not any(values.get(name) for name in ("email", "firstname", "lastname")):
        raise bad_request("At least one of email, firstname and lastname is required")


def _fill_addresses(values: Values) -> None:
    """From and to of a logged mail come from its headers, a JSON text."""
    headers = values.get("hs_email_headers")
    if not headers:
        return
    try:
        parsed = json.loads(headers)
        values["hs_email_from_email"] = parsed["from"]["email"]
        values["hs_email_to_email"] = ";".join(one["email"] for one in parsed["to"])
    except (ValueError, KeyError, TypeError) as malformed:
        raise Refusal(
            400, "VALIDATION_ERROR", "hs_email_headers must be a JSON text with from, to, cc and bcc"
        ) from malformed
