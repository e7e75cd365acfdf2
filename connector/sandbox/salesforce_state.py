"""The org as tests and the demo look at it: names instead of ids, comments under their cases."""

from __future__ import annotations

from typing import Any

from .salesforce_org import Org, Record
from .salesforce_values import shown

View = dict[str, Any]


def org_view(org: Org) -> View:
    """Everything that is in the org."""
    return {
        "cases": [case_view(org, one) for one in org.all("Case")],
        "contacts": [record_view(one) for one in org.live("Contact")],
        "users": [record_view(one) for one in org.live("User")],
        "queues": [record_view(one) for one in org.live("Group")],
        "emails": [record_view(one) for one in org.live("EmailMessage")],
        "feed": [record_view(one) for one in org.live("FeedItem")],
        "created": [f"{org.records[one].kind.name} {one}" for one in org.creates if one in org.records],
        "org_id": org.org_id,
        "user_id": org.user_id,
    }


def case_view(org: Org, case: Record) -> View:
    """One case, deleted ones too: its fields, who owns it, and its comments, oldest first."""
    owner = org.records.get(str(case.values["OwnerId"]))
    comments = [
        org.records[one] for one in org.children.get(case.id, ()) if org.records[one].kind.name == "CaseComment"
    ]
    return {
        **record_view(case),
        "owner": owner.values["Name"] if owner else None,
        "comments": [comment_view(one) for one in comments],
    }


def comment_view(comment: Record) -> View:
    """One comment."""
    values = comment.values
    return {
        "id": comment.id,
        "body": values["CommentBody"],
        "public": values["IsPublished"],
        "by": values["CreatedById"],
        "created": shown(values["CreatedDate"]),
    }


def record_view(record: Record) -> View:
    """One record's fields."""
    return {"id": record.id, "fields": {name: shown(value) for name, value in record.values.items()}}
