"""Which comments cross to the other side, in what order and as what.

The guarantee that matters most lives in `Crossing`: an internal note has no way to become anything that a
customer could see.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.domain.rules import Arrival, CommentPolicy
from connector.domain.ticket import Comment, CommentKind, Side


@dataclass(frozen=True, slots=True)
class Crossing:
    """One comment on its way to the other side, as what it is, or as a note; only a marked CRM note becomes public.

    `marker` is the mapping's declared word with which an agent began a CRM note that is for the customer.
    """

    source: Side
    comment: Comment
    kind: CommentKind
    text: str
    marker: str = ""

    def __post_init__(self) -> None:
        if self.kind not in (self.comment.kind, CommentKind.NOTE) and not self._is_marked_reply():
            raise ValueError("an internal note can never become public")

    def _is_marked_reply(self) -> bool:
        is_crm_note = self.source is Side.CRM and self.comment.kind is CommentKind.NOTE
        is_marked = is_crm_note and after_marker(self.comment.text, self.marker) == self.text
        return is_marked and self.kind is CommentKind.REPLY


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
        crossing = _crossing(policy, source, comment)
        allowed = policy.to_crm if source is Side.NEXTCAP else policy.to_nextcap
        if comment.form and comment.form not in policy.forms:
            reason = f"the mapping does not read the form {comment.form}"
            stays.append(Stays(source, comment.id, "not_carried", reason))
        elif crossing.kind not in allowed:
            reason = f"the mapping does not carry a {crossing.kind} this way"
            stays.append(Stays(source, comment.id, "not_carried", reason))
        elif _too_old(policy, comment, linked_at):
            stays.append(Stays(source, comment.id, "history", "older than the history that the mapping mirrors"))
        else:
            crossings.append(crossing)
    return crossings, stays


def after_marker(text: str, marker: str) -> str | None:
    """What an entry that begins with the marker says after it; None where it does not, or says nothing.

    A marker that ends in a letter or digit must stand alone, followed by a space or a colon: `#replying` is no
    `#reply`. An empty marker marks nothing.
    """
    words = text.lstrip()
    start, rest = words[: len(marker)], words[len(marker) :]
    if not marker.strip() or start.casefold() != marker.casefold():
        return None
    if marker[-1].isalnum() and not (rest[:1].isspace() or rest.startswith(":")):
        return None
    return rest.lstrip(": \t\r\n\u00a0") or None


def _crossing(policy: CommentPolicy, source: Side, comment: Comment) -> Crossing:
    """The comment as what it is, or as the note that the mapping makes of its form.

    A CRM note is a reply only where an agent put the declared marker before it.
    """
    if policy.forms.get(comment.form) is Arrival.NOTE:
        heading = f"{comment.form.capitalize()} from {comment.author_name or 'somebody'}:"
        return Crossing(source, comment, CommentKind.NOTE, f"{heading}\n\n{comment.text}")
    if source is Side.CRM and comment.kind is CommentKind.NOTE:
        for marker in policy.reply_markers:
            text = after_marker(comment.text, marker)
            if text is not None:
                return Crossing(source, comment, CommentKind.REPLY, text, marker)
    return Crossing(source, comment, comment.kind, comment.text)


def _too_old(policy: CommentPolicy, comment: Comment, linked_at: datetime | None) -> bool:
    return policy.history is not None and linked_at is not None and comment.created_at < linked_at - policy.history
