"""HubSpot's refusals: one exception, rendered as an error body or as one error inside a 207."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from . import kernel_gate

Context = Mapping[str, Sequence[str]]

VALIDATION = "VALIDATION_ERROR"
NOT_FOUND = "OBJECT_NOT_FOUND"
CONFLICT = "CONFLICT"


@dataclass(frozen=True, slots=True)
class PropertyFault:
    """Why one property of one input cannot be written."""

    name: str
    code: str
    message: str

    def detail(self) -> dict[str, Any]:
        return {"message": self.message, "code": self.code, "context": {"propertyName": [self.name]}}

    def verdict(self, portal_id: int) -> dict[str, Any]:
        """The entry that HubSpot prints, as JSON, inside the message text."""
        return {
            "isValid": False,
            "message": self.message,
            "error": self.code,
            "name": self.name,
            "localizedErrorMessage": self.message,
            "portalId": portal_id,
        }


class Refusal(kernel_gate.Refusal):
    """A request, or one input of a batch, that HubSpot does not carry out. `extra` overrules the body."""

    def __init__(
        self,
        status: int,
        category: str,
        message: str,
        *,
        context: Context | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        sub_category: str | None = None,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.category = category
        self.message = message
        self.errors = [dict(error) for error in errors]
        self.context = {key: list(values) for key, values in (context or {}).items()}
        self._details: dict[str, Any] = {"status": "error", "message": message, "category": category}
        if sub_category is not None:
            self._details["subCategory"] = sub_category
        if self.context:
            self._details["context"] = self.context
        if self.errors:
            self._details["errors"] = self.errors
        body = {**self._details, "correlationId": str(uuid4()), **(extra or {})}
        super().__init__(status, body, headers)

    def batch_error(self, trace_id: str | None = None) -> dict[str, Any]:
        """The entry under `errors` of a 207; a traced input is named by its own trace id."""
        if trace_id is None:
            return dict(self._details)
        return {**self._details, "context": {**self.context, "objectWriteTraceId": [trace_id]}}


def bad_request(message: str, **context: Sequence[str]) -> Refusal:
    return Refusal(400, VALIDATION, message, context=context)


def not_found(message: str = "resource not found") -> Refusal:
    return Refusal(404, NOT_FOUND, message)


def invalid_properties(faults: Sequence[PropertyFault], *, portal_id: int) -> Refusal:
    """One refusal that lists every property at fault, in the text and under `errors`."""
    verdicts = json.dumps([fault.verdict(portal_id) for fault in faults], ensure_ascii=False)
    details = [fault.detail() for fault in faults]
    return Refusal(400, VALIDATION, f"Property values were not valid: {verdicts}", errors=details)


def missing_required(type_name: str, names: Sequence[str]) -> Refusal:
    message = (
        f"Cannot create object with type: {type_name}. "
        f"The following required properties were missing: [{', '.join(names)}]"
    )
    return Refusal(400, VALIDATION, message, context={"properties": list(names)})


def contact_exists(record_id: str) -> Refusal:
    return Refusal(409, CONFLICT, f"Contact already exists. Existing ID: {record_id}")


def unknown_ids(type_name: str, ids: Sequence[str]) -> Refusal:
    """What a batch says about ids that are gone, merged away or were never there."""
    message = f"Could not get some {type_name} objects, they may be deleted or not exist. Check that ids are valid."
    return Refusal(404, NOT_FOUND, message, context={"ids": list(ids)})


def missing_scopes(any_of: Sequence[str]) -> Refusal:
    return Refusal(
        403,
        "MISSING_SCOPES",
        "This app hasn't been granted all required scopes to make this call. "
        "Read more about required scopes here: https://developers.hubspot.com/scopes.",
        errors=[
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": list(any_of)},
            }
        ],
        extra={"links": {"scopes": "https://developers.hubspot.com/scopes"}},
    )
