"""Which comments cross to the other side, in what order and as what.

The guarantee that matters most lives in `Crossing`: an internal note has no way to become anything that a
customer could see.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.domain.rules import CommentPolicy
from connector.domain.ticket import Comment, CommentKind, Side


@dataclass(frozen=True, slots=True)
class Crossing:
    """One comment on its way to the other side."""

    source: Side
    comment: Comment
    kind: CommentKind
    text: str

    def __post_init__(self) -> None:
        if self.comment.kind is CommentKind.NOTE and self.kind is not CommentKind.NOTE and not self.marked:
            raise ValueError("an internal note can never become public")

    @property
    def marked(self) -> bool:
        """Whether an agent wrote this CRM entry as a reply to the customer, by the mapping's declared marker."""
        return self.source is Side.CRM and self.text != self.comment.text


@dataclass(frozen=True, slots=True)
class Stays:
    """A comment that does not cross, and why."""

    source: Side
    comment_id: str
    code: str
    reason: str


def plan_comments(
    policy: CommentPolicy,
    source: Side,
    comments: Sequence[Comment],
    *,
    known: Iterable[str],
    linked_at: datetime | None = None,
) -> tuple[list[Crossing], list[Stays]]:
    """What of one side's timeline crosses now, oldest first.

    `known` are the entry ids that crossed already or that our own effects made. `linked_at` is the vendor's own
    time from which the timeline counts as new; entries before it are subject to the mapping's `history`.
    """
    seen = set(known)
    crossings: list[Crossing] = []
    stays: list[Stays] = []
    for comment in sorted(comments, key=lambda item: item.created_at):
        if comment.id in seen:
            continue
        kind, text = _meaning(policy, source, comment)
        allowed = policy.to_crm if source is Side.NEXTCAP else policy.to_nextcap
        if kind not in allowed:
            stays.append(Stays(source, comment.id, "not_carried", f"the mapping does not carry a {kind} this way"))
        elif _too_old(policy, comment, linked_at):
            stays.append(Stays(source, comment.id, "history", "older than the history that the mapping mirrors"))
        else:
            crossings.append(Crossing(source, comment, kind, text))
    return crossings, stays


def _meaning(policy: CommentPolicy, source: Side, comment: Comment) -> tuple[CommentKind, str]:
    """What the comment becomes. A CRM note is a reply only where an agent put the declared marker before it."""
    if source is Side.CRM and comment.kind is CommentKind.NOTE:
        for marker in policy.reply_markers:
            text = comment.text.lstrip()
            if text.lower().startswith(marker.lower()) and text[len(marker) :].strip():
                return CommentKind.REPLY, text[len(marker) :].lstrip(" :\n\t")
    return comment.kind, comment.text


def _too_old(policy: CommentPolicy, comment: Comment, linked_at: datetime | None) -> bool:
    return policy.history is not None and linked_at is not None and comment.created_at < linked_at - policy.history
