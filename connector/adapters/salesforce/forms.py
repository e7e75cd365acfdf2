"""What the conversation of a case is made of: its comments and, where the mapping names them, e-mails and feed posts.

Anything that is not certainly seen by the customer is a note.
https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference: CaseComment, EmailMessage,
FeedItem (2026-11). A feed also repeats the comments and e-mails of its case, as types that are not read here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from connector.adapters.base import Json
from connector.adapters.salesforce.api import long_id
from connector.adapters.times import EPOCH, moment
from connector.domain.schema import Form
from connector.domain.text import html_to_text
from connector.domain.ticket import Comment, CommentKind

EMAIL, POST = "email", "post"
FORMS: Final = (Form(EMAIL, writable=False, delivered=True), Form(POST))
"""An e-mail that we made would be the record of one that nobody sent."""

PREFIX: Final = "500"
"""How the ids of cases begin."""

VISIBILITY: Final = "Visibility"
"""Of a post; missing in an org that no outsider can enter."""

COMMON: Final = "Id, ParentId, CreatedDate, CreatedById, CreatedBy.Name, CreatedBy.UserType"
STAFF: Final = "Standard"
NOBODY: Final = ("", "AutomatedProcess", "CloudIntegrationUser")
SENT: Final = "3"


@dataclass(frozen=True, slots=True)
class Shape:
    """The objects of one form: how their ids begin, what is asked of them, and when one was last changed.

    `seen` says who sees one, `told` what it says.
    """

    form: str
    name: str
    prefix: str
    columns: tuple[str, ...]
    seen: Callable[[Json], CommentKind]
    told: Callable[[Json], str]
    only: str = ""
    stamp: str = "SystemModstamp"

    def timeline(self, *, without: str) -> str:
        """The query for the entries of some cases, `{ids}`."""
        columns = ", ".join([COMMON, *(one for one in self.columns if one != without)])
        return f"SELECT {columns} FROM {self.name} WHERE ParentId IN {{ids}}{self.only} ORDER BY CreatedDate, Id"  # noqa: S608 - our own words

    def since(self, moment: str) -> str:
        """The query for what was changed since then: a literal of SOQL."""
        where = f"{self.stamp} >= {moment}{self.only} ORDER BY {self.stamp}, Id"
        return f"SELECT Id, ParentId, {self.stamp} FROM {self.name} WHERE {where}"  # noqa: S608 - as above

    def comment(self, row: Mapping[str, Json]) -> Comment:
        """The entry that a row of the timeline shows."""
        sender = (row.get("FromName") or row.get("FromAddress")) if row.get("Incoming") else None
        return Comment(
            id=long_id(row["Id"]),
            kind=self.seen(row),
            text=self.told(row),
            created_at=moment(row.get("CreatedDate")) or EPOCH,
            author_id=None if sender else long_id(row.get("CreatedById")) or None,
            author_name=str(sender or (row.get("CreatedBy") or {}).get("Name") or ""),
            form=self.form,
        )


def _by_author(row: Json, *, shown: bool) -> CommentKind:
    """What all see is a colleague's reply, or a customer's in a site; a program's, or of nobody known, stays inside."""
    kind = str((row.get("CreatedBy") or {}).get("UserType") or "") if shown else ""
    return CommentKind.REPLY if kind == STAFF else CommentKind.NOTE if kind in NOBODY else CommentKind.CUSTOMER_REPLY


def _of_email(row: Json) -> CommentKind:
    """What came in is the customer's; what went out is a reply only if it went to the customer of the case."""
    if row.get("Incoming") is True:
        return CommentKind.CUSTOMER_REPLY
    case = row.get("Parent") or {}
    customer = str(case.get("ContactEmail") or case.get("SuppliedEmail") or "").strip().casefold()
    addresses = {one.strip() for one in str(row.get("ToAddress") or "").casefold().replace(",", ";").split(";")}
    is_theirs = bool(customer) and customer in addresses and row.get("Status") == SENT
    return CommentKind.REPLY if is_theirs else CommentKind.NOTE


def _said(plain: object, html: object = "", *, empty: str = "") -> str:
    return str(plain or "").strip() or html_to_text(str(html or "")).strip() or empty


def _posted(row: Json) -> str:
    plain, html = ("", row["Body"]) if row.get("IsRichText") else (row["Body"], "")
    return _said(plain, html, empty="(a file in Salesforce)")


COMMENTS: Final = Shape(
    *("", "CaseComment", "00a", ("CommentBody", "IsPublished")),
    seen=lambda row: _by_author(row, shown=row.get("IsPublished") is True),
    told=lambda row: _said(row.get("CommentBody")),
)
EMAILS: Final = Shape(
    *(EMAIL, "EmailMessage", "02s"),
    columns=(
        *("Incoming", "Status", "TextBody", "HtmlBody", "FromName", "FromAddress", "ToAddress"),
        *("Parent.ContactEmail", "Parent.SuppliedEmail"),
    ),
    seen=_of_email,
    told=lambda row: _said(row["TextBody"], row["HtmlBody"], empty="(an empty e-mail)"),
    only=" AND Status != '5'",  # A draft is nobody's words yet.
)
POSTS: Final = Shape(
    *(POST, "FeedItem", "0D5", ("Body", "IsRichText", "Status", VISIBILITY)),
    seen=lambda row: _by_author(row, shown=row.get(VISIBILITY) == "AllUsers"),
    told=_posted,
    only=" AND Type IN ('TextPost', 'ContentPost')",
    stamp="CreatedDate",  # "You can't query a FeedItem object using the SystemModstamp filter."
)
SHAPES: Final = (COMMENTS, EMAILS, POSTS)


def in_force(forms: frozenset[str]) -> list[Shape]:
    """The comments, and what else the mapping names of these forms."""
    return [shape for shape in SHAPES if not shape.form or shape.form in forms]
