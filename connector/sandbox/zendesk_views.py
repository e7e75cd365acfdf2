"""Tickets, comments and users as the API shows them, and as tests look at them."""

from __future__ import annotations

from typing import Any

from .zendesk_account import Account, Comment, Ticket
from .zendesk_rules import PLAIN, seconds

Raw = dict[str, Any]


def ticket_view(ticket: Ticket) -> Raw:
    """A ticket as every call shows it."""
    values = ticket.values
    first = ticket.comments[0].body if ticket.comments else ""
    custom = [{"id": one, "value": value} for one, value in ticket.custom.items()]
    return {
        "id": ticket.id,
        **{name: values[name] for name in PLAIN},
        "status": "deleted" if ticket.deleted else values["status"],
        "tags": list(values["tags"]),
        "requester_id": values["requester_id"],
        "submitter_id": values["submitter_id"],
        "description": first,
        "raw_subject": values["subject"],
        "custom_fields": custom,
        "fields": custom,
        "followup_ids": ticket.followups,
        "created_at": seconds(ticket.created_at),
        "updated_at": seconds(ticket.changed_at),
        "is_public": any(one.public for one in ticket.comments),
        "via": {"channel": values["channel"], "source": _source(values["via_followup_source_id"])},
    }


def _source(followed: int | None) -> Raw:
    """Where a ticket comes from; what it was asked for with is not shown."""
    return {"from": {"ticket_id": followed} if followed else {}, "to": {}, "rel": "follow_up" if followed else None}


def comment_view(comment: Comment) -> Raw:
    return {
        "id": comment.id,
        "type": "Comment",
        "author_id": comment.author_id,
        "public": comment.public,
        "body": comment.body,
        "html_body": comment.html_body,
        "plain_body": comment.body,
        "attachments": [],
        "audit_id": comment.audit_id,
        "created_at": seconds(comment.created_at),
        "via": {"channel": "api"},
    }


def user_view(user: Raw) -> Raw:
    return {"phone": None, **user}


def seen(account: Account, ticket: Ticket) -> Raw:
    """A ticket with its comments, names instead of ids."""
    fields = {account.custom_fields[one]["title"]: value for one, value in ticket.custom.items()}
    assignee = account.users.get(ticket.values["assignee_id"] or 0)
    comments = [
        {
            "id": str(one.id),
            "body": one.body,
            "html_body": one.html_body,
            "public": one.public,
            "author": account.users[one.author_id]["name"],
        }
        for one in ticket.comments
    ]
    return {
        **ticket_view(ticket),
        "id": str(ticket.id),
        "fields": fields,
        "comments": comments,
        "assignee": assignee["name"] if assignee else None,
        "group": account.groups.get(ticket.values["group_id"]),
        "requester": account.users[ticket.values["requester_id"]].get("email"),
        "merged_into": ticket.merged_into,
        "follows": ticket.values["via_followup_source_id"],
    }
