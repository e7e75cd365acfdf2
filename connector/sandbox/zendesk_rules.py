"""What Zendesk takes of an update, what it refuses, and what follows by itself. Nobody configures these."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .zendesk_errors import invalid
from .zendesk_stock import CATEGORIES, PRIORITIES, TYPES

if TYPE_CHECKING:
    from .zendesk_account import Account, Comment, Ticket

Raw = dict[str, Any]
PLAIN = ("subject", "priority", "type", "external_id", "assignee_id", "group_id", "due_at", "custom_status_id")
FINAL_TAKES = {"tags", "subject", "priority", "safe_update", "updated_stamp", "metadata", "id"}
EVENT_OF = {
    "status": "status_changed",
    "custom_status_id": "custom_status_changed",
    "priority": "priority_changed",
    "subject": "subject_changed",
    "assignee_id": "agent_assignment_changed",
    "group_id": "group_assignment_changed",
    "tags": "tags_changed",
    "type": "type_changed",
    "external_id": "external_id_changed",
    "due_at": "task_due_at_changed",
    "requester_id": "requester_changed",
}
STATUSES = (*CATEGORIES, "closed")
LONGEST_COMMENT = 65_535


def seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parsed(stamp: str) -> datetime | None:
    try:
        return datetime.fromisoformat(stamp)
    except ValueError:
        return None


def check_create(account: Account, told: Mapping[str, Any]) -> None:
    """422 unless a ticket can be made of this."""
    comment = told.get("comment") or {}
    if not (comment.get("body") or comment.get("html_body") or told.get("description")):
        raise invalid({"base": ("Description: cannot be blank", "BlankValue")})
    requester = told.get("requester")
    if isinstance(requester, Mapping) and not (requester.get("name") or requester.get("email")):
        raise invalid({"requester": ("Requester: Name: is too short (minimum one character)", "ValueTooShort")})
    if isinstance(requester, Mapping) and not requester.get("name"):
        known = {str(one.get("email") or "").lower() for one in account.users.values()}
        if str(requester["email"]).lower() not in known:
            raise invalid({"requester": ("Requester: Name: is too short (minimum one character)", "ValueTooShort")})
    _check_values(account, told, is_new=True)
    if told.get("status") == "closed":
        raise invalid({"status": ("Status: closed is not a valid status of a new ticket", "InvalidValue")})
    if told.get("status") == "solved" and not _will_be_assigned(account, told):
        raise _needs_assignee()


def followup_source(account: Account, told: Mapping[str, Any]) -> Ticket | None:
    """The closed ticket that a new one follows."""
    if told.get("via_followup_source_id") is None:
        return None
    source = account.ticket(told["via_followup_source_id"])
    if source.status != "closed":
        text = "Follow-up: the source is not closed"
        raise invalid({"via_followup_source_id": (text, "InvalidValue")})
    return source


def check_update(account: Account, ticket: Ticket, told: Mapping[str, Any]) -> None:
    """422 with what is wrong; nothing is changed then."""
    if ticket.status == "closed" and (refused := set(told) - FINAL_TAKES):
        name = "status" if "status" in refused or "comment" in refused else min(refused)
        raise invalid({name: (f"{name.capitalize()}: closed prevents ticket update", "TicketClosed")})
    _check_values(account, told, is_new=False)
    if told.get("status") == "new" and ticket.status != "new":
        raise invalid({"status": ("Status: cannot be changed back to new", "InvalidValue")})
    if "priority" in told and told["priority"] in (None, "") and ticket.values["priority"]:
        raise invalid({"priority": ("Priority: cannot be cleared", "BlankValue")})
    final = told.get("status") or ticket.status
    assignee = told.get("assignee_id", ticket.values["assignee_id"])
    if final == "solved" and not assignee and not (account.settings.assign_on_solve and ticket.status != "solved"):
        raise _needs_assignee()


def _will_be_assigned(account: Account, told: Mapping[str, Any]) -> bool:
    return bool(told.get("assignee_id") or account.settings.assign_on_solve)


def _needs_assignee() -> Exception:
    text = "Assignee: is required when solving a ticket"
    return invalid({"assignee": (text, "BlankValue")})


def _check_values(account: Account, told: Mapping[str, Any], *, is_new: bool) -> None:
    allowed = STATUSES if account.settings.hold else tuple(one for one in STATUSES if one != "hold")
    _among(told, "status", allowed)
    _among(told, "priority", (*PRIORITIES, None, ""))
    _among(told, "type", (*TYPES, None, ""))
    agents = {one["id"] for one in account.agents() if one["active"] and not one["suspended"]}
    if told.get("assignee_id") and _int(told["assignee_id"]) not in agents:
        raise invalid({"assignee": ("Assignee: is invalid", "InvalidValue")})
    if told.get("group_id") and _int(told["group_id"]) not in account.groups:
        raise invalid({"group": ("Group: is invalid", "InvalidValue")})
    if told.get("custom_status_id"):
        status = account.statuses.get(_int(told["custom_status_id"]))
        if not account.settings.custom_statuses or status is None or not status["active"]:
            raise invalid({"custom_status_id": ("Custom status: is invalid", "InvalidValue")})
    if not is_new and "subject" in told and not told["subject"]:
        raise invalid({"subject": ("Subject: cannot be blank", "BlankValue")})
    _check_comment(account, told.get("comment"))
    _check_custom(account, told.get("custom_fields") or ())


def _among(told: Mapping[str, Any], name: str, allowed: tuple[Any, ...]) -> None:
    if name in told and told[name] not in allowed:
        text = f"{name.capitalize()}: {told[name]} is not a valid {name}"
        raise invalid({name: (text, "InvalidValue")})


def _check_comment(account: Account, comment: Any) -> None:
    if not comment:
        return
    body = str(comment.get("html_body") or comment.get("body") or "")
    if not body.strip():
        raise invalid({"comment": ("Comment: cannot be blank", "BlankValue")})
    if len(body) > LONGEST_COMMENT:
        raise invalid({"comment": (f"Comment: is too long (maximum {LONGEST_COMMENT})", "ValueTooLong")})
    if comment.get("author_id") and _int(comment["author_id"]) not in account.users:
        raise invalid({"comment": ("Comment: author is invalid", "InvalidValue")})


def _check_custom(account: Account, values: Any) -> None:
    """Zendesk passes over fields that it does not know; a drop-down takes its own values only."""
    for one in values:
        field = account.custom_fields.get(_int(one.get("id")))
        if field and field["type"] in ("tagger", "multiselect") and one.get("value"):
            known = {option["value"] for option in field.get("custom_field_options") or ()}
            given = one["value"] if isinstance(one["value"], list) else [one["value"]]
            if not set(given) <= known:
                text = f"{field['title']}: {one['value']} is not a valid option"
                raise invalid({"custom_fields": (text, "InvalidValue")})


def put_values(account: Account, ticket: Ticket, told: Mapping[str, Any]) -> None:
    """Take the values over."""
    for name in PLAIN:
        if name in told:
            value = told[name] or None
            ticket.values[name] = _int(value) if value and name.endswith("_id") and name != "external_id" else value
    if ticket.values["external_id"] is not None:
        ticket.values["external_id"] = str(ticket.values["external_id"])
    if told.get("tags") is not None:
        ticket.values["tags"] = sorted({str(one).lower().replace(" ", "_") for one in told["tags"] if one})
    for one in told.get("custom_fields") or ():
        field = account.custom_fields.get(_int(one.get("id")))
        if field:
            _put_custom(ticket, field, one.get("value"))


def _put_custom(ticket: Ticket, field: Raw, value: Any) -> None:
    """The value of a drop-down is a tag too."""
    before = ticket.custom.get(field["id"])
    ticket.custom[field["id"]] = value if value != "" else None
    if field["type"] in ("tagger", "multiselect"):
        listed = [one if isinstance(one, list) else [one] if one else [] for one in (before, value)]
        ticket.values["tags"] = sorted((set(ticket.values["tags"]) - set(listed[0])) | set(listed[1]))


def follow_status(
    account: Account, ticket: Ticket, before: Raw, told: Mapping[str, Any], comment: Comment | None, actor: int
) -> None:
    """Where the status goes: as told, or by what else was done."""
    values = ticket.values
    if told.get("status"):
        values["status"] = told["status"]
    if told.get("custom_status_id"):
        values["status"] = account.statuses[values["custom_status_id"]]["status_category"]
    assigned = values["assignee_id"] and not before.get("assignee_id")
    if values["status"] == "new" and assigned:
        values["status"] = "open"
    by_customer = comment and account.users[comment.author_id]["role"] == "end-user" and comment.author_id == actor
    if by_customer and not told.get("status") and values["status"] in ("pending", "hold", "solved"):
        values["status"] = "open"
    if values["status"] == "solved" and not values["assignee_id"] and account.settings.assign_on_solve:
        values["assignee_id"] = actor
    present = account.statuses.get(values["custom_status_id"] or 0)
    if values["status"] == "closed":
        return
    if present is None or present["status_category"] != values["status"]:
        chosen = [
            one for one in account.statuses.values() if one["default"] and one["status_category"] == values["status"]
        ]
        values["custom_status_id"] = chosen[0]["id"]


def snapshot(ticket: Ticket) -> Raw:
    """What an audit compares."""
    held = {name: ticket.values.get(name) for name in (*PLAIN, "status", "tags", "requester_id")}
    return {**held, "tags": list(ticket.values["tags"]), **{str(one): value for one, value in ticket.custom.items()}}


def differences(before: Raw, after: Raw) -> dict[str, tuple[Any, Any]]:
    names = dict.fromkeys([*before, *after])
    return {one: (before.get(one), after.get(one)) for one in names if before.get(one) != after.get(one)}


def _int(told: object) -> int:
    return int(str(told)) if str(told).isdecimal() else -1
